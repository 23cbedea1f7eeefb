// The virtualized rows: only those in sight have elements. Rows, order and selection are kept in Python.

import { copyText, debounce, el, measureText, uniqueId } from "./dom.js";
import { computeWidths, fitWidth, gridTemplate, linksWidth, moveColumn, nextSort } from "./grid_columns.js";
import { makeHeader } from "./grid_header.js";
import { handleKey } from "./grid_keys.js";
import { handleClick, handleMouseDown } from "./grid_mouse.js";
import { makeRow, readRow } from "./grid_rows.js";
import { SummaryRow } from "./grid_summaries.js";
import { chunksToDraw, clamp, computeSpan, ROW_PX, rowsToDraw, scrollToColumn, scrollToRow } from "./grid_window.js";

/** @import { Column, Grid as GridState, Limits, Request, Row, RowsReply, Selection, Summaries } from "./messages.js" */

const ASK_MS = 25; // debounce of scrolling, before rows are requested
const LEAST_HEIGHT_PX = 220;
const FRAME_PX = 122; // the height of the grid without its rows
const MOST_CHUNKS = 60; // that are cached; others are requested again

export class Grid {
  /**
   * @param {(request: Request) => void} send
   * @param {(text: string) => void} say shows a note
   * @param {Limits} limits
   */
  constructor(send, say, limits) {
    this.send = send;
    this.say = say;
    this.limits = limits;
    this.id = uniqueId();
    /** @type {GridState} */
    this.data = { number: -1, moves: -1, rows: 0, columns: [], sort: [], openings: [], opener: "", first: [] };
    this.shape = ""; // the layout of the columns; rows with another one are redrawn
    /** @type {Map<number, Row[]>} */
    this.chunks = new Map();
    /** @type {Set<number>} */
    this.asked = new Set();
    this.cursor = { row: 0, column: 0 }; // row -1 is the header
    /** @type {number | null} */
    this.anchor = null; // the start of a range selection
    this.hasSelection = false; // also of rows that the filters hide
    this.isRanging = false;
    /** @type {boolean | null} */
    this.all = false; // whether all matching rows are selected; null for some
    this.drawn = "";
    this.openKey = ""; // of the row whose details are shown
    /** @type {Map<number, { row: HTMLElement, content: string }>} */
    this.rows = new Map(); // the rendered rows, by position
    this.header = el("div", { class: "tkf-header", role: "row", "aria-rowindex": 1 });
    this.summaries = new SummaryRow(send);
    this.head = el("div", { class: "tkf-head", role: "rowgroup" }, this.header, this.summaries.element);
    this.body = el("div", { class: "tkf-body", role: "rowgroup" });
    this.empty = el("div", { class: "tkf-empty", hidden: true });
    this.element = this.makeElement();
    this.ask = debounce(() => this.requestMissing(), ASK_MS);
    this.body.addEventListener("mousedown", (event) => handleMouseDown(this, event));
    this.body.addEventListener("click", (event) => handleClick(this, event));
    this.watcher = new ResizeObserver(() => this.draw());
    this.watcher.observe(this.element);
  }

  makeElement() {
    const on = {
      scroll: () => this.draw(),
      keydown: (/** @type {KeyboardEvent} */ event) => handleKey(this, event),
      focus: () => this.markCursor(),
      blur: () => this.markCursor(),
    };
    const roles = { role: "grid", tabindex: 0, "aria-label": "rows", "aria-multiselectable": "true" };
    return el("div", { class: "tkf-grid", ...roles, on }, this.head, this.body, this.empty);
  }

  remove() {
    this.watcher.disconnect();
    this.ask.cancel();
  }

  // ── messages from Python ──

