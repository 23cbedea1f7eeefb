// The list to show, hide and reorder columns.

import { button, el } from "./dom.js";
import { listColumns, swapWithNeighbour } from "./filter_values.js";

/** @import { FilterPopover } from "./filter_popover.js" */
/** @import { ListedColumn } from "./messages.js" */

/** @param {FilterPopover} popover */
export function makeColumnList(popover) {
  const all = new Map((popover.facet.columns ?? []).map((column) => [column.id, column]));
  const shown = popover.shownColumns;
  const show = (/** @type {string[]} */ columns) => popover.send({ do: "columns", columns });
  const wanted = popover.search.toLowerCase();
  const rows = listColumns(shown, [...all.keys()]).flatMap((id) => {
    const column = all.get(id);
    return column && `${column.label} ${column.id}`.toLowerCase().includes(wanted)
      ? [makeColumnRow(column, shown, show)]
      : [];
  });
  const nothing = all.size && !rows.length && el("div", { class: "tkf-muted" }, "none");
  return [
    popover.makeFind("find a column", () => popover.draw()),
    el("div", { class: "tkf-options", role: "group" }, ...rows, nothing || null),
  ];
}

/** @param {ListedColumn} column @param {string[]} shown @param {(columns: string[]) => void} show */
function makeColumnRow(column, shown, show) {
  const at = shown.indexOf(column.id);
  const others = shown.filter((id) => id !== column.id);
  const toggle = () => show(at < 0 ? [...shown, column.id] : others);
  const check = el("input", { type: "checkbox", "data-name": `column ${column.id}`, on: { change: toggle } });
  check.checked = at >= 0;
  const label = el("label", {}, check, el("span", { class: "tkf-option-label" }, column.label));
  const arrows = at < 0 ? [] : makeArrows(column, shown, show);
  return el("div", { class: "tkf-option", title: column.doc }, label, ...arrows);
}

/** @param {ListedColumn} column @param {string[]} shown @param {(columns: string[]) => void} show */
function makeArrows({ id, label }, shown, show) {
  const at = shown.indexOf(id);
  const makeArrow = (/** @type {string} */ text, /** @type {"up" | "down"} */ way, /** @type {1 | -1} */ step) =>
    button(text, () => show(swapWithNeighbour(shown, at, step)), {
      class: "tkf-link",
      disabled: shown[at + step] === undefined,
      "aria-label": `move ${label} ${way}`,
      "data-name": `${way} ${id}`,
    });
  return [makeArrow("↑", "up", -1), makeArrow("↓", "down", 1)];
}
