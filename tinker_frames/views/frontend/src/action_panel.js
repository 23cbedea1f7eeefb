// The panel below the actions: a form, its plan, the progress, and the outcome of each row.

import { makeForm } from "./action_forms.js";
import { button, debounce, el, findNamed, focusFirst, gridOf, redraw } from "./dom.js";
import { makeButtons, makeTitle } from "./panel_parts.js";
import { makeConfirmation } from "./plan_confirmation.js";
import { makeOutcome } from "./plan_outcome.js";
import { ProgressBar } from "./progress_bar.js";
import { capitalize } from "./text.js";

/** @import { Values } from "./action_forms.js" */
/** @import { PanelState, Request, WorkPanel } from "./messages.js" */

const ESTIMATE_MS = 250; // after the last change of a field

export class ActionPanel {
  /** @param {(request: Request) => void} send @param {HTMLElement} actions the buttons that begin an action */
  constructor(send, actions) {
    this.send = send;
    this.actions = actions;
    /** @type {PanelState["stage"]} */
    this.stage = "";
    /** @type {string | undefined} */
    this.action = undefined;
    /** @type {string | undefined} */
    this.begun = undefined; // the action whose button gets the focus back
    this.error = "";
    this.typed = ""; // the typed number of rows
    /** @type {Record<string, string | boolean>} */
    this.values = {}; // what was typed into the form, by field; kept until another action begins
    // One for all drawings of a form: a late one, of fields that were drawn again since, would clear the error of their values.
    this.estimate = debounce((/** @type {() => Values} */ read) => {
      if (this.stage === "ask") this.send({ do: "estimate", given: read() });
    }, ESTIMATE_MS);
    this.ticked = ""; // the last clicked guard, which gets the focus back
    /** @type {ProgressBar | null} */
    this.progress = null;
    this.element = el("section", {
      class: "tkf-action-panel",
      role: "region",
      "aria-label": "action",
      hidden: true,
      on: { keydown: (/** @type {KeyboardEvent} */ event) => this.closeByKey(event) },
    });
  }

  /** @param {PanelState} state */
  update(state) {
    const action = state.stage ? state.action : undefined;
    const isNew = state.stage !== this.stage || action !== this.action;
    if (isNew) this.typed = "";
    if (["", "outcome"].includes(state.stage) || action !== this.action) this.values = {};
    this.stage = state.stage;
    this.action = action;
    this.element.hidden = !state.stage && !state.note && !state.error;
    this.element.classList.toggle("tkf-outdated", state.stage === "confirm" && Boolean(state.obstacle));
    const isErrorNew = state.error !== this.error;
    this.error = state.error;
    if (state.stage === "work" && !isNew && !isErrorNew && this.progress) return this.progress.update(state);
    const isFocusOurs = this.hasFocus();
    redraw(this.element, () => this.element.replaceChildren(...this.makeParts(state)));
    if (isNew && isFocusOurs) this.moveFocus(state);
  }

  // The note at the top, an error beside the buttons, which are last.
  /** @param {PanelState} state */
  makeParts(state) {
    const parts = this.makeStage(state);
    const note = state.note ? [el("div", { class: "tkf-note", role: "status" }, state.note)] : [];
    const error = state.error ? [el("div", { class: "tkf-error", role: "alert" }, capitalize(state.error))] : [];
    return [...note, ...parts.slice(0, -1), ...error, ...parts.slice(-1)];
  }

  /** @param {PanelState} state */
  makeStage(state) {
    if (state.stage !== "work") this.progress = null;
    switch (state.stage) {
      case "":
        return [makeButtons(this.closeButton())];
      case "ask":
        return makeForm(this, state);
      case "work":
        return this.makeWork(state);
      case "confirm":
        return makeConfirmation(this, state);
      case "outcome":
        return makeOutcome(this, state);
    }
  }

  /** @param {WorkPanel} state */
  makeWork(state) {
    const cancel = button("Cancel", () => this.send({ do: "cancel" }), { "data-name": "cancel", "data-first": true });
    this.progress = new ProgressBar(state, cancel);
    return [makeTitle(`${capitalize(state.what)} …`), ...this.progress.elements, makeButtons(cancel)];
  }

  closeButton(text = "Close") {
    return button(text, () => this.send({ do: "close" }), { "data-name": "close" });
  }

  // ── focus ──

  // Do not move the focus of a user who is typing elsewhere.
  hasFocus() {
    const active = document.activeElement;
    return active === document.body || this.element.contains(active) || this.actions.contains(active);
  }

  /** @param {PanelState} state */
  moveFocus(state) {
    if (!state.stage) return focusFirst(findNamed(this.actions, this.begun), gridOf(this.element));
    const back = state.stage === "confirm" && this.ticked ? findNamed(this.element, this.ticked) : null;
    /** @type {HTMLElement | null} */
    const first = this.element.querySelector("[data-first]:enabled");
    focusFirst(back, first, findNamed(this.element, "close"));
    this.begun = state.action;
    if (state.stage !== "work") this.ticked = "";
  }

  /** @param {KeyboardEvent} event */
  closeByKey(event) {
    if (event.key !== "Escape" || this.stage === "work") return;
    event.stopPropagation();
    this.send({ do: "close" });
  }
}