  /** @param {GridState} data */
  update(data) {
    const isMoved = data.moves !== this.data.moves;
    if (data.number !== this.data.number) this.anchor = null;
    this.data = data;
    this.chunks = new Map([[0, data.first]]);
    this.asked = new Set();
    if (isMoved) this.element.scrollTop = 0;
    this.shape = JSON.stringify([
      data.columns.map(({ id, align, kind }) => [id, align, kind]),
      data.openings,
      data.opener,
    ]);
    if (this.cursor.row >= 0) this.cursor.row = isMoved ? 0 : Math.max(0, Math.min(this.cursor.row, data.rows - 1));
    this.cursor.column = Math.min(this.cursor.column, this.lastColumn);
    this.element.setAttribute("aria-rowcount", String(data.rows + 1));
    this.element.setAttribute("aria-colcount", String(data.columns.length + 2));
    this.drawHead();
    this.summaries.draw(data.columns);
    this.draw(true);
  }

  /** @param {Summaries} summaries */
  updateSummaries(summaries) {
    this.summaries.update(summaries);
  }

  /** @param {Selection} selection */
  updateSelection(selection) {
    this.hasSelection = selection.rows > 0;
    this.all = selection.all ? true : selection.rows - selection.hidden > 0 ? null : false;
    this.drawHead();
    this.asked = new Set();
    const seen = this.chunksInSight();
    for (const place of this.chunks.keys()) if (!seen.includes(place)) this.chunks.delete(place); // their selection marks are outdated
    for (const place of seen) this.requestChunk(place);
  }

  /** @param {RowsReply} reply */
  takeRows({ chunk, number, rows }) {
    this.asked.delete(chunk);
    if (number !== this.data.number) return;
    this.chunks.set(chunk, rows);
    if (this.chunksInSight().includes(chunk)) this.draw(true);
  }

  // ── drawing ──

  /** Leave no empty room below a few rows. @param {number} rows */
  limitHeight(rows) {
    this.element.style.maxHeight = `${Math.max(LEAST_HEIGHT_PX, FRAME_PX + ROW_PX * rows)}px`;
  }

  get lastColumn() {
    return this.data.columns.length + 1;
  }

  get windowPx() {
    return this.element.clientHeight - this.head.offsetHeight;
  }

  widths() {
    return computeWidths(this.data.columns);
  }

  span() {
    return computeSpan(this.data.rows, this.windowPx, this.element.scrollTop);
  }

  /** @param {number[]} widths */
  setWidths(widths) {
    this.element.style.setProperty("--tkf-columns", gridTemplate(widths));
  }

  drawHead() {
    this.setWidths(this.widths());
    this.element.style.setProperty("--tkf-links", `${linksWidth(this.data.openings)}px`);
    this.header.replaceChildren(...makeHeader(this));
    this.markCursor();
  }

  /** @param {boolean} [isForced] draw also if the same rows are in sight */
  draw(isForced = false) {
    const span = this.span();
    const [from, to] = rowsToDraw(span, this.data.rows);
    const drawn = `${from}-${to}-${span.offset}-${this.data.number}`;
    if (!isForced && drawn === this.drawn) return;
    this.drawn = drawn;
    this.body.style.height = `${span.height}px`;
    this.drawRows(from, to, span.offset);
    this.empty.hidden = this.data.rows > 0;
    this.markCursor();
    this.ask();
  }

  // A row with the same content keeps its element, so that clicks and marked text are not lost.
  /** @param {number} from @param {number} to @param {number} offset */
  drawRows(from, to, offset) {
    const before = this.rows;
    this.rows = new Map();
    for (let place = from; place < to; place++) {
      const data = this.rowAt(place);
      const isOpen = data && data[1] === this.openKey;
      const content = JSON.stringify(data) + this.shape + (isOpen ? "open" : "");
      const kept = before.get(place);
      const row = kept?.content === content ? kept.row : makeRow(this, place, data);
      row.style.top = `${place * ROW_PX + offset}px`;
      this.rows.set(place, { row, content });
    }
    for (const [place, { row }] of before) if (this.rows.get(place)?.row !== row) row.remove();
    this.orderRows();
  }

  orderRows() {
    const drawn = this.body.children;
    [...this.rows.values()].forEach(({ row }, at) => {
      if (drawn[at] !== row) this.body.insertBefore(row, drawn[at] ?? null);
    });
  }

  /** @param {number} place */
  rowAt(place) {
    const { chunk_rows: size } = this.limits;
    return this.chunks.get(Math.floor(place / size))?.[place % size];
  }

