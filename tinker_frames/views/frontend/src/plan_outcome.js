// The outcome of a plan: a count per outcome, what changed, the errors with their number of rows, undo and retry.

import { button, el } from "./dom.js";
import { isNumberTyped, makeButtons, makeRowTable, makeTitle, makeTypedNumber } from "./panel_parts.js";
import { formatCount } from "./text.js";

/** @import { ActionPanel } from "./action_panel.js" */
/** @import { FailureGroup, OutcomeCount, OutcomePanel } from "./messages.js" */

/** @type {Record<string, string>} */
const MARKS = { done: "✓", failed: "✕", unknown: "?" };

/** @param {ActionPanel} panel @param {OutcomePanel} state */
export function makeOutcome(panel, state) {
  const counts = state.counts.map((count) => makeCount(panel, count));
  const failure = state.failed.find((group) => group.open);
  const opened = failure ?? state.counts.find((count) => count.open);
  const page = (/** @type {number} */ first) =>
    /** @type {const} */ ({
      do: "list",
      verdict: opened?.outcome ?? "",
      reason: failure?.error ?? "",
      first,
    });
  const changes = state.changes.map((change) => el("li", {}, change));
  return [
    ...(counts.length ? [makeTitle(`${state.label}: `, ...counts)] : []),
    ...(changes.length ? [el("ul", { class: "tkf-lines tkf-changes" }, ...changes)] : []),
    ...state.failed.map((failure) => makeFailure(panel, failure)),
    ...makeRowTable(state.listed, page, panel.send),
    makeButtons(
      ...makeUndo(panel, state),
      state.retry && button("Retry failed rows", () => panel.send({ do: "retry" }), { "data-name": "retry" }),
      button("Close", () => panel.send({ do: "close" }), { "data-name": "close", "data-first": true }),
    ),
  ];
}

/** An undo that makes rows public wants their number. @param {ActionPanel} panel @param {OutcomePanel} state */
function makeUndo(panel, state) {
  if (!state.undo) return [];
  const undo = button(state.undo_label, () => panel.send({ do: "undo", typed: panel.typed }), {
    class: `tkf-button ${state.publishes ? "tkf-danger" : ""}`,
    "data-name": "undo",
    disabled: state.publishes > 0 && !isNumberTyped(panel.typed, state.publishes),
  });
  return state.publishes ? [makeTypedNumber(panel, state.publishes, "publish again", undo), undo] : [undo];
}

/** @param {ActionPanel} panel @param {FailureGroup} failure */
function makeFailure(panel, { outcome, error, rows, open }) {
  const text = `${formatCount(rows)} ${outcome}: ${error}`;
  return button(text, () => panel.send({ do: "list", verdict: outcome, reason: error }), {
    class: `tkf-button tkf-group tkf-failure tkf-${outcome}`,
    "aria-expanded": String(open),
    title: "Show these rows",
    "data-name": `failure ${error}`,
  });
}

/** @param {ActionPanel} panel @param {OutcomeCount} count */
function makeCount(panel, { outcome, rows, open }) {
  const text = `${MARKS[outcome] ?? "–"} ${formatCount(rows)} ${outcome}`;
  return button(text, () => panel.send({ do: "list", verdict: outcome }), {
    class: `tkf-button tkf-group tkf-outcome tkf-${outcome}`,
    "aria-expanded": String(open),
    title: "Show these rows",
    "data-name": `outcome ${outcome}`,
  });
}
