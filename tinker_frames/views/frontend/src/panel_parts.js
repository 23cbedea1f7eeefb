// Parts of the action panel's stages: a title, buttons, a table of rows.

import { el } from "./dom.js";
import { readCell } from "./grid_rows.js";
import { capitalize } from "./text.js";

/** @import { ActionPanel } from "./action_panel.js" */
/** @import { Child } from "./dom.js" */
/** @import { Cell } from "./messages.js" */

/** @param {Child[]} buttons */
export const makeButtons = (...buttons) => el("div", { class: "tkf-panel-buttons" }, ...buttons);

/** Say why an action cannot go on. @param {string} obstacle */
export const makeObstacle = (obstacle) =>
  obstacle ? [el("div", { class: "tkf-error tkf-obstacle", role: "alert" }, capitalize(obstacle))] : [];

/** @param {Child[]} text */
export const makeTitle = (...text) => el("h4", { class: "tkf-panel-title" }, ...text);

/**
 * Return the texts of a table without the columns that are empty in every row.
 *
 * @param {Cell[][]} rows the first has the names of the columns
 */
export function dropEmptyColumns([names = [], ...rows]) {
  const texts = rows.map((row) => row.map((cell) => readCell(cell).text));
  const isFilled = names.map((_, column) => texts.some((row) => row[column]));
  const keep = (/** @type {string[]} */ row) => row.filter((_, column) => isFilled[column]);
  return { names: keep(names.map((name) => readCell(name).text)), rows: texts.map(keep) };
}

/** @param {Cell[][]} listed the first row has the names of the columns; no table if there is none @param {string} [look] */
export function makeRowTable(listed, look = "") {
  if (!listed.length) return [];
  const { names, rows } = dropEmptyColumns(listed);
  const head = el("thead", {}, el("tr", {}, ...names.map((name) => el("th", {}, name))));
  const body = el(
    "tbody",
    {},
    ...rows.map((row) => el("tr", {}, ...row.map((text) => el("td", { title: text }, text)))),
  );
  const roles = { tabindex: 0, role: "group", "aria-label": "rows of the plan", "data-name": "listed" };
  return [el("div", { class: `tkf-listed ${look}`, ...roles }, el("table", {}, head, body))];
}

/**
 * Return whether a text is the number of rows.
 *
 * @param {string} typed
 * @param {number} number
 */
export const isNumberTyped = (typed, number) => typed.trim().replaceAll(",", "") === String(number);

/**
 * Return the field for the number of rows, without which a button stays disabled.
 *
 * @param {ActionPanel} panel
 * @param {number} number
 * @param {string} verb what the number is typed for
 * @param {HTMLButtonElement} run
 */
export function makeTypedNumber(panel, number, verb, run) {
  const looks = { class: "tkf-input tkf-short", inputmode: "numeric", autocomplete: "off" };
  const input = el("input", {
    ...looks,
    "data-name": "typed",
    "data-first": true,
    value: panel.typed,
    on: {
      input: () => {
        panel.typed = input.value;
        run.disabled = !isNumberTyped(panel.typed, number);
      },
      keydown: (/** @type {KeyboardEvent} */ event) => event.key === "Enter" && !run.disabled && run.click(),
    },
  });
  return el("label", { class: "tkf-tick" }, `Type ${number} to ${verb}: `, input);
}
