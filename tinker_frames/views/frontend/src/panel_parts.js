// Parts of the action panel's stages: a title, buttons, a table of rows.

import { makeWhole } from "./chart_bars.js";
import { barLengths } from "./chart_scale.js";
import { button, el } from "./dom.js";
import { readCell } from "./grid_rows.js";
import { capitalize, formatCount } from "./text.js";

/** @import { ActionPanel } from "./action_panel.js" */
/** @import { Child } from "./dom.js" */
/** @import { Bar, Cell, Listed, Request } from "./messages.js" */

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

/** Return what goes and what stays, as parts of a bar with their sizes. @param {Bar[]} bars */
export function makeParts(bars) {
  if (bars.length < 2) return [];
  const items = bars.map(({ label, text, look }) =>
    el("span", {}, el("span", { class: `tkf-swatch tkf-look-${look}` }), text ? `${label}: ${text}` : label),
  );
  return [
    el(
      "div",
      { class: "tkf-plan-parts" },
      makeWhole(bars, barLengths("parts", bars)),
      el("div", { class: "tkf-key" }, ...items),
    ),
  ];
}

/**
 * Return a page of rows as a table, with buttons for the pages before and after it.
 *
 * @param {Listed | null} listed
 * @param {(first: number) => Request} request of the page that begins with a row
 * @param {(request: Request) => void} send
 */
export function makeRowTable(listed, request, send) {
  if (!listed?.total) return [];
  const { names, rows } = dropEmptyColumns(listed.rows);
  const head = el("thead", {}, el("tr", {}, ...names.map((name) => el("th", {}, name))));
  const body = el(
    "tbody",
    {},
    ...rows.map((row) => el("tr", {}, ...row.map((text) => el("td", { title: text }, text)))),
  );
  const roles = { tabindex: 0, role: "group", "aria-label": "rows of the plan", "data-name": "listed" };
  const table = el("div", { class: "tkf-listed", ...roles }, el("table", {}, head, body));
  return [table, ...makePages(listed, rows.length, (first) => send(request(first)))];
}

/** @param {Listed} listed @param {number} shown @param {(first: number) => void} show */
function makePages({ first, total }, shown, show) {
  if (shown === total) return [];
  const step = (/** @type {string} */ name, /** @type {number} */ to, /** @type {boolean} */ isThere) =>
    button(name, () => show(to), { "data-name": name.toLowerCase(), disabled: !isThere });
  const text = `${formatCount(first + 1)} to ${formatCount(first + shown)} of ${formatCount(total)}`;
  const size = Math.max(shown, first && 1);
  return [
    makeButtons(
      step("Previous", Math.max(0, first - 1), first > 0),
      step("Next", first + size, first + shown < total),
      el("span", { class: "tkf-muted", role: "status" }, text),
    ),
  ];
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