  /** @param {number} place @param {number} column */
  cellId(place, column) {
    return place < 0 ? `${this.id}-h-${column}` : `${this.id}-${place}-${column}`;
  }

  markCursor() {
    const id = this.cellId(this.cursor.row, this.cursor.column);
    for (const old of this.element.querySelectorAll(".tkf-cursor")) old.classList.remove("tkf-cursor");
    const cell = this.element.querySelector(`[id="${id}"]`);
    if (cell && document.activeElement === this.element) cell.classList.add("tkf-cursor");
    if (cell) this.element.setAttribute("aria-activedescendant", id);
    else this.element.removeAttribute("aria-activedescendant");
  }

  revealCursor() {
    const { row, column } = this.cursor;
    const { element } = this;
    if (row >= 0) element.scrollTop = scrollToRow(row, this.data.rows, this.windowPx, element.scrollTop);
    const widths = [...this.widths(), linksWidth(this.data.openings)];
    element.scrollLeft = scrollToColumn(column, widths, element.clientWidth, element.scrollLeft);
  }

  // ── requesting rows ──

  chunksInSight() {
    return chunksToDraw(this.span(), this.data.rows, this.limits.chunk_rows);
  }

  requestMissing() {
    const seen = this.chunksInSight();
    for (const place of seen) if (!this.chunks.has(place)) this.requestChunk(place);
    if (this.chunks.size <= MOST_CHUNKS) return;
    for (const place of this.chunks.keys()) if (!seen.includes(place) && place) this.chunks.delete(place);
  }

  /** @param {number} place */
  requestChunk(place) {
    if (this.asked.has(place)) return;
    this.asked.add(place);
    this.send({ do: "rows", number: this.data.number, place });
  }

  // ── user input ──

  /** @param {"toggle" | "add" | "all" | "none"} how @param {number} [first] @param {number} [last] */
  select(how, first = 0, last = 0) {
    this.send({ do: "select", how, first, last, number: this.data.number });
  }

  toggleAll() {
    this.send({ do: "select", how: this.all === true ? "none" : "all", number: this.data.number });
  }

  /** @param {string} label @param {number} place */
  open(label, place) {
    this.send({ do: "open", label, place, number: this.data.number });
  }

  /** Show the details of a row. @param {number} place */
  openDetail(place) {
    const { key } = readRow(this.rowAt(place));
    if (key) this.send({ do: "detail", key });
  }

  /** @param {string} key of the row whose details are shown; empty for none */
  markOpen(key) {
    if (key === this.openKey) return;
    this.openKey = key;
    this.draw(true);
  }

  /** @param {string} id @param {boolean} isAdded */
  sort(id, isAdded) {
    this.send({ do: "sort", sort: nextSort(this.data.sort, id, isAdded) });
  }

  /** @param {string} id @param {number} to */
  move(id, to) {
    const columns = this.data.columns.map((column) => column.id);
    const moved = moveColumn(columns, id, to);
    if (moved) this.send({ do: "columns", columns: moved });
  }

  /** @param {Column} column @param {number} width @param {boolean} [isFinal] false while its edge is dragged */
  resize(column, width, isFinal = true) {
    const clamped = clamp(width, this.limits.narrowest_px, this.limits.widest_px);
    const widths = this.widths();
    widths[this.data.columns.indexOf(column) + 1] = clamped;
    this.setWidths(widths);
    if (!isFinal) return;
    column.width = clamped;
    this.send({ do: "width", id: column.id, width: clamped });
  }

  /** @param {Column} column */
  fit(column) {
    const child = `> :nth-child(${this.data.columns.indexOf(column) + 2})`;
    const cells = this.element.querySelectorAll(`.tkf-row ${child}, .tkf-header ${child}`);
    this.resize(column, fitWidth([...cells].map(measureText)));
  }

  /** @param {string} text */
  async copy(text) {
    await copyText(text);
    this.say(`copied ${text}`);
  }

  hasMarkedText() {
    const marked = document.getSelection();
    return Boolean(String(marked)) && this.body.contains(marked?.anchorNode ?? null);
  }
}
