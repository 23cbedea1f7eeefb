// Elements, and small things that every part of the view needs. Text is set as text, never as HTML.

function el(tag, props = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "on") for (const [type, listener] of Object.entries(value)) made.addEventListener(type, listener);
    else if (name === "style") Object.assign(made.style, value);
    else if (name === "value") made.value = value;
    else made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return made;
}

function button(text, click, props = {}) {
  return el("button", { type: "button", class: "tkf-button", ...props, on: { click } }, text);
}

function later(work, milliseconds) {
  let timer = 0;
  const begin = (...given) => {
    clearTimeout(timer);
    timer = setTimeout(() => work(...given), milliseconds);
  };
  begin.stop = () => clearTimeout(timer);
  return begin;
}

function textWidth(element) {
  const range = document.createRange();
  range.selectNodeContents(element);
  return Math.ceil(range.getBoundingClientRect().width);
}

const unique = () => `tkf-${Math.random().toString(36).slice(2, 10)}`;
const counted = (number) => Number(number).toLocaleString("en-US");
const many = (number, one) => `${counted(number)} ${one}${number === 1 ? "" : "s"}`;

function sinceText(iso) {
  const seconds = Math.max(0, (Date.now() - Date.parse(iso)) / 1000);
  if (!Number.isFinite(seconds)) return "";
  if (seconds < 90) return `read ${Math.round(seconds)} s ago`;
  if (seconds < 5400) return `read ${Math.round(seconds / 60)} min ago`;
  return seconds < 129600 ? `read ${Math.round(seconds / 3600)} h ago` : `read ${Math.round(seconds / 86400)} d ago`;
}

async function copied(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Not a secure page, or a frame without the right to it: the old way, by a selection.
    const area = el("textarea", { style: { position: "fixed", opacity: 0 }, value: text });
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
}

const focusables = (root) => [...root.querySelectorAll("button:enabled, input:enabled, [tabindex='0']")];

// After a part has been drawn again the focus is on what stands for the same thing, else on what stands in its place, else on
// the rows; never on nothing, where the notebook's own keys would work.
function redrawn(root, draw) {
  const focused = root.contains(document.activeElement) ? document.activeElement : null;
  const place = focused ? focusables(root).indexOf(focused) : -1;
  const name = focused?.dataset.name;
  const span = focused && "selectionStart" in focused ? [focused.selectionStart, focused.selectionEnd] : null;
  draw();
  if (!focused || root.contains(document.activeElement)) return;
  const all = focusables(root);
  const same = name && all.find((element) => element.dataset.name === name);
  if (same && span && span[0] !== null) same.setSelectionRange?.(...span);
  focusFirst(same, all[Math.min(place, all.length - 1)], root.closest(".tkf")?.querySelector(".tkf-grid"));
}

function focusFirst(...elements) {
  for (const element of elements) {
    element?.focus({ preventScroll: true });
    if (element && document.activeElement === element) return;
  }
}
