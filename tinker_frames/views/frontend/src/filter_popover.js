// The popover of a filter, one at a time: its position, its focus, and when it closes.

import { debounce, el, focusFirst, redraw } from "./dom.js";
import { makeControl } from "./filter_controls.js";

/** @import { Facet, FilterControl, FilterValue, Request } from "./messages.js" */

/**
 * @typedef {Pick<FilterControl, "name" | "label" | "text">} ControlNames
 * @typedef {ControlNames & { kind: "columns" }} ColumnsControl the list in which columns are selected
 * @typedef {FilterControl | ColumnsControl} PopoverControl
 */

const TYPED_MS = 200; // debounce of key presses
const GAP_PX = 4; // to the button and to the edge of the view

export class FilterPopover {
  /** @param {(request: Request) => void} send @param {HTMLElement} root */
  constructor(send, root) {
    this.send = send;
    this.root = root;
    /** @type {PopoverControl | null} */
    this.control = null;
    /** @type {HTMLElement | null} */
    this.opener = null;
    /** @type {Facet} */
    this.facet = { name: "" };
    this.search = ""; // the search text for options
    /** @type {string[]} */
    this.shownColumns = [];
    this.hasBeenEntered = false;
    this.sendTyped = debounce(
      (/** @type {string} */ name, /** @type {FilterValue} */ value) => this.filter(name, value),
      TYPED_MS,
    );
    this.element = el("div", { class: "tkf-popover", role: "dialog", hidden: true, on: this.listeners() });
    this.handlePointerDown = (/** @type {PointerEvent} */ event) => this.closeFromOutside(event.composedPath());
    document.addEventListener("pointerdown", this.handlePointerDown, true);
  }

  remove() {
    document.removeEventListener("pointerdown", this.handlePointerDown, true);
  }

  listeners() {
    return {
      keydown: (/** @type {KeyboardEvent} */ event) => {
        if (event.key !== "Escape") return;
        event.stopPropagation();
        this.close();
      },
      focusout: (/** @type {FocusEvent} */ event) => this.closeFromFocus(event.relatedTarget),
    };
  }

  // ── opening and closing ──

  /** @param {PopoverControl} control @param {HTMLElement} opener */
  toggle(control, opener) {
    const isOpen = this.control?.name === control.name;
    this.close();
    if (isOpen) return;
    this.control = control;
    this.opener = opener;
    this.search = "";
    this.facet = { name: "" };
    opener.setAttribute("aria-expanded", "true");
    this.element.setAttribute("aria-label", control.label);
    this.element.hidden = false;
    this.send({ do: "facet", name: control.name });
    this.draw();
    this.place();
    this.enter();
  }

  // Move the focus in as soon as there is something to focus; options arrive a moment later.
  enter() {
    /** @type {HTMLElement | null} */
    const first = this.element.querySelector("input, button");
    focusFirst(first);
    this.hasBeenEntered = Boolean(first);
  }

  /** @param {boolean} [isRefocused] whether the focus goes back to the button */
  close(isRefocused = true) {
    if (!this.control || !this.opener) return;
    this.opener.setAttribute("aria-expanded", "false");
    if (isRefocused && this.element.contains(document.activeElement)) this.opener.focus({ preventScroll: true });
    this.element.hidden = true;
    this.control = this.opener = null;
    this.send({ do: "facet", name: "" });
  }

  /** @param {EventTarget[]} path of what was pressed */
  closeFromOutside(path) {
    if (this.opener && !path.includes(this.element) && !path.includes(this.opener)) this.close(false);
  }

  /** @param {EventTarget | null} target where the focus goes */
  closeFromFocus(target) {
    if (target instanceof Node && !this.element.contains(target) && target !== this.opener) this.close(false);
  }

  /** Take over the button of the same name after the buttons were drawn again. @param {HTMLElement} buttons */
  adopt(buttons) {
    const children = /** @type {HTMLElement[]} */ ([...buttons.children]);
    const same = this.control && children.find((child) => child.dataset.name === this.control?.name);
    if (same) this.opener = same;
  }

  place() {
    if (!this.opener) return;
    const view = this.root.getBoundingClientRect();
    const opener = this.opener.getBoundingClientRect();
    const left = Math.min(opener.left - view.left, view.width - this.element.offsetWidth - GAP_PX);
    const top = opener.bottom - view.top + GAP_PX;
    Object.assign(this.element.style, { left: `${Math.max(0, left)}px`, top: `${top}px` });
  }

  // ── messages from Python ──

  /** @param {FilterControl[]} controls */
  update(controls) {
    if (!this.control) return;
    const now = controls.find((control) => control.name === this.control?.name);
    if (now) this.control = { ...now };
    if (!this.element.contains(document.activeElement) || this.control.kind === "options") this.draw();
  }

  /** @param {Facet} facet */
  updateFacet(facet) {
    this.facet = facet;
    if (!this.control) return;
    this.draw();
    this.place(); // it may have become too wide for its position
    if (!this.hasBeenEntered && document.activeElement === this.opener) this.enter();
  }

  /** @param {string[]} names */
  updateColumns(names) {
    this.shownColumns = names;
    if (this.control?.kind === "columns") this.draw();
  }

  // ── used by its controls ──

  draw() {
    const { control } = this;
    if (control) redraw(this.element, () => this.element.replaceChildren(...makeControl(this, control)));
  }

  /** @param {string} name @param {FilterValue} value */
  filter(name, value) {
    this.send({ do: "filter", name, value });
  }

  /** Set the filter that is open. @param {FilterValue} value */
  set(value) {
    if (!this.control || this.control.kind === "columns") return;
    this.control.value = value;
    this.filter(this.control.name, value);
  }
}
