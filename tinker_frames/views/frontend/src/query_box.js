// The box for a pandas query: its error below it, and completion of column names.

import { debounce, el } from "./dom.js";
import { completeWord, findWord, suggestColumns } from "./query_completion.js";
import { capitalize } from "./text.js";

/** @import { ColumnName, FilterControl, Request } from "./messages.js" */

const QUERY_MS = 250; // debounce of key presses
const HINT = "pandas query, e.g. size_gb > 1 and not public";

export class QueryBox {
  /** @param {(request: Request) => void} send @param {string} id a prefix for ids */
  constructor(send, id) {
    this.send = send;
    this.id = id;
    /** @type {ColumnName[]} */
    this.columns = [];
    /** @type {ColumnName[]} */
    this.offered = [];
    this.active = 0; // the place of the marked one of those that are offered
    this.start = 0; // of the word that is completed
    this.sendTyped = debounce(() => send({ do: "filter", name: "query", value: this.input.value }), QUERY_MS);
    this.input = this.makeInput();
    this.list = el("div", { class: "tkf-completion", role: "listbox", id: `${id}-completion`, hidden: true });
    this.error = el("div", { class: "tkf-error tkf-query-error", role: "alert", id: `${id}-error` });
    this.element = el("div", { class: "tkf-query", hidden: true }, this.input, this.list, this.error);
  }

  makeInput() {
    const on = {
      input: () => {
        this.sendTyped();
        this.offer();
      },
      keydown: (/** @type {KeyboardEvent} */ event) => this.handleKey(event),
      focus: () => this.send({ do: "names" }),
      blur: () => this.close(),
    };
    return el("input", {
      type: "text",
      class: "tkf-input tkf-code",
      placeholder: HINT,
      spellcheck: "false",
      autocomplete: "off",
      role: "combobox",
      "aria-label": HINT,
      "aria-describedby": `${this.id}-error`,
      "aria-controls": `${this.id}-completion`,
      "aria-expanded": "false",
      "aria-autocomplete": "list",
      "data-name": "query",
      on,
    });
  }

  /** @param {FilterControl | undefined} control */
  update(control) {
    showTyped(this.input, control);
    this.error.textContent = capitalize(control?.error ?? "");
  }

  // ── completion ──

  /** @param {ColumnName[]} columns */
  setColumns(columns) {
    this.columns = columns;
    if (document.activeElement === this.input && this.input.value) this.offer();
  }

  offer() {
    const caret = this.input.selectionStart ?? 0;
    const found = findWord(this.input.value, caret);
    this.offered = found ? suggestColumns(this.columns, found.word) : [];
    this.start = found?.start ?? 0;
    this.active = 0;
    this.drawList();
  }

  close() {
    this.offered = [];
    this.drawList();
  }

  drawList() {
    this.list.replaceChildren(...this.offered.map((column, at) => this.makeOption(column, at)));
    this.list.hidden = !this.offered.length;
    this.input.setAttribute("aria-expanded", String(this.offered.length > 0));
    this.input.setAttribute("aria-activedescendant", this.offered.length ? this.optionId(this.active) : "");
    this.list.children[this.active]?.scrollIntoView({ block: "nearest" });
  }

  /** @param {number} at */
  optionId(at) {
    return `${this.id}-completion-${at}`;
  }

  /** @param {ColumnName} column @param {number} at */
  makeOption({ name, doc }, at) {
    const take = (/** @type {Event} */ event) => {
      event.preventDefault(); // the box keeps the focus
      this.complete(at);
    };
    return el(
      "div",
      {
        class: "tkf-completed",
        role: "option",
        id: this.optionId(at),
        "aria-selected": String(at === this.active),
        on: { pointerdown: take },
      },
      el("span", { class: "tkf-code" }, name),
      el("span", { class: "tkf-muted" }, doc),
    );
  }

  /** @param {number} at */
  complete(at) {
    const caret = this.input.selectionStart ?? 0;
    const done = completeWord(this.input.value, this.start, caret, this.offered[at].name);
    this.input.value = done.text;
    this.input.setSelectionRange(done.caret, done.caret);
    this.close();
    this.sendTyped();
  }

  /** @param {KeyboardEvent} event */
  handleKey(event) {
    const { length } = this.offered;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!length) return;
    if (step) {
      this.active = (this.active + step + length) % length;
      this.drawList();
    } else if (event.key === "Enter" || (event.key === "Tab" && !event.shiftKey)) this.complete(this.active);
    else if (event.key === "Escape") this.close();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }
}

// Do not overwrite text being typed with an older value from Python.
/** @param {HTMLInputElement} input @param {FilterControl | undefined} control */
export function showTyped(input, control) {
  input.hidden = !control;
  if (control && document.activeElement !== input) input.value = String(control.value ?? "");
  input.setAttribute("aria-invalid", String(Boolean(control?.error)));
}
