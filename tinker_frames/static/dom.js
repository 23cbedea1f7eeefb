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
  return (...given) => {
    clearTimeout(timer);
    timer = setTimeout(() => work(...given), milliseconds);
  };
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

// Focus is given back to the element that stands for the same thing after a part has been drawn again.
function redrawn(root, draw) {
  const focused = root.contains(root.ownerDocument.activeElement) ? root.ownerDocument.activeElement : null;
  const name = focused?.dataset.name;
  const span = focused && "selectionStart" in focused ? [focused.selectionStart, focused.selectionEnd] : null;
  draw();
  if (!name || root.contains(root.ownerDocument.activeElement)) return;
  const again = [...root.querySelectorAll("[data-name]")].find((element) => element.dataset.name === name);
  again?.focus({ preventScroll: true });
  if (again && span && span[0] !== null) again.setSelectionRange?.(...span);
}
