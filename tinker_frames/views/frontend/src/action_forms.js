// The form of an action, made from the fields that Python sends.

import { button, el } from "./dom.js";
import { makeButtons, makeObstacle, makeParts, makeTitle } from "./panel_parts.js";
import { capitalize } from "./text.js";

/** @import { ActionPanel } from "./action_panel.js" */
/** @import { AnswerRequest, AskPanel, Estimate, FormField } from "./messages.js" */

/** @typedef {AnswerRequest["given"]} Values by the names of fields */

/** @param {ActionPanel} panel @param {AskPanel} state @returns {HTMLElement[]} */
export function makeForm(panel, state) {
  const read = () =>
    Object.fromEntries(state.fields.map((field, place) => [field.name, readInput(field, inputs[place])]));
  const estimate = () => panel.estimate(read);
  const inputs = state.fields.map((field, place) => makeInput(panel, field, () => submit(), estimate, place === 0));
  const submit = (/** @type {Values} */ picked = {}) => {
    if (state.obstacle) return;
    panel.estimate.cancel();
    panel.send({ do: "answer", given: { ...read(), ...picked } });
  };
  const lines = state.fields.map((field, place) => makeLine(field, inputs[place], submit));
  return [
    makeTitle(`${state.label}: ${state.target || "no rows"}`),
    el("div", { class: "tkf-muted" }, state.doc),
    el("div", { class: "tkf-form" }, ...lines),
    ...(state.obstacle ? [] : makeEstimate(state.estimate)),
    ...makeObstacle(state.obstacle),
    makeButtons(
      button(state.submit, () => submit(), {
        class: "tkf-button tkf-main",
        disabled: Boolean(state.obstacle),
        "data-name": "submit",
      }),
      panel.closeButton("Cancel"),
    ),
  ];
}

/** Return what the form would do as it is filled in. @param {Estimate | null} estimate */
function makeEstimate(estimate) {
  if (!estimate) return [];
  const { lines, parts, error, working } = estimate;
  const looks = { class: `tkf-estimate${working ? " tkf-working" : ""}`, role: "status" };
  if (error) return [el("div", { class: "tkf-error" }, capitalize(error))];
  if (!lines.length) return [el("div", { ...looks, class: "tkf-estimate tkf-muted" }, "Counting what this would do …")];
  const [title, ...more] = lines;
  return [
    el(
      "div",
      looks,
      el("strong", {}, capitalize(title)),
      ...more.map((line) => el("div", {}, line)),
      ...makeParts(parts),
    ),
  ];
}

/**
 * @param {ActionPanel} panel
 * @param {FormField} field
 * @param {() => void} submit
 * @param {() => void} estimate
 * @param {boolean} isFirst
 */
function makeInput(panel, field, submit, estimate, isFirst) {
  const keep = () => {
    panel.values[field.name] = field.kind === "flag" ? input.checked : input.value;
    estimate();
  };
  const input = el("input", {
    type: { flag: "checkbox", count: "number", duration: "text", text: "text" }[field.kind],
    class: field.kind === "flag" ? null : `tkf-input ${field.kind === "text" ? "tkf-wide" : "tkf-short"}`,
    placeholder: field.kind === "duration" ? "e.g. 30d or 12h" : null,
    min: field.kind === "count" ? field.least : null,
    "aria-label": field.label,
    "data-name": field.name,
    "data-first": isFirst,
    on: { input: keep, keydown: (/** @type {KeyboardEvent} */ event) => event.key === "Enter" && submit() },
  });
  const value = panel.values[field.name] ?? field.value; // what was typed stays when the form is drawn again
  if (typeof value === "boolean") input.checked = value;
  else input.value = String(value);
  return input;
}

/**
 * Return the initial value of a field; a missing count is an empty string.
 *
 * @param {FormField} field
 * @param {HTMLInputElement} input
 */
function readInput(field, input) {
  if (field.kind === "flag") return input.checked;
  return field.kind === "count" && input.value ? Number(input.value) : input.value;
}

/** @param {FormField} field @param {HTMLInputElement} input @param {(picked: Values) => void} submit */
function makeLine(field, input, submit) {
  if (field.kind === "flag") return el("label", { class: "tkf-tick", title: field.hint }, input, ` ${field.label}`);
  const none = field.none && button(field.none, () => submit({ [field.name]: null }), { "data-name": field.none });
  const picks = field.picks.map((value) =>
    button(value.replace("d", " d"), () => submit({ [field.name]: value }), { "data-name": value }),
  );
  const label = el("label", { class: "tkf-tick", title: field.hint }, `${field.label} `, input);
  return el("div", { class: "tkf-panel-buttons" }, label, ...picks, none);
}
