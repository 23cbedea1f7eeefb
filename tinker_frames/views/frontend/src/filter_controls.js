// The controls inside a filter's popover: options with counts, dates, ranges, a metadata key.

import { makeColumnList } from "./column_list.js";
import { button, el } from "./dom.js";
import { cleanRange, updateTimeRange } from "./filter_values.js";
import { formatCount } from "./text.js";

/** @import { Props } from "./dom.js" */
/** @import { FilterPopover, PopoverControl } from "./filter_popover.js" */
/** @import { OptionValue, FilterControl, FilterOption, MetadataMatch, TimeRange } from "./messages.js" */

const FIND_FROM = 10; // minimum number of options for a search box
const COUNT_BAR_PX = 40; // the length of the bar of the most frequent option
const EXPIRY_FIELDS = { within: "within" };
const TIME_FIELDS = { older_than: "older than", newer_than: "newer than" };
const DATE_FIELDS = { after: "from (UTC)", before: "to (UTC)" };

/** @param {FilterPopover} popover @param {PopoverControl} control @returns {HTMLElement[]} */
export function makeControl(popover, control) {
  const isAdded = popover.opener?.dataset.name === "add" && control.kind !== "filters";
  return [...(isAdded ? [makeTitle(popover, control)] : []), ...makeFields(popover, control)];
}

/** Make the name of a filter, and the way back to the list of filters. @param {FilterPopover} popover @param {PopoverControl} control */
function makeTitle(popover, { label }) {
  const back = button("‹", () => popover.show({ name: "add", label: "Filter by", kind: "filters" }), {
    class: "tkf-link tkf-popover-back",
    "aria-label": "back to all filters",
    "data-name": "all-filters",
  });
  return el("div", { class: "tkf-popover-title" }, back, label);
}

/** @param {FilterPopover} popover */
function makeFilterList(popover) {
  const offered = popover.controls.filter(({ kind }) => kind !== "text" && kind !== "query");
  const items = offered.map((control) =>
    button(control.label, () => popover.show(control), {
      class: "tkf-link tkf-menu-item",
      title: control.text,
      "data-name": `add ${control.name}`,
    }),
  );
  return [el("div", { class: "tkf-menu", role: "group", on: { keydown: moveInMenu } }, ...items)];
}

/** @param {KeyboardEvent} event */
function moveInMenu(event) {
  const step = { ArrowDown: "nextElementSibling", ArrowUp: "previousElementSibling" }[event.key];
  if (!step) return;
  event.preventDefault();
  /** @type {any} */ (event.target)[step]?.focus();
}

/** @param {FilterPopover} popover @param {PopoverControl} control @returns {HTMLElement[]} */
function makeFields(popover, control) {
  switch (control.kind) {
    case "filters":
      return makeFilterList(popover);
    case "options":
      return makeOptions(popover, control);
    case "time":
      return makeDates(popover, control, TIME_FIELDS);
    case "expiry":
      return makeDates(popover, control, EXPIRY_FIELDS);
    case "number":
      return makeRange(popover, control);
    case "metadata":
      return makeMetadata(popover, control);
    case "columns":
      return makeColumnList(popover);
    default:
      return []; // text and query have their own boxes
  }
}

/** @param {string} label @param {Props} props @param {(input: HTMLInputElement) => void} change @param {"input" | "change"} event */
function makeField(label, props, change, event) {
  const input = el("input", { class: "tkf-input", ...props, on: { [event]: () => change(input) } });
  return el("label", { class: "tkf-field" }, el("span", {}, label), input);
}

// ── options ──

/** @param {FilterPopover} popover @param {FilterControl} control */
function makeOptions(popover, control) {
  if (popover.facet.name !== control.name) return [el("div", { class: "tkf-muted" }, "counting …")];
  const selected = /** @type {OptionValue[]} */ (control.value ?? []);
  const options = popover.facet.options ?? [];
  const most = Math.max(1, ...options.map((option) => option.rows));
  const rows = options.map((option) => makeOption(popover, option, selected, most));
  const nothing = rows.length ? null : el("div", { class: "tkf-muted" }, "none");
  const list = el("div", { class: "tkf-options", role: "group" }, ...rows, nothing);
  const find =
    options.length >= FIND_FROM || popover.search || popover.facet.search
      ? [popover.makeFind("find an option", () => popover.sendFind())]
      : [];
  const clear = selected.length ? [button("Any", () => popover.set(null), { "data-name": "any" })] : [];
  const more = describeOptions(rows.length, popover.facet.total ?? 0);
  return [...find, list, ...(more ? [el("div", { class: "tkf-muted tkf-options-count" }, more)] : []), ...clear];
}

