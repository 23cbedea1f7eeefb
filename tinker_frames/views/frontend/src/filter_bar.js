// The filters on one line: a search box, "+ Filter", a chip for each filter that is set, and a switch for the query box.

import { button, debounce, el, findNamed, redraw } from "./dom.js";
import { FilterPopover } from "./filter_popover.js";
import { QueryBox, showTyped } from "./query_box.js";
import { makeToolbar, setStop } from "./toolbar.js";

/** @import { FilterBar as FilterBarState, FilterControl, Request } from "./messages.js" */
/** @import { PopoverControl } from "./filter_popover.js" */

const SEARCH_MS = 25; // debounce of key presses
const SEARCH = "Search names, paths, metadata";
/** @type {PopoverControl} */
const ADD = { name: "add", label: "Filter by", kind: "filters" };

export class FilterBar {
  /** @param {(request: Request) => void} send @param {HTMLElement} root */
  constructor(send, root) {
    this.send = send;
    this.popover = new FilterPopover(send, root);
    this.query = new QueryBox(send, root.dataset.tkf ?? "");
    this.isQueryOpen = false;
    /** @type {FilterControl[]} */
    this.controls = [];
    this.sendSearch = debounce(() => this.filter("text", this.search.value), SEARCH_MS);
    this.search = el("input", {
      type: "search",
      class: "tkf-input tkf-search",
      placeholder: SEARCH,
      "aria-label": SEARCH,
      "data-name": "text",
      on: { input: () => this.sendSearch() },
    });
    this.filters = makeToolbar({ class: "tkf-filters", "aria-label": "filters" });
    const line = el("div", { class: "tkf-filter-line" }, this.search, this.filters);
    this.element = el("div", { class: "tkf-bar" }, line, this.query.element);
  }

  remove() {
    this.cancelTyped();
    this.popover.remove();
  }

  /** @param {string} name @param {string | null} value */
  filter(name, value) {
    this.send({ do: "filter", name, value });
  }

  /** @param {FilterBarState} bar */
  update({ controls }) {
    const query = controls.find((control) => control.name === "query");
    const before = this.controls.find((control) => control.name === "query");
    this.controls = controls;
    if (query?.error || (query?.value && !before?.value)) this.isQueryOpen = true;
    showTyped(
      this.search,
      controls.find((control) => control.name === "text"),
    );
    this.query.update(query);
    this.draw();
    this.popover.update(controls);
    this.popover.adopt(this.filters);
  }

  draw() {
    const set = this.controls.filter(({ name, text, error }) => (text || error) && this.hasChip(name));
    const isAny = this.controls.some((control) => control.value);
    const items = () => [
      this.makeOpener(ADD, "+ Filter"),
      ...set.map((control) => this.makeChip(control)),
      isAny && button("Reset", () => this.reset(), { "data-name": "reset", class: "tkf-link tkf-reset" }),
      el("span", { class: "tkf-spring" }),
      this.makeQuerySwitch(),
    ];
    redraw(this.filters, () => this.filters.replaceChildren(...items().filter((item) => item !== false)));
    setStop(this.filters);
    this.query.element.hidden = !this.isQueryOpen;
  }

  // The boxes show what is typed in them.
  /** @param {string} name */
  hasChip(name) {
    return name !== "text" && !(name === "query" && this.isQueryOpen);
  }

  makeQuerySwitch() {
    return button("Query", () => this.toggleQuery(), {
      "data-name": "query-switch",
      "aria-pressed": String(this.isQueryOpen),
      title: "filter by a pandas query",
    });
  }

  toggleQuery() {
    this.isQueryOpen = !this.isQueryOpen;
    this.draw();
    if (this.isQueryOpen) this.query.input.focus();
  }

  /** Make the button that opens a popover. @param {PopoverControl} control @param {string} text @param {string} [look] */
  makeOpener(control, text, look = "tkf-button") {
    const toggle = (/** @type {Event} */ event) => {
      event.preventDefault(); // the browser would only show or hide it
      this.popover.toggle(control, opener);
    };
    const opener = button(text, toggle, {
      class: look,
      "aria-haspopup": "dialog",
      "aria-expanded": String(this.popover.opener?.dataset.name === control.name),
      "data-name": control.name,
    });
    opener.popoverTargetElement = this.popover.element; // a press on it is not one elsewhere
    return opener;
  }

  /** @param {FilterControl} control */
  makeChip(control) {
    const { name, label, text, error } = control;
    const open = () => (name === "query" ? this.toggleQuery() : undefined);
    const words = `${label}: ${error || text}`;
    const edit =
      name === "query"
        ? button(words, open, { class: "tkf-chip-text", "data-name": "query-chip" })
        : this.makeOpener(control, words, "tkf-chip-text");
    edit.title = words;
    const remove = () => {
      findNamed(this.filters, ADD.name)?.focus(); // the chip goes
      this.filter(name, null);
    };
    const off = button("×", remove, {
      class: "tkf-link tkf-chip-off",
      "aria-label": `remove the filter ${label}`,
      "data-name": `off ${name}`,
    });
    const look = { class: `tkf-chip${error ? " tkf-error" : ""}`, role: error ? "alert" : null };
    return el("span", look, edit, off);
  }

  reset() {
    findNamed(this.filters, ADD.name)?.focus();
    this.cancelTyped(); // do not send the last typed text afterwards
    this.search.value = this.query.input.value = "";
    this.send({ do: "reset" });
  }

  cancelTyped() {
    this.sendSearch.cancel();
    this.query.sendTyped.cancel();
  }
}
