// Toolbars: one Tab stop each, in which the arrow keys move.

import { el } from "./dom.js";

/** @import { Child, Props } from "./dom.js" */

const ITEMS = "button, input";

/**
 * Return where a key moves the focus in a toolbar; null for another key.
 *
 * @param {string} key
 * @param {number} at
 * @param {number} items
 */
export function moveInToolbar(key, at, items) {
  switch (key) {
    case "ArrowRight":
      return (at + 1) % items;
    case "ArrowLeft":
      return (at + items - 1) % items;
    case "Home":
      return 0;
    case "End":
      return items - 1;
  }
  return null;
}

/** Make a toolbar; it has to be passed to `setStop` after its items were drawn. @param {Props} props @param {Child[]} children */
export function makeToolbar(props, ...children) {
  const bar = el("div", { role: "toolbar", ...props, on: { keydown: moveFocus, focusin: followFocus } }, ...children);
  setStop(bar);
  return bar;
}

/** Let Tab stop at one item: the one that had the focus last, else the first. @param {HTMLElement} bar */
export function setStop(bar) {
  const items = itemsOf(bar);
  const stop = items.find((item) => item.dataset.name === bar.dataset.stop) ?? items[0];
  for (const item of items) item.tabIndex = item === stop ? 0 : -1;
}

/** @param {KeyboardEvent} event */
function moveFocus(event) {
  const items = itemsOf(/** @type {HTMLElement} */ (event.currentTarget));
  const at = items.indexOf(/** @type {HTMLElement} */ (event.target));
  const to = at < 0 ? null : moveInToolbar(event.key, at, items.length);
  if (to === null) return;
  event.preventDefault();
  items[to].focus();
}

/** @param {FocusEvent} event */
function followFocus(event) {
  const bar = /** @type {HTMLElement} */ (event.currentTarget);
  const { name } = /** @type {HTMLElement} */ (event.target).dataset;
  if (name) bar.dataset.stop = name;
  setStop(bar);
}

/** @param {HTMLElement} bar @returns {HTMLElement[]} */
const itemsOf = (bar) =>
  [.../** @type {NodeListOf<HTMLElement>} */ (bar.querySelectorAll(ITEMS))].filter(
    (item) => !(/** @type {HTMLButtonElement} */ (item).disabled) && !item.hidden,
  );
