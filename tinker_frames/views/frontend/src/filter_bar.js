// The filters: a search box, a button for each control, chips of active filters, and a box for a pandas query.

import { button, debounce, el, redraw } from "./dom.js";
import { FilterPopover } from "./filter_popover.js";
import { capitalize } from "./text.js";

/** @import { FilterBar as FilterBarState, FilterControl, Request } from "./messages.js" */
/** @import { PopoverControl } from "./filter_popover.js" */

const SEARCH_MS = 25; // debounce of key presses
const QUERY_MS = 250;
const TYPED = ["text", "query"]; // the controls with their own text boxes

export class FilterBar {
  /** @param {(request: Request) => void} send @param {HTMLElement} root */
  constructor(send, root) {
    this.send = send;
    this.popover = new FilterPopover(send, root);
    this.sendTyped = {
      text: debounce((/** @type {string} */ value) => this.filter("text", value), SEARCH_MS),
      query: debounce((/** @type {string} */ value) => this.filter("query", value), QUERY_MS),
    };
    this.search = this.makeInput("text", "search", "Search names, paths, metadata");
    this.query = this.makeInput("query", "text", "pandas query, e.g. size_gb > 1 and not public");
    this.query.classList.add("tkf-code");
    this.query.setAttribute("spellcheck", "false");
    this.error = el("div", { class: "tkf-error tkf-query-error", role: "alert", id: `${root.dataset.tkf}-error` });
    this.query.setAttribute("aria-describedby", this.error.id);
    this.buttons = el("div", { class: "tkf-buttons", role: "toolbar", "aria-label": "filters" });
    this.chips = el("div", { class: "tkf-chips" });
    const query = el("div", { class: "tkf-query tkf-wide" }, this.query, this.error);
    const typed = el("div", { class: "tkf-line tkf-typed" }, this.search, query);
    this.element = el("div", { class: "tkf-bar" }, typed, this.buttons, this.chips);
  }

  remove() {
    this.cancelTyped();
    this.popover.remove();
  }

  /** @param {"text" | "query"} name @param {string} type @param {string} text */
  makeInput(name, type, text) {
    const input = el("input", {
      type,
      class: "tkf-input tkf-wide",
      placeholder: text,
      "aria-label": text,
      "data-name": name,
      on: { input: () => this.sendTyped[name](input.value) },
    });
    return input;
  }

  /** @param {string} name @param {string | null} value */
  filter(name, value) {
    this.send({ do: "filter", name, value });
  }

  /** @param {FilterBarState} bar */
  update({ controls }) {
    const typed = new Map(controls.map((control) => [control.name, control]));
    showTyped(this.search, typed.get("text"));
    showTyped(this.query, typed.get("query"));
    const others = controls.filter((control) => !TYPED.includes(control.name));
    redraw(this.buttons, () => this.buttons.replaceChildren(...others.map((control) => this.makeOpener(control))));
    this.drawChips(
      others.filter((control) => control.text || control.error),
      controls.some((control) => control.value),
    );
    this.error.textContent = capitalize(typed.get("query")?.error ?? "");
    this.popover.update(controls);
    this.popover.adopt(this.buttons);
  }

  /** @param {FilterControl[]} set @param {boolean} hasValue */
  drawChips(set, hasValue) {
    const isAny = set.length > 0 || hasValue;
    const reset = () => button("Reset", () => this.reset(), { "data-name": "reset", class: "tkf-button tkf-reset" });
    this.chips.hidden = !isAny;
    redraw(this.chips, () =>
      this.chips.replaceChildren(...set.map((control) => this.makeChip(control)), ...(isAny ? [reset()] : [])),
    );
  }

  /** Make the button that opens a control's popover. @param {PopoverControl} control @param {string} [look] */
  makeOpener(control, look = "tkf-button tkf-opener") {
    const isOpen = this.popover.control?.name === control.name;
    const toggle = (/** @type {Event} */ event) => {
      event.preventDefault(); // the browser would only show or hide it
      this.popover.toggle(control, opener);
    };
    const opener = button(`${control.label} ▾`, toggle, {
      class: `${look}${control.text ? " tkf-set" : ""}`,
      "aria-haspopup": "dialog",
      "aria-expanded": String(isOpen),
      "data-name": control.name,
    });
    opener.popoverTargetElement = this.popover.element; // a press on it is not one elsewhere
    return opener;
  }

  /** @param {FilterControl} control */
  makeChip({ name, label, text, error }) {
    const off = button("×", () => this.filter(name, null), {
      class: "tkf-link",
      "aria-label": `remove the filter ${label}`,
      "data-name": `off ${name}`,
    });
    const chip = `${label}: ${error || text}`;
    const look = { class: `tkf-chip${error ? " tkf-error" : ""}`, title: chip, role: error ? "alert" : null };
    return el("span", look, el("span", { class: "tkf-chip-text" }, chip), off);
  }

  reset() {
    this.cancelTyped(); // do not send the last typed text afterwards
    this.search.value = this.query.value = "";
    this.send({ do: "reset" });
  }

  cancelTyped() {
    for (const typed of Object.values(this.sendTyped)) typed.cancel();
  }
}

// Do not overwrite text being typed with an older value from Python.
/** @param {HTMLInputElement} input @param {FilterControl | undefined} control */
function showTyped(input, control) {
  input.hidden = !control;
  if (control && document.activeElement !== input) input.value = String(control.value ?? "");
  input.setAttribute("aria-invalid", String(Boolean(control?.error)));
}
