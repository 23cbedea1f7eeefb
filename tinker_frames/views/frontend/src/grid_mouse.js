// The mouse in the rows: a click selects, opens or copies.

/** @import { Grid } from "./grid.js" */

/** @param {Event} event */
const targetOf = (event) => /** @type {HTMLElement} */ (event.target);

// A button or link in a row does not take the focus, which would be lost when the row is redrawn.
/** @param {Grid} grid @param {MouseEvent} event */
export function handleMouseDown(grid, event) {
  const isOnButton = targetOf(event).closest("button, a");
  if (isOnButton || event.shiftKey) event.preventDefault();
  if (isOnButton) grid.element.focus({ preventScroll: true });
}

/** @param {Grid} grid @param {MouseEvent} event */
export function handleClick(grid, event) {
  const target = targetOf(event);
  const row = /** @type {HTMLElement | null} */ (target.closest(".tkf-row"));
  if (!row || target.closest("a")) return;
  const place = Number(row.dataset.place);
  if (target.dataset.open) grid.open(target.dataset.open, place);
  else if ("copy" in target.dataset) grid.copy(row.dataset.key ?? "");
  else if (target.closest(".tkf-opener") && !event.shiftKey && !grid.hasMarkedText())
    openRow(grid, place, columnOf(target));
  else if (!grid.hasMarkedText()) selectRow(grid, place, columnOf(target), event.shiftKey);
}

/** @param {Grid} grid @param {number} row @param {number} column */
function openRow(grid, row, column) {
  grid.cursor = { row, column };
  grid.markCursor();
  grid.openDetail(row);
}

/** @param {Grid} grid @param {number} row @param {number} column @param {boolean} isRange */
function selectRow(grid, row, column, isRange) {
  grid.cursor = { row, column };
  if (isRange && grid.anchor !== null) grid.select("add", grid.anchor, row);
  else grid.select("toggle", row, row);
  if (!isRange) grid.anchor = row;
  grid.markCursor();
}

/** @param {HTMLElement} target */
function columnOf(target) {
  const cell = target.closest(".tkf-cell");
  return cell ? [...(cell.parentElement?.children ?? [])].indexOf(cell) : 0;
}
