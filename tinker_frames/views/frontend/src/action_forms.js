// The forms of actions: a duration, a file, a keep rule.

import { button, el } from "./dom.js";
import { makeButtons, makeTitle } from "./panel_parts.js";

/** @import { ActionPanel } from "./action_panel.js" */
/** @import { AnswerRequest, AskPanel } from "./messages.js" */

const DURATIONS = ["1d", "7d", "30d", "90d", "365d"];
const KEPT = { final: "named final", public: "public", sampled: "loaded by a sampler" };
const KEPT_NEWEST = 3; // of each run, unless another number is typed

/** @param {ActionPanel} panel @param {AskPanel} state @returns {HTMLElement[]} */
export function makeForm(panel, state) {
  const head = [makeTitle(`${state.label}: ${state.target}`), el("div", { class: "tkf-muted" }, state.doc)];
  const answer = (/** @type {AnswerRequest["given"]} */ given) => panel.send({ do: "answer", given });
  const cancel = panel.closeButton("Cancel");
  switch (state.asks) {
    case "ttl":
      return [...head, ...makeDurationForm(answer, cancel)];
    case "path":
      return [...head, ...makeFileForm(answer, cancel, state)];
    case "rule":
      return [...head, ...makeRuleForm(answer, cancel)];
    default:
      return [...head, makeButtons(cancel)];
  }
}

/** @typedef {(given: AnswerRequest["given"]) => void} Answer */

/** @param {() => void} submit */
const onEnter = (submit) => ({ keydown: (/** @type {KeyboardEvent} */ event) => event.key === "Enter" && submit() });

/** @param {string} name @param {boolean} [isChecked] */
function makeCheck(name, isChecked = false) {
  const check = el("input", { type: "checkbox", "data-name": name });
  check.checked = isChecked;
  return check;
}

/** @param {HTMLInputElement} check @param {string} text */
const makeTick = (check, text) => el("label", { class: "tkf-tick" }, check, ` ${text}`);

/** @param {Answer} answer @param {HTMLElement} cancel */
function makeDurationForm(answer, cancel) {
  const submit = () => answer({ ttl: own.value });
  const looks = {
    class: "tkf-input",
    placeholder: "e.g. 30d or 12h",
    "aria-label": "length of time",
    "data-name": "ttl",
  };
  const own = el("input", { ...looks, on: onEnter(submit) });
  const picks = DURATIONS.map((ttl, place) =>
    button(ttl.replace("d", " d"), () => answer({ ttl }), { "data-name": ttl, "data-first": place === 0 }),
  );
  const never = button("never", () => answer({ never: true }), { "data-name": "never" });
  const look = button("Look at the plan", submit, { "data-name": "own" });
  return [makeButtons(...picks, never, own, look, cancel)];
}

/** @param {Answer} answer @param {HTMLElement} cancel @param {AskPanel} state */
function makeFileForm(answer, cancel, state) {
  const write = () => answer({ path: path.value, overwrite: overwrite.checked, checkpoints: checkpoints.checked });
  const looks = { class: "tkf-input tkf-wide", "aria-label": "file", "data-name": "path", "data-first": true };
  const path = el("input", { ...looks, value: state.path, on: onEnter(write) });
  const [overwrite, checkpoints] = ["overwrite", "checkpoints"].map((name) => makeCheck(name));
  const submit = button("Write", write, { class: "tkf-button tkf-main", "data-name": "write" });
  return [
    el("div", { class: "tkf-muted" }, ".parquet, .csv, .feather or .json, beside this notebook"),
    makeButtons(
      path,
      state.has_checkpoints && makeTick(checkpoints, "their checkpoints instead of these rows"),
      makeTick(overwrite, "overwrite"),
      submit,
      cancel,
    ),
  ];
}

/** @param {Answer} answer @param {HTMLElement} cancel */
function makeRuleForm(answer, cancel) {
  const short = { class: "tkf-input tkf-short" };
  const newest = { "aria-label": "keep the newest of each run", "data-name": "last", "data-first": true };
  const last = el("input", { type: "number", ...short, min: 0, value: KEPT_NEWEST, ...newest });
  const newer = el("input", {
    ...short,
    placeholder: "2d",
    "aria-label": "keep what is newer than",
    "data-name": "newer",
  });
  const checks = Object.entries(KEPT).map(([name, text]) => ({ name, text, check: makeCheck(name, true) }));
  const submit = (/** @type {string} */ after) => {
    const kept = Object.fromEntries(checks.map(({ name, check }) => [name, check.checked]));
    answer({ last: Number(last.value), newer: newer.value, after, ...kept });
  };
  const ticks = checks.map(({ check, text }) => makeTick(check, text));
  const words = ["Keep the newest ", last, " of each run, those newer than ", newer, ", and those that are "];
  const expire = { class: "tkf-button tkf-main", "data-name": "expire" };
  const remove = { class: "tkf-button tkf-danger", "data-name": "delete" };
  return [
    el("div", { class: "tkf-rule" }, ...words, ...ticks),
    makeButtons(
      button("Expire the rest in 24 h", () => submit("24h"), expire),
      button("Delete the rest…", () => submit(""), remove),
      cancel,
    ),
  ];
}
