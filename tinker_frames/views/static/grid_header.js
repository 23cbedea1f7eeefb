// The header of the rows: a click sorts, a drag moves a column, its edge sizes it.

function headCells(grid) {
  const { columns, rows } = grid.data;
  const all = el("div", {
    class: "tkf-head-cell tkf-check", role: "columnheader", id: `${grid.id}-h-0`, title: "select all that match, or none (Ctrl+A)",
    "aria-colindex": 1, "aria-label": `select all ${counted(rows)} that match`, on: { click: () => grid.toggleAll() },
  }, grid.all === true ? "☑" : grid.all === null ? "◪" : "☐");
  const place = columns.length + 1;
  const last = el("div", { class: "tkf-head-cell tkf-openings", role: "columnheader", id: `${grid.id}-h-${place}`, "aria-colindex": place + 1, "aria-label": "open" });
  return [all, ...columns.map((column, at) => headCell(grid, column, at + 1)), last];
}

function headCell(grid, column, place) {
  const at = grid.data.sort.findIndex((name) => name.replace(/^-/, "") === column.id);
  const down = at >= 0 && grid.data.sort[at].startsWith("-");
  const mark = at < 0 ? "" : `${down ? "▼" : "▲"}${grid.data.sort.length > 1 ? at + 1 : ""}`;
  return el(
    "div",
    {
      class: `tkf-head-cell tkf-${column.align}`, role: "columnheader", id: `${grid.id}-h-${place}`,
      "aria-sort": at < 0 ? "none" : down ? "descending" : "ascending", draggable: "true", title: `${column.label}\n${column.doc}`,
      "aria-colindex": place + 1, "data-column": column.id,
      on: {
        click: (event) => grid.sort(column.id, event.shiftKey),
        dragstart: (event) => event.dataTransfer.setData("text/x-tkf", column.id),
        dragover: (event) => event.preventDefault(),
        drop: (event) => dropped(grid, event, column.id),
      },
    },
    el("span", { class: "tkf-head-text" }, column.label), el("span", { class: "tkf-sort" }, mark), edge(grid, column),
  );
}

function dropped(grid, event, before) {
  event.preventDefault();
  const moved = event.dataTransfer.getData("text/x-tkf");
  if (moved) grid.move(moved, grid.data.columns.findIndex((column) => column.id === before));
}

function edge(grid, column) {
  let start = null;
  const width = (event) => Math.max(40, Math.round(column.width + event.clientX - start));
  return el("span", {
    class: "tkf-handle", title: "drag to size; double-click to fit", draggable: "false",
    on: {
      click: (event) => event.stopPropagation(),
      dblclick: (event) => (event.stopPropagation(), grid.resize(column, grid.fitting(column))),
      pointerdown: (event) => {
        event.stopPropagation();
        event.preventDefault();
        start = event.clientX;
        event.target.setPointerCapture(event.pointerId);
      },
      pointermove: (event) => start !== null && grid.resize(column, width(event), false),
      pointerup: (event) => {
        if (start !== null) grid.resize(column, width(event));
        start = null;
      },
      pointercancel: () => (start = null),
    },
  });
}