/** Return how many of the options are listed, if not all are. @param {number} listed @param {number} total */
export const describeOptions = (listed, total) =>
  total > listed ? `${formatCount(listed)} of ${formatCount(total)}, type to find` : "";

/** @param {FilterPopover} popover @param {FilterOption} option @param {OptionValue[]} selected @param {number} most */
function makeOption(popover, option, selected, most) {
  const isOn = selected.includes(option.value);
  const others = selected.filter((value) => value !== option.value);
  const toggle = () => popover.set(isOn ? others : [...selected, option.value]);
  const check = el("input", { type: "checkbox", "data-name": `option ${option.label}`, on: { change: toggle } });
  check.checked = isOn;
  return el(
    "label",
    { class: "tkf-option", title: option.label },
    check,
    el("span", { class: "tkf-option-label" }, option.label),
    el("span", { class: "tkf-option-bar", style: { width: `${(COUNT_BAR_PX * option.rows) / most}px` } }),
    el("span", { class: "tkf-option-rows" }, formatCount(option.rows)),
  );
}

// ── dates ──

/** @param {FilterPopover} popover @param {FilterControl} control @param {Record<string, string>} dayFields */
function makeDates(popover, control, dayFields) {
  const value = /** @type {TimeRange & Record<string, unknown>} */ (control.value ?? {});
  const quick = control.quick.map((pick) => makeQuickPick(popover, pick, value));
  const change = (/** @type {string} */ name, /** @type {string | number | null} */ given) => {
    // The current value, not the one from when these fields were drawn.
    const { control: now } = popover;
    const set = now && "value" in now ? /** @type {TimeRange} */ (now.value ?? {}) : {};
    popover.set(updateTimeRange(set, name, given));
  };
  const days = Object.entries(dayFields).map(([name, text]) => {
    const props = { type: "number", min: 0, step: "any", value: String(value[name] ?? ""), "data-name": name };
    return makeField(`${text} (days)`, props, (input) => change(name, readNumber(input)), "change");
  });
  const dates = Object.entries(DATE_FIELDS).map(([name, text]) => {
    const props = { type: "date", value: String(value[name] ?? "").slice(0, 10), "data-name": name };
    return makeField(text, props, (input) => change(name, input.value), "change");
  });
  const fields = el("div", { class: "tkf-fields" }, ...days, ...dates);
  return [el("div", { class: "tkf-quicks", role: "group" }, ...quick), fields];
}

/** @param {FilterPopover} popover @param {{ label: string, value: TimeRange }} pick @param {TimeRange} value */
function makeQuickPick(popover, pick, value) {
  const isSet = JSON.stringify(pick.value) === JSON.stringify(value);
  const toggle = () => {
    popover.set(isSet ? null : pick.value);
    popover.draw();
  };
  const looks = { class: "tkf-button tkf-quick", "aria-pressed": String(isSet), "data-name": pick.label };
  return button(pick.label, toggle, looks);
}

/** @param {HTMLInputElement} input */
const readNumber = (input) => (input.value === "" ? null : Number(input.value));

// ── ranges and metadata ──

/** @param {FilterPopover} popover @param {FilterControl} control */
function makeRange(popover, control) {
  const unit = control.unit ? ` (${control.unit})` : "";
  const ends = [.../** @type {(number | null)[]} */ (control.value ?? [null, null])];
  const fields = ["at least", "at most"].map((text, end) => {
    const change = (/** @type {HTMLInputElement} */ input) => {
      ends[end] = readNumber(input);
      control.value = [...ends];
      popover.sendTyped(control.name, cleanRange(ends));
    };
    const props = { type: "number", step: "any", value: ends[end] ?? "", "data-name": text };
    return makeField(text + unit, props, change, "input");
  });
  return [el("div", { class: "tkf-fields" }, ...fields)];
}

/** @param {FilterPopover} popover @param {FilterControl} control */
function makeMetadata(popover, control) {
  const match = { key: "", value: "", .../** @type {MetadataMatch | null} */ (control.value) };
  const change = (/** @type {Partial<MetadataMatch>} */ part) => {
    Object.assign(match, part);
    control.value = { ...match };
    popover.sendTyped(control.name, match.key ? { ...match } : null);
  };
  const id = `${popover.root.dataset.tkf}-keys`;
  const keys = el("datalist", { id }, ...(popover.facet.keys ?? []).map((key) => el("option", { value: key })));
  const keyProps = { type: "text", list: id, value: match.key, "data-name": "key" };
  const valueProps = { type: "text", value: match.value, "data-name": "value" };
  const fields = [
    makeField("key", keyProps, (input) => change({ key: input.value }), "input"),
    makeField("value (empty: any)", valueProps, (input) => change({ value: input.value }), "input"),
  ];
  return [el("div", { class: "tkf-fields" }, ...fields), keys];
}
