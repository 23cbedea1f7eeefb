// The popover of a filter, one at a time: the platform's own, with its position, its focus, and when it closes.

import { debounce, el, findNamed, focusFirst, redraw } from "./dom.js";
import { makeControl } from "./filter_controls.js";

/** @import { Facet, FilterControl, FilterValue, Request } from "./messages.js" */

/**
 * @typedef {Pick<FilterControl, "name" | "label" | "text">} ControlNames
 * @typedef {Pick<ControlNames, "name" | "label"> & { kind: "columns" | "filters" }} ListControl the list of columns or of filters
 * @typedef {FilterControl | ListControl} PopoverControl
 */

const TYPED_MS = 200; // debounce of key presses
const FIND_MS = 80; // of those in the box that finds options
const GAP_PX = 4; // to the button and to the edges of view and window

/** @typedef {Pick<DOMRect, "left" | "right" | "top" | "bottom">} Edges in the window */

/**
 * Return where a popover is: below its button, or above it, within the width of the view, and if possible within the window.
 *
 * @param {Edges} opener
 * @param {Edges} view
 * @param {{ width: number, height: number }} size of the popover
 * @param {number} windowHeight
 */
export function placePopover(opener, view, { width, height }, windowHeight) {
  const left = Math.max(view.left, Math.min(opener.left, view.right - width - GAP_PX));
  const [below, above] = [opener.bottom + GAP_PX, opener.top - GAP_PX - height];
  if (below + height <= windowHeight || opener.bottom > windowHeight) return { left, top: below };
  return { left, top: above >= 0 ? above : Math.max(GAP_PX, windowHeight - height - GAP_PX) };
}

export class FilterPopover {
  /** @param {(request: Request) => void} send @param {HTMLElement} root */
  constructor(send, root) {
    this.send = send;
    this.root = root;
    /** @type {PopoverControl | null} */
    this.control = null;
    /** @type {FilterControl[]} */
    this.controls = []; // all filters
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
    this.sendFind = debounce(() => {
      if (this.control) this.send({ do: "facet", name: this.control.name, search: this.search });
    }, FIND_MS);
    // It can have the focus itself: a press on text in it must not give the focus to a notebook's cell around the view.
    const looks = { class: "tkf-popover", role: "dialog", popover: "auto", tabindex: -1 };
    this.element = el("div", { ...looks, on: this.listeners() });
    this.follow = (/** @type {Event} */ event) => this.followOpener(event.target);
    addEventListener("scroll", this.follow, true);
    addEventListener("resize", this.follow);
  }

  remove() {
    removeEventListener("scroll", this.follow, true);
    removeEventListener("resize", this.follow);
  }

  listeners() {
    return {
      keydown: (/** @type {KeyboardEvent} */ event) => {
        if (event.key !== "Escape") return;
        event.stopPropagation();
        this.close();
      },
      focusout: (/** @type {FocusEvent} */ event) => this.closeFromFocus(event.relatedTarget),
      beforetoggle: (/** @type {ToggleEvent} */ event) => event.newState === "closed" && this.forget(),
    };
  }

  // ── opening and closing ──

  /** @param {PopoverControl} control @param {HTMLElement} opener */
  toggle(control, opener) {
    const isOpen = this.opener?.dataset.name === opener.dataset.name;
    this.close();
    if (isOpen) return;
    this.opener = opener;
    opener.setAttribute("aria-expanded", "true");
    this.element.showPopover();
    this.show(control);
  }

  /** Show a control in the popover that is open. @param {PopoverControl} control */
  show(control) {
    this.control = control;
    this.search = "";
    this.facet = { name: "" };
    this.element.setAttribute("aria-label", control.label);
    if (control.kind !== "filters") this.send({ do: "facet", name: control.name });
    this.element.focus({ preventScroll: true }); // what had the focus goes
    this.draw();
    this.place();
    this.enter();
  }

  // Move the focus in as soon as there is something to focus; options arrive a moment later.
  enter() {
    /** @type {HTMLElement | null} */
    const first = this.element.querySelector(":is(input, button):not(.tkf-popover-back)");
    focusFirst(first);
    this.hasBeenEntered = Boolean(first);
  }

  close() {
    const hadFocus = this.element.contains(document.activeElement);
    const { opener } = this;
    this.element.hidePopover();
    if (hadFocus) opener?.focus({ preventScroll: true });
  }

  // However it was closed: by `close`, or by the browser after a press elsewhere.
  forget() {
    if (!this.control) return;
    this.opener?.setAttribute("aria-expanded", "false");
    this.control = this.opener = null;
    this.sendFind.cancel();
    this.send({ do: "facet", name: "" });
  }

  // Not when the focus goes to what the view is in, such as a notebook's cell: that is not elsewhere.
  /** @param {EventTarget | null} target where the focus goes */
  closeFromFocus(target) {
    const isElsewhere = target instanceof Node && !this.element.contains(target) && !target.contains(this.element);
    if (isElsewhere && target !== this.opener) this.element.hidePopover();
  }

  /** @param {EventTarget | null} target what was scrolled or resized */
  followOpener(target) {
    if (!(target instanceof Node && this.element.contains(target))) this.place();
  }

  /** Take over the button of the same name after the buttons were drawn again. @param {HTMLElement} buttons */
  adopt(buttons) {
    const same = this.opener && findNamed(buttons, this.opener.dataset.name);
    if (same) this.opener = same;
  }

  place() {
    if (!this.opener) return;
    const { offsetWidth: width, offsetHeight: height } = this.element;
    const [view, opener] = [this.root, this.opener].map((element) => element.getBoundingClientRect());
    const { left, top } = placePopover(opener, view, { width, height }, innerHeight);
    Object.assign(this.element.style, { left: `${left}px`, top: `${top}px` });
  }

  // ── messages from Python ──

  /** @param {FilterControl[]} controls */
  update(controls) {
    this.controls = controls;
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
    if (!this.hasBeenEntered && this.element.contains(document.activeElement)) this.enter();
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

  /** Make the box that finds rows of a list. @param {string} label @param {() => void} find called with each key press */
  makeFind(label, find) {
    const take = () => {
      this.search = input.value;
      find();
    };
    const looks = { class: "tkf-input", placeholder: "find", "aria-label": label, "data-name": "find" };
    const input = el("input", { type: "search", ...looks, value: this.search, on: { input: take } });
    return input;
  }

  /** Set the filter that is open. @param {FilterValue} value */
  set(value) {
    if (!this.control || !("value" in this.control)) return;
    this.control.value = value;
    this.filter(this.control.name, value);
  }
}
