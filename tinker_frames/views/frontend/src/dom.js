// Elements, focus and the clipboard. Text is always set as text, never as HTML.

const SVG = "http://www.w3.org/2000/svg";

/**
 * @typedef {Node | string | null | undefined | false} Child
 * @typedef {(event: any) => void} Listener
 * @typedef {string | number | boolean | null | undefined | Record<string, unknown>} Prop
 * @typedef {Record<string, Prop>} Props attributes; `on` has listeners, `style` has styles, `value` is set as a property
 */

/**
 * Make an element; children and attributes that are null, undefined or false are left out.
 *
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Props} [props]
 * @param {Child[]} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function el(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) setProp(element, name, value);
  for (const child of children) if (child || child === "") element.append(child);
  return element;
}

/** @param {HTMLElement} element @param {string} name @param {Prop} value */
function setProp(element, name, value) {
  if (value === null || value === undefined || value === false) return;
  if (name === "on") {
    for (const [type, listener] of Object.entries(value)) element.addEventListener(type, listener);
  } else if (name === "style") Object.assign(element.style, value);
  else if (name === "value") Object.assign(element, { value });
  else element.setAttribute(name, value === true ? "" : String(value));
}

/**
 * Make an element of an SVG.
 *
 * @template {keyof SVGElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Record<string, string | number>} [props]
 * @param {(Node | string)[]} children
 */
export function svg(tag, props = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(props)) element.setAttribute(name, String(value));
  element.append(...children);
  return element;
}

/** @param {string} text @param {Listener} click @param {Props} [props] */
export function button(text, click, props = {}) {
  return el("button", { type: "button", class: "tkf-button", ...props, on: { click } }, text);
}

/**
 * Return a debounced version of a function.
 *
 * @template {unknown[]} Arguments
 * @param {(...given: Arguments) => void} work
 * @param {number} milliseconds
 */
export function debounce(work, milliseconds) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  const call = (/** @type {Arguments} */ ...given) => {
    clearTimeout(timer);
    timer = setTimeout(() => work(...given), milliseconds);
  };
  return Object.assign(call, { cancel: () => clearTimeout(timer) });
}

/** Return the width of a text in pixels, also where a part of it is hidden. @param {Element} element */
export function measureText(element) {
  const parts = [...element.querySelectorAll(".tkf-part")];
  if (parts.length) return parts.reduce((sum, part) => sum + part.scrollWidth, 0);
  const range = document.createRange();
  range.selectNodeContents(element);
  return Math.ceil(range.getBoundingClientRect().width);
}

export const uniqueId = () => `tkf-${Math.random().toString(36).slice(2, 10)}`;

/** @param {string} text */
export async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    copyBySelection(text);
  }
}

// For pages without a secure context, or frames without permission for the clipboard.
/** @param {string} text */
function copyBySelection(text) {
  const area = el("textarea", { style: { position: "fixed", opacity: 0 }, value: text });
  document.body.append(area);
  area.select();
  document.execCommand("copy");
  area.remove();
}

/**
 * @param {Element} root
 * @returns {HTMLElement[]}
 */
const focusables = (root) =>
  [...root.querySelectorAll("button:enabled, input:enabled, select:enabled, [tabindex='0']")].map(asElement);

/** @param {Element} element */
const asElement = (element) => /** @type {HTMLElement} */ (element);

/** @param {ParentNode} root @param {string | undefined} name */
export function findNamed(root, name) {
  return [...root.querySelectorAll("[data-name]")].map(asElement).find((element) => element.dataset.name === name);
}

/**
 * Redraw a part and keep the focus: on the element with the same meaning, else on the one in its place, else on the rows, so
 * that the notebook's shortcuts never apply.
 *
 * @param {HTMLElement} root
 * @param {() => void} draw
 */
export function redraw(root, draw) {
  const focused = root.contains(document.activeElement)
    ? asElement(/** @type {Element} */ (document.activeElement))
    : null;
  const place = focused ? focusables(root).indexOf(focused) : -1;
  const caret = focused instanceof HTMLInputElement ? [focused.selectionStart, focused.selectionEnd] : [null, null];
  draw();
  if (!focused || root.contains(document.activeElement)) return;
  const all = focusables(root);
  const same = focused.dataset.name && all.find((element) => element.dataset.name === focused.dataset.name);
  if (same instanceof HTMLInputElement && caret[0] !== null) same.setSelectionRange(caret[0], caret[1]);
  focusFirst(same, all[Math.min(place, all.length - 1)], gridOf(root));
}

/**
 * Return the rows of the view that an element is in.
 *
 * @param {Element} element
 * @returns {HTMLElement | null | undefined}
 */
export const gridOf = (element) => element.closest(".tkf")?.querySelector(".tkf-grid");

/** @param {(HTMLElement | null | undefined | "")[]} elements */
export function focusFirst(...elements) {
  for (const element of elements) {
    if (!element) continue;
    element.focus({ preventScroll: true });
    if (document.activeElement === element) return;
  }
}
