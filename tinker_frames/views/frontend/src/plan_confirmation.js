// A plan to confirm: its summary, its rows by verdict, and the guards that hold some of them.

import { button, el } from "./dom.js";
import {
  isNumberTyped,
  makeButtons,
  makeObstacle,
  makeParts,
  makeRowTable,
  makeTitle,
  makeTypedNumber,
} from "./panel_parts.js";
import { capitalize, formatCount } from "./text.js";

/** @import { ActionPanel } from "./action_panel.js" */
/** @import { ConfirmPanel, GuardTick, PlanGroup } from "./messages.js" */

/** @param {ActionPanel} panel @param {ConfirmPanel} state */
export function makeConfirmation(panel, state) {
  const [title = "", ...lines] = state.lines;
  const run = makeRunButton(panel, state);
  const typed = state.typed && state.number > 0 ? makeTypedNumber(panel, state.number, state.verb, run) : null;
  const opened = state.groups.find((group) => group.open);
  const page = (/** @type {number} */ first) =>
    /** @type {const} */ ({ do: "list", verdict: opened?.verdict ?? "", reason: opened?.reason ?? "", first });
  const edit = state.editable && button("Change …", () => panel.send({ do: "edit" }), { "data-name": "edit" });
  return [
    makeTitle(capitalize(title)),
    ...makeObstacle(state.obstacle),
    el("div", { class: "tkf-muted" }, describeSource(state)),
    ...makeHiddenWarning(state.hidden),
    ...(lines.length ? [el("ul", { class: "tkf-lines" }, ...lines.map((line) => el("li", {}, line)))] : []),
    ...makeParts(state.parts),
    el("div", { class: "tkf-groups" }, ...state.groups.map((group) => makeGroup(panel, group))),
    ...makeRowTable(state.listed, page, panel.send),
    ...(state.obstacle ? [] : makeGuards(panel, state.guards)),
    state.obstacle ? makeButtons(panel.closeButton()) : makeButtons(typed, run, edit, panel.closeButton("Cancel")),
  ];
}

/**
 * Return which rows a plan was made of.
 *
 * @param {Pick<ConfirmPanel, "target" | "filters">} state
 */
export const describeSource = ({ target, filters }) => `Made of ${target}${filters ? `, filtered by ${filters}` : ""}.`;

/** @param {number} hidden rows that the filters hide */
function makeHiddenWarning(hidden) {
  const text = `${formatCount(hidden)} of them are hidden by the filters.`;
  return hidden ? [el("div", { class: "tkf-warn" }, text)] : [];
}

/** @param {ActionPanel} panel @param {ConfirmPanel} state */
function makeRunButton(panel, state) {
  return button(
    `${capitalize(state.verb)} ${formatCount(state.number)}${state.warning && `: ${state.warning}`}`,
    () => panel.send({ do: "confirm", typed: panel.typed }),
    {
      class: `tkf-button ${state.typed ? "tkf-danger" : "tkf-main"}`,
      "data-name": "run",
      "data-first": !state.typed,
      disabled: state.number === 0 || (state.typed && !isNumberTyped(panel.typed, state.number)),
    },
  );
}

/** @param {ActionPanel} panel @param {PlanGroup} group */
function makeGroup(panel, { verdict, label, reason, rows, open }) {
  const text = `${formatCount(rows)} ${label}${reason ? `: ${reason}` : ""}`;
  return button(text, () => panel.send({ do: "list", verdict, reason }), {
    class: `tkf-button tkf-group tkf-${verdict}`,
    "aria-expanded": String(open),
    title: "Show these rows",
    "data-name": `${verdict} ${reason}`,
  });
}

/** @param {ActionPanel} panel @param {GuardTick[]} guards */
function makeGuards(panel, guards) {
  const ticks = guards.map((guard) => makeGuard(panel, guard, guards));
  return ticks.length ? [el("div", { class: "tkf-guards" }, "Held; tick to include: ", ...ticks)] : [];
}

/** @param {ActionPanel} panel @param {GuardTick} guard @param {GuardTick[]} guards */
function makeGuard(panel, guard, guards) {
  const name = `guard ${guard.name}`;
  const toggle = () => {
    const lifted = guards.filter((other) => (other === guard ? !guard.on : other.on));
    panel.ticked = name;
    panel.send({ do: "allow", guards: lifted.map((other) => other.name) });
  };
  const check = el("input", { type: "checkbox", "data-name": name, on: { change: toggle } });
  check.checked = guard.on;
  return el("label", { class: `tkf-tick tkf-guard${guard.on ? " tkf-lifted" : ""}` }, check, ` ${guard.label}`);
}
