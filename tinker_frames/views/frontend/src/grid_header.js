// The header of the rows: a click sorts, a drag moves a column, dragging its edge resizes it.

import { el } from "./dom.js";
import { findSort } from "./grid_columns.js";
import { formatCount } from "./text.js";

/** @import { Grid } from "./grid.js" */
/** @import { Column } from "./messages.js" */

const DRAG_TYPE = "text/x-tkf";

/** @param {Grid} grid */
export function makeHeader(grid) {
  const { columns } = grid.data;
  return [makeSelectAll(grid), ...columns.map((column, at) => makeColumnHeader(grid, column, at + 1))];
}

/** @param {Grid} grid */
function makeSelectAll(grid) {
  return el(
    "div",
    {
      class: "tkf-head-cell tkf-check",
      role: "columnheader",
      id: grid.cellId(-1, 0),
      title: "select all that match, or none (Ctrl+A)",
      "aria-colindex": 1,
      "aria-label": `select all ${formatCount(grid.data.rows)} that match`,
      on: { click: () => grid.toggleAll() },
    },
    grid.all === true ? "☑" : grid.all === null ? "◪" : "☐",
  );
}

/** @param {Grid} grid @param {Column} column @param {number} place */
function makeColumnHeader(grid, column, place) {
  const { place: at, isDescending } = findSort(grid.data.sort, column.id);
  const mark = at < 0 ? "" : `${isDescending ? "▼" : "▲"}${grid.data.sort.length > 1 ? at + 1 : ""}`;
  return el(
    "div",
    {
      class: `tkf-head-cell tkf-${column.align}`,
      role: "columnheader",
      id: grid.cellId(-1, place),
      "aria-sort": at < 0 ? "none" : isDescending ? "descending" : "ascending",
      draggable: "true",
      title: `${column.label}\n${column.doc}`,
      "aria-label": column.label,
      "aria-colindex": place + 1,
      "data-column": column.id,
      on: columnListeners(grid, column),
    },
    el("span", { class: "tkf-head-text" }, column.label),
    el("span", { class: "tkf-sort" }, mark),
    makeHandle(grid, column),
  );
}

/** @param {Grid} grid @param {Column} column */
function columnListeners(grid, column) {
  return {
    click: (/** @type {MouseEvent} */ event) => grid.sort(column.id, event.shiftKey),
    dragstart: (/** @type {DragEvent} */ event) => event.dataTransfer?.setData(DRAG_TYPE, column.id),
    dragover: (/** @type {DragEvent} */ event) => event.preventDefault(),
    drop: (/** @type {DragEvent} */ event) => {
      event.preventDefault();
      const moved = event.dataTransfer?.getData(DRAG_TYPE);
      if (moved) grid.move(moved, grid.data.columns.indexOf(column));
    },
  };
}

/** Make the edge that sizes a column. @param {Grid} grid @param {Column} column */
function makeHandle(grid, column) {
  /** @type {number | null} */
  let start = null;
  const drag = (/** @type {PointerEvent} */ event, /** @type {boolean} */ isFinal) => {
    if (start !== null) grid.resize(column, Math.round(column.width + event.clientX - start), isFinal);
  };
  const handle = el("span", {
    class: "tkf-handle",
    title: "drag to size; double-click to fit",
    draggable: "false",
    on: {
      click: (/** @type {MouseEvent} */ event) => event.stopPropagation(),
      dblclick: (/** @type {MouseEvent} */ event) => {
        event.stopPropagation();
        grid.fit(column);
      },
      pointerdown: (/** @type {PointerEvent} */ event) => {
        event.stopPropagation();
        event.preventDefault();
        start = event.clientX;
        handle.setPointerCapture(event.pointerId);
      },
      pointermove: (/** @type {PointerEvent} */ event) => drag(event, false),
      pointerup: (/** @type {PointerEvent} */ event) => {
        drag(event, true);
        start = null;
      },
      pointercancel: () => {
        start = null;
      },
    },
  });
  return handle;
}
