// The keyboard in the rows and their header.

import { readRow } from "./grid_rows.js";
import { clamp, pageRows } from "./grid_window.js";

/** @import { Grid } from "./grid.js" */
/** @import { Row } from "./messages.js" */

const RESIZE_PX = 20; // by which an arrow key resizes a column

/** @param {Grid} grid @param {KeyboardEvent} event */
export function handleKey(grid, event) {
  if (event.target !== grid.element) return; // a button within it handles its own keys
  const { row, column } = grid.cursor;
  const isInHeader = event.altKey && row < 0 && column > 0;
  if (!(isInHeader ? arrangeColumn(grid, event) : moveByKey(grid, event) || selectByKey(grid, event))) return;
  event.preventDefault();
  event.stopPropagation();
}

/**
 * Return the step of a key in rows and columns; undefined for other keys.
 *
 * @param {string} key
 * @param {number} page rows
 * @returns {[number, number] | undefined}
 */
export function stepOf(key, page) {
  switch (key) {
    case "ArrowDown":
      return [1, 0];
    case "ArrowUp":
      return [-1, 0];
    case "PageDown":
      return [page, 0];
    case "PageUp":
      return [-page, 0];
    case "ArrowLeft":
      return [0, -1];
    case "ArrowRight":
      return [0, 1];
  }
}

/** Move the cursor, and return whether a key does. @param {Grid} grid @param {KeyboardEvent} event */
function moveByKey(grid, event) {
  const { row, column } = grid.cursor;
  const isToEnds = event.ctrlKey || event.metaKey; // of the rows, not of the row
  const step = stepOf(event.key, pageRows(grid.windowPx));
  if (step) moveTo(grid, row + step[0], column + step[1], event.shiftKey && step[0] !== 0);
  else if (event.key === "Home") moveTo(grid, isToEnds ? 0 : row, isToEnds ? column : 0, event.shiftKey && isToEnds);
  else if (event.key === "End")
    moveTo(grid, isToEnds ? grid.data.rows - 1 : row, isToEnds ? column : grid.lastColumn, event.shiftKey && isToEnds);
  else return false;
  return true;
}

/** Select, copy or open rows, and return whether a key does. @param {Grid} grid @param {KeyboardEvent} event */
function selectByKey(grid, event) {
  const isModified = event.ctrlKey || event.metaKey;
  const letter = isModified ? event.key.toLowerCase() : "";
  if (letter === "a") grid.select("all");
  else if (letter === "c" && !grid.hasMarkedText()) copyCursor(grid);
  else if (event.key === "Escape") grid.select("none");
  else if (event.key === " " && grid.cursor.row >= 0) selectCursor(grid, event.shiftKey);
  else if (event.key === "Enter" || event.key === " ") openCursor(grid, event.shiftKey);
  else return false;
  return true;
}

/** Size or move a column, and return whether a key does. @param {Grid} grid @param {KeyboardEvent} event */
function arrangeColumn(grid, event) {
  const place = grid.cursor.column - 1;
  const column = grid.data.columns[place];
  const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (!column || !step) return false;
  if (!event.shiftKey) grid.resize(column, column.width + RESIZE_PX * step);
  else {
    grid.move(column.id, place + step);
    grid.cursor.column = clamp(grid.cursor.column + step, 1, grid.data.columns.length);
  }
  return true;
}

/** @param {Grid} grid @param {number} row @param {number} column @param {boolean} isRange */
function moveTo(grid, row, column, isRange) {
  const before = grid.cursor.row;
  const isInHeader = row < 0; // which has no cell above the links of a row
  const last = isInHeader ? grid.lastColumn - 1 : grid.lastColumn;
  grid.cursor = { row: clamp(row, -1, grid.data.rows - 1), column: clamp(column, 0, last) };
  if (isRange && before >= 0 && grid.cursor.row >= 0) {
    if (!grid.isRanging || grid.anchor === null) grid.anchor = before;
    grid.select("add", grid.anchor, grid.cursor.row);
  }
  grid.isRanging = isRange;
  grid.revealCursor();
  grid.draw(true);
}

/** @param {Grid} grid @param {boolean} isRange */
function selectCursor(grid, isRange) {
  const { row } = grid.cursor;
  if (isRange && grid.anchor !== null) return grid.select("add", grid.anchor, row);
  grid.anchor = row;
  grid.select("toggle", row, row);
}

// Enter opens the details of a row, Shift+Enter its first linked table; in the header it sorts.
/** @param {Grid} grid @param {boolean} isShifted */
function openCursor(grid, isShifted) {
  const { row, column } = grid.cursor;
  const [label] = grid.data.openings;
  if (row >= 0) return isShifted ? label && grid.open(label, row) : grid.openDetail(row);
  if (column === 0) return grid.toggleAll();
  const sorted = grid.data.columns[column - 1];
  if (sorted) grid.sort(sorted.id, isShifted);
}

/** Copy the selected rows as a table, or the cell under the cursor if none is selected. @param {Grid} grid */
function copyCursor(grid) {
  if (grid.hasSelection) grid.send({ do: "copy", what: "rows", place: grid.cursor.row });
  else grid.copy(cursorText(grid));
}

/** Return the text of the cell under the cursor; of the check mark and the links, the row's key. @param {Grid} grid */
function cursorText(grid) {
  const data = grid.rowAt(grid.cursor.row);
  const kind = grid.data.columns[grid.cursor.column - 1]?.kind;
  return data ? textToCopy(data, grid.cursor.column, kind) : "";
}

/**
 * Return the text to copy from a row: in full length even if its cell is truncated, and a time as it was, not how long ago.
 *
 * @param {Row} row
 * @param {number} column 0 is the check mark
 * @param {string} [kind] of the column
 */
export function textToCopy(row, column, kind) {
  const { key, cells } = readRow(row);
  const [text, title] = [cells[column - 1] ?? key].flat();
  const isExact = kind === "time" && /^\d/.test(title ?? "");
  return title && (isExact || text.endsWith("…")) ? title : text;
}
