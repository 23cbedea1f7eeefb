// The outcome of a plan: a count per outcome, the rows that failed, undo and retry.

import { button } from "./dom.js";
import { isNumberTyped, makeButtons, makeRowTable, makeTitle, makeTypedNumber } from "./panel_parts.js";
import { formatCount } from "./text.js";

/** @import { ActionPanel } from "./action_panel.js" */
/** @import { OutcomeCount, OutcomePanel } from "./messages.js" */

/** @type {Record<string, string>} */
const MARKS = { done: "✓", failed: "✕", unknown: "?" };

/** @param {ActionPanel} panel @param {OutcomePanel} state */
export function makeOutcome(panel, state) {
  const counts = state.counts.map((count) => makeCount(panel, count));
  return [
    ...(counts.length ? [makeTitle(`${state.label}: `, ...counts)] : []),
    ...(state.rows.length ? makeRowTable(state.rows) : makeRowTable(state.failed, "tkf-failures")),
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
