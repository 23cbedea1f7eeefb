// The elements of one row: a check mark, the cells, and links to other tables.

import { el } from "./dom.js";
import { isWebAddress, makeLink } from "./link.js";

/** @import { Grid } from "./grid.js" */
/** @import { Cell, Column, Row } from "./messages.js" */

const TITLE_FROM = 12; // characters from which a cell shows its text in a tooltip
const TAIL = 16; // characters at the end of an id that are shown first
const NOTHING = "–"; // what stands for NA

/**
 * Return the parts of a row sent by Python.
 *
 * @param {Row | undefined} row undefined if it has not come yet
 */
export function readRow(row) {
  const [isSelected, key, ...cells] = row ?? [false, ""];
  return { isSelected: Boolean(isSelected), key: String(key), cells: /** @type {Cell[]} */ (cells) };
}

/**
 * Return text, title and mark of a cell.
 *
 * @param {Cell} cell
 */
export function readCell(cell) {
  const [text, title = "", mark = ""] = Array.isArray(cell) ? cell : [cell];
  return { text, title: title || (text.length > TITLE_FROM ? text : ""), mark };
}

/** @param {Grid} grid @param {number} place @param {Row | undefined} data */
export function makeRow(grid, place, data) {
  const { isSelected, key, cells } = readRow(data);
  const looks = [
    key && key === grid.openKey && "tkf-open",
    isSelected && "tkf-selected",
    place % 2 && "tkf-odd",
    !data && "tkf-absent",
  ].filter(Boolean);
  const row = el("div", {
    class: ["tkf-row", ...looks].join(" "),
    role: "row",
    "aria-rowindex": place + 2,
    "aria-selected": String(isSelected),
    "data-place": place,
    "data-key": key,
  });
  const { columns } = grid.data;
  row.append(makeCheck(grid.cellId(place, 0), isSelected));
  columns.forEach((column, at) => {
    const isOpener = column.id === grid.data.opener && Boolean(key);
    row.append(makeCell(data ? cells[at] : "…", column, grid.cellId(place, at + 1), isOpener));
  });
  row.append(makeOpenings(grid.data.openings, key, grid.cellId(place, grid.lastColumn)));
  return row;
}

/** @param {string} id @param {boolean} isSelected */
function makeCheck(id, isSelected) {
  const label = isSelected ? "selected" : "not selected";
  return el("div", { class: "tkf-cell tkf-check", role: "gridcell", id, "aria-label": label }, isSelected ? "☑" : "☐");
}

/** @param {Cell} cell @param {Column} column @param {string} id @param {boolean} isOpener whether a click on the text opens the row */
function makeCell(cell, column, id, isOpener) {
  const { text, title, mark } = readCell(cell);
  const looks = [`tkf-${column.align}`, mark && `tkf-mark-${mark}`, !text && "tkf-mark-muted", `tkf-${column.kind}`];
  const props = { class: ["tkf-cell", ...looks.filter(Boolean)].join(" "), role: "gridcell", id, title };
  const [first, last] = splitText(text || NOTHING, column.kind);
  const opener = isOpener ? "tkf-opener" : "";
  if (last) {
    const part = { class: `tkf-part ${opener}`.trim() };
    return el("div", props, el("span", part, first), el("span", part, last));
  }
  if (!isOpener && isWebAddress(text)) return el("div", props, makeLink(text, text, { tabindex: -1 }));
  return el("div", props, isOpener ? el("span", { class: opener }, first) : first);
}

/**
 * Return a text in two parts if one of them gives way in a narrow column: a model's organization, or the middle of an id.
 *
 * @param {string} text
 * @param {string} kind of the column
 */
export function splitText(text, kind) {
  const letters = [...text];
  const at = kind === "model" ? letters.lastIndexOf("/") + 1 : kind === "id" ? letters.length - TAIL : 0;
  return at > 0 && at < letters.length ? [letters.slice(0, at).join(""), letters.slice(at).join("")] : [text];
}

/** @param {string[]} openings @param {string} key @param {string} id */
function makeOpenings(openings, key, id) {
  const quiet = { type: "button", class: "tkf-link", tabindex: -1 };
  const links = openings.map((label) =>
    el("button", { ...quiet, "data-open": label, title: `open the ${label} of this row` }, `${label} ›`),
  );
  const copy = el("button", { ...quiet, "data-copy": "", title: `copy ${key}`, "aria-label": "copy the path" }, "❐");
  return el("div", { class: "tkf-cell tkf-openings", role: "gridcell", id }, ...links, copy);
}
