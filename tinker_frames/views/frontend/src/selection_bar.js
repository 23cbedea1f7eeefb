// The number of selected rows, and the actions on them; without a selection, no action is offered.

import { button, el, redraw } from "./dom.js";
import { formatCount, formatRows } from "./text.js";
import { makeToolbar, setStop } from "./toolbar.js";

/** @import { ActionButton, Head, Request, Selection } from "./messages.js" */

const HELD = "These are the last rows that matched; no action until the filter is corrected.";

/**
 * Return the text about a selection.
 *
 * @param {Selection} selection
 */
export function describeSelection({ rows, hidden, size }) {
  if (!rows) return "none selected";
  const parts = [`${formatCount(rows)} selected`, size, hidden ? `${formatCount(hidden)} not in this view` : ""];
  return parts.filter(Boolean).join(", ");
}

export class SelectionBar {
  /** @param {(request: Request) => void} send @param {() => number} orderNumber of the rows that are shown */
  constructor(send, orderNumber) {
    this.send = send;
    this.orderNumber = orderNumber;
    /** @type {Head | null} */
    this.head = null;
    /** @type {Selection | null} */
    this.selection = null;
    this.isInvalid = false; // whether a filter has an error, so that the rows do not match the filters
    this.count = el("span", { class: "tkf-selected-count", role: "status" });
    this.selecting = makeToolbar({ class: "tkf-selecting", "aria-label": "selection" });
    this.actions = makeToolbar({ class: "tkf-action-buttons", "aria-label": "actions" });
    const count = el("div", { class: "tkf-selection" }, this.count, this.selecting);
    // In the room of the actions, which stays: rows must not move under the pointer that selects one.
    this.hint = el("div", { class: "tkf-action-hint tkf-muted" });
    this.acting = el("div", { class: "tkf-acting" }, this.actions, this.hint);
    this.element = el("div", { class: "tkf-line tkf-actions" }, count, this.acting);
  }

  /** @param {Head} head */
  updateHead(head) {
    this.head = head;
    this.draw();
  }

  /** @param {Selection} selection */
  updateSelection(selection) {
    this.selection = selection;
    this.draw();
  }

  /** @param {boolean} isInvalid */
  updateFilters(isInvalid) {
    this.isInvalid = isInvalid;
    this.draw();
  }

  draw() {
    const { head, selection } = this;
    if (!head || !selection) return;
    this.count.replaceChildren(this.makeCount(selection));
    redraw(this.selecting, () => this.selecting.replaceChildren(...this.makeSelecting(selection, head.count.rows)));
    const buttons = () => head.actions.map((action) => this.makeAction(action, selection.rows, head.noun));
    redraw(this.actions, () => this.actions.replaceChildren(...buttons()));
    setStop(this.selecting);
    setStop(this.actions);
    this.hint.textContent = this.isInvalid ? HELD : "Select rows to act on them.";
    this.acting.classList.toggle("tkf-withheld", !selection.rows || this.isInvalid);
  }

  /** @param {Selection} selection */
  makeCount(selection) {
    return el("span", { class: selection.hidden ? "tkf-hidden-count" : "" }, describeSelection(selection));
  }

  /** @param {Selection} selection @param {number} matching */
  makeSelecting(selection, matching) {
    const all = () => this.send({ do: "select", how: "all", number: this.orderNumber() });
    const none = () => this.send({ do: "select", how: "none" });
    return [
      selection.all || !matching || this.isInvalid
        ? ""
        : button(`Select all ${formatCount(matching)} matching`, all, { "data-name": "all" }),
      ...(selection.rows ? [button("Clear", none, { "data-name": "none" }), ...this.makeCopies()] : []),
    ];
  }

  makeCopies() {
    const copy = (/** @type {"rows" | "keys"} */ what) => () => this.send({ do: "copy", what, place: -1 });
    const keys = this.head?.noun === "checkpoint" ? "paths" : "ids";
    return [
      button("Copy rows", copy("rows"), { "data-name": "copy rows", title: "As a table, for a spreadsheet (Ctrl+C)" }),
      button(`Copy ${keys}`, copy("keys"), { "data-name": "copy keys", title: "One a line" }),
    ];
  }

  /** @param {ActionButton} action @param {number} rows @param {string} noun of one row */
  makeAction({ name, label, doc, tone }, rows, noun) {
    return button(label, () => this.send({ do: "begin", action: name }), {
      class: `tkf-button tkf-action${tone ? ` tkf-${tone}` : ""}`,
      title: `${doc} (${formatRows(rows, noun)})`,
      "data-name": name,
    });
  }
}
