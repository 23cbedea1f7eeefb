// The rows: as many elements as fit the window, whatever the number of rows. Rows, order and choice live in the kernel.

const ROW_PX = 28;
const CHUNK = 50; // as in view_state.py
const SPARE = 8; // rows drawn above and below the window
const TALLEST_PX = 15e6; // browsers cut off what is higher
const CHECK_PX = 34;

class Grid {
  constructor(send, say) {
    this.send = send;
    this.say = say;
    this.id = unique();
    this.data = { number: -1, rows: 0, columns: [], sort: [], openings: [] };
    this.chunks = new Map();
    this.asked = new Set();
    this.cursor = { row: 0, column: 0 };
    this.anchor = null;
    this.drawn = "";
    this.rows = new Map(); // the rows that are drawn, by place, with what they say
    this.head = el("div", { class: "tkf-header", role: "row", "aria-rowindex": 1 });
    this.body = el("div", { class: "tkf-body", role: "rowgroup" });
    this.empty = el("div", { class: "tkf-empty", hidden: true });
    this.element = el(
      "div",
      {
        class: "tkf-grid", role: "grid", tabindex: 0, "aria-label": "rows", "aria-multiselectable": "true",
        on: {
          scroll: () => this.draw(),
          keydown: (event) => this.key(event),
          focus: () => this.markCursor(),
          blur: () => this.markCursor(),
        },
      },
      this.head, this.body, this.empty,
    );
    this.ask = later(() => this.request(), 25);
    this.body.addEventListener("mousedown", (event) => this.pressed(event));
    this.body.addEventListener("click", (event) => this.click(event));
    this.watcher = new ResizeObserver(() => this.draw());
    this.watcher.observe(this.element);
  }

  remove() {
    this.watcher.disconnect();
  }

  // ── what the kernel says ──

  update(data) {
    const moved = data.moves !== this.data.moves;
    if (data.number !== this.data.number) this.anchor = null;
    this.data = data;
    this.chunks = new Map([[0, data.first]]);
    this.asked = new Set();
    if (moved) this.element.scrollTop = 0;
    this.shape = JSON.stringify([data.columns.map(({ id, align, kind }) => [id, align, kind]), data.openings]);
    if (this.cursor.row >= 0) this.cursor.row = moved ? 0 : Math.max(0, Math.min(this.cursor.row, data.rows - 1)); // else it is in the header
    this.cursor.column = Math.min(this.cursor.column, data.columns.length + 1);
    this.element.setAttribute("aria-rowcount", data.rows + 1);
    this.element.setAttribute("aria-colcount", data.columns.length + 2);
    this.drawHead();
    this.draw(true);
  }

  choice(data) {
    this.all = data.all ? true : data.rows - data.hidden > 0 ? null : false;
    this.drawHead();
    this.asked = new Set();
    const seen = this.seen();
    for (const place of this.chunks.keys()) if (!seen.includes(place)) this.chunks.delete(place); // chosen or not, as it was
    for (const place of seen) this.requestChunk(place);
  }

  take({ chunk, number, rows }) {
    this.asked.delete(chunk);
    if (number !== this.data.number) return;
    this.chunks.set(chunk, rows);
    if (this.seen().includes(chunk)) this.draw(true);
  }

  // ── drawing ──

  widths() {
    const openings = this.data.openings.reduce((sum, label) => sum + 15 + label.length * 6.2, 36);
    return [CHECK_PX, ...this.data.columns.map((column) => column.width), Math.round(openings)];
  }

  drawHead() {
    this.element.style.setProperty("--tkf-columns", this.widths().map((width) => `${width}px`).join(" "));
    this.head.replaceChildren(...headCells(this));
    this.markCursor();
  }

  resize(column, width, tell = true) {
    const widths = this.widths();
    widths[this.data.columns.indexOf(column) + 1] = width;
    this.element.style.setProperty("--tkf-columns", widths.map((w) => `${w}px`).join(" "));
    if (!tell) return;
    column.width = width;
    this.send({ do: "width", id: column.id, width });
  }

  fitting(column) {
    const place = this.data.columns.indexOf(column) + 2;
    const cells = this.element.querySelectorAll(`.tkf-row > :nth-child(${place}), .tkf-header > :nth-child(${place})`);
    return Math.min(700, Math.max(60, ...[...cells].map((cell) => textWidth(cell) + 26)));
  }

  span() {
    const full = this.data.rows * ROW_PX;
    const shown = Math.max(ROW_PX, this.element.clientHeight - this.head.offsetHeight);
    const height = Math.min(full, TALLEST_PX);
    const share = height > shown ? this.element.scrollTop / (height - shown) : 0;
    const top = height < full ? share * (full - shown) : this.element.scrollTop;
    return { height, top, offset: this.element.scrollTop - top, first: Math.floor(top / ROW_PX), last: Math.ceil((top + shown) / ROW_PX) };
  }

  draw(anew = false) {
    const { height, offset, first, last } = this.span();
    const from = Math.max(0, first - SPARE);
    const to = Math.min(this.data.rows, last + SPARE);
    const drawn = `${from}-${to}-${offset}-${this.data.number}`;
    if (!anew && drawn === this.drawn) return;
    this.drawn = drawn;
    this.body.style.height = `${height}px`;
    this.drawRows(from, to, offset);
    this.empty.hidden = this.data.rows > 0;
    this.markCursor();
    this.ask();
  }

  // A row that says the same stays as it is: a press on it is not lost, nor is the text that is marked in it.
  drawRows(from, to, offset) {
    const before = this.rows;
    this.rows = new Map();
    for (let place = from; place < to; place++) {
      const data = this.at(place);
      const said = JSON.stringify(data) + this.shape;
      const { row } = before.get(place)?.said === said ? before.get(place) : { row: this.row(place, data) };
      row.style.top = `${place * ROW_PX + offset}px`;
      this.rows.set(place, { row, said });
    }
    for (const [place, { row }] of before) if (this.rows.get(place)?.row !== row) row.remove();
    const drawn = this.body.children;
    [...this.rows.values()].forEach(({ row }, at) => drawn[at] === row || this.body.insertBefore(row, drawn[at] ?? null));
  }

  at(place) {
    return this.chunks.get(Math.floor(place / CHUNK))?.[place % CHUNK];
  }

  row(place, data) {
    const chosen = Boolean(data?.[0]);
    const row = el("div", {
      class: `tkf-row${chosen ? " tkf-chosen" : ""}${place % 2 ? " tkf-odd" : ""}${data ? "" : " tkf-absent"}`, role: "row",
      "aria-rowindex": place + 2, "aria-selected": String(chosen), "data-place": place, "data-key": data?.[1] ?? "",
    });
    row.append(el("div", { class: "tkf-cell tkf-check", role: "gridcell", id: this.cellId(place, 0), "aria-label": chosen ? "selected" : "not selected" }, chosen ? "☑" : "☐"));
    this.data.columns.forEach((column, index) => row.append(this.cell(data ? data[index + 2] : "…", column, this.cellId(place, index + 1))));
    row.append(this.openings(place, data));
    return row;
  }

  cell(value, column, id) {
    const [text, hover, mark] = Array.isArray(value) ? value : [value, "", ""];
    const title = hover || (text.length > 12 ? text : "");
    return el("div", { class: `tkf-cell tkf-${column.align}${mark ? ` tkf-mark-${mark}` : ""}${column.kind === "id" ? " tkf-id" : ""}`, role: "gridcell", id, title }, text);
  }

  openings(place, data) {
    const links = this.data.openings.map((label) =>
      el("button", { type: "button", class: "tkf-link", tabindex: -1, "data-open": label, title: `open the ${label} of this row` }, `${label} ›`),
    );
    const copy = el("button", { type: "button", class: "tkf-link", tabindex: -1, "data-copy": "", title: `copy ${data?.[1] ?? ""}`, "aria-label": "copy the path" }, "❐");
    return el("div", { class: "tkf-cell tkf-openings", role: "gridcell", id: this.cellId(place, this.data.columns.length + 1) }, ...links, copy);
  }

  cellId(place, column) {
    return `${this.id}-${place}-${column}`;
  }

  markCursor() {
    const { row, column } = this.cursor;
    const id = row < 0 ? `${this.id}-h-${column}` : this.cellId(row, column);
    for (const old of this.element.querySelectorAll(".tkf-cursor")) old.classList.remove("tkf-cursor");
    const cell = this.element.querySelector(`[id="${id}"]`);
    if (cell && document.activeElement === this.element) cell.classList.add("tkf-cursor");
    if (cell) this.element.setAttribute("aria-activedescendant", id);
    else this.element.removeAttribute("aria-activedescendant");
  }

  // ── asking for rows ──

  seen() {
    const { first, last } = this.span();
    const chunks = [];
    const end = Math.floor(Math.min(last + SPARE, this.data.rows - 1) / CHUNK);
    for (let place = Math.floor(Math.max(0, first - SPARE) / CHUNK); place <= end; place++) chunks.push(place);
    return chunks;
  }

  request() {
    for (const place of this.seen()) if (!this.chunks.has(place)) this.requestChunk(place);
    if (this.chunks.size > 60) for (const place of this.chunks.keys()) if (!this.seen().includes(place) && place) this.chunks.delete(place);
  }

  requestChunk(place) {
    if (this.asked.has(place)) return;
    this.asked.add(place);
    this.send({ do: "rows", number: this.data.number, place });
  }

  // ── mouse ──

  // A button of a row does not take the focus, which would be lost as soon as the row is drawn again.
  pressed(event) {
    const onButton = event.target.closest("button");
    if (onButton || event.shiftKey) event.preventDefault();
    if (onButton) this.element.focus({ preventScroll: true });
  }

  click(event) {
    const row = event.target.closest(".tkf-row");
    if (!row) return;
    const place = Number(row.dataset.place);
    const label = event.target.dataset.open;
    if (label) return this.send({ do: "open", label, place, number: this.data.number });
    if ("copy" in event.target.dataset) return this.copy(row.dataset.key);
    if (this.marked()) return; // text was marked, to be copied
    this.cursor = { row: place, column: this.columnAt(event.target) };
    if (event.shiftKey && this.anchor !== null) this.choose("add", this.anchor, place);
    else this.choose("toggle", place, place);
    if (!event.shiftKey) this.anchor = place;
    this.markCursor();
  }

  marked() {
    const marked = document.getSelection();
    return String(marked) && this.body.contains(marked.anchorNode);
  }

  columnAt(target) {
    const cell = target.closest(".tkf-cell");
    return cell ? [...cell.parentElement.children].indexOf(cell) : 0;
  }

  choose(how, first, last) {
    this.send({ do: "choose", how, first, last, number: this.data.number });
  }

  toggleAll() {
    this.send({ do: "choose", how: this.all === true ? "none" : "all", number: this.data.number });
  }

  sort(id, add) {
    const at = this.data.sort.find((name) => name.replace(/^-/, "") === id);
    const next = at === undefined ? [id] : at.startsWith("-") ? [] : [`-${id}`];
    if (!add) return this.send({ do: "sort", sort: next });
    const others = this.data.sort.filter((name) => name !== at);
    const place = at === undefined ? others.length : this.data.sort.indexOf(at);
    others.splice(place, 0, ...next);
    this.send({ do: "sort", sort: others });
  }

  move(id, to) {
    const columns = this.data.columns.map((column) => column.id);
    const from = columns.indexOf(id);
    if (from < 0 || to < 0 || to >= columns.length || from === to) return;
    columns.splice(to, 0, columns.splice(from, 1)[0]);
    this.send({ do: "columns", columns });
  }

  async copy(text) {
    await copied(text);
    this.say(`copied ${text}`);
  }

  // ── keys ──

  key(event) {
    if (event.target !== this.element) return; // a button within it has keys of its own
    const { row, column } = this.cursor;
    const page = Math.max(1, Math.floor((this.element.clientHeight - 2 * ROW_PX) / ROW_PX));
    const modified = event.ctrlKey || event.metaKey;
    if (event.altKey && row < 0 && column > 0) return this.headKey(event);
    const steps = { ArrowDown: [1, 0], ArrowUp: [-1, 0], PageDown: [page, 0], PageUp: [-page, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
    if (event.key in steps) this.moveTo(row + steps[event.key][0], column + steps[event.key][1], event.shiftKey && steps[event.key][0] !== 0);
    else if (event.key === "Home") this.moveTo(modified ? 0 : row, modified ? column : 0, event.shiftKey && modified);
    else if (event.key === "End") this.moveTo(modified ? this.data.rows - 1 : row, modified ? column : this.data.columns.length + 1, event.shiftKey && modified);
    else if (modified && event.key.toLowerCase() === "a") this.choose("all", 0, 0);
    else if (modified && event.key.toLowerCase() === "c" && !this.marked()) this.copy(this.cursorText());
    else if (event.key === "Escape") this.choose("none", 0, 0);
    else if (event.key === " " && row >= 0) this.space(event.shiftKey);
    else if (event.key === "Enter" || event.key === " ") this.enter(event.shiftKey);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  headKey(event) {
    const place = this.cursor.column - 1;
    const column = this.data.columns[place];
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!column || !step) return;
    event.preventDefault();
    event.stopPropagation();
    if (!event.shiftKey) return this.resize(column, Math.max(40, column.width + 20 * step));
    this.move(column.id, place + step);
    this.cursor.column = Math.max(1, Math.min(this.data.columns.length, this.cursor.column + step));
  }

  space(ranging) {
    const { row } = this.cursor;
    if (ranging && this.anchor !== null) return this.choose("add", this.anchor, row);
    this.anchor = row;
    this.choose("toggle", row, row);
  }

  enter(second) {
    const { row, column } = this.cursor;
    if (row < 0) return column === 0 ? this.toggleAll() : this.data.columns[column - 1] && this.sort(this.data.columns[column - 1].id, second);
    const label = this.data.openings[second ? 1 : 0];
    if (label) this.send({ do: "open", label, place: row, number: this.data.number });
  }

  moveTo(row, column, ranging) {
    const before = this.cursor.row;
    this.cursor = { row: Math.max(-1, Math.min(this.data.rows - 1, row)), column: Math.max(0, Math.min(this.data.columns.length + 1, column)) };
    if (ranging && before >= 0 && this.cursor.row >= 0) {
      if (!this.isRanging) this.anchor = before;
      this.choose("add", this.anchor, this.cursor.row);
    }
    this.isRanging = ranging;
    this.reveal();
    this.draw(true);
  }

  reveal() {
    const { row, column } = this.cursor;
    if (row >= 0) {
      const shown = this.element.clientHeight - this.head.offsetHeight;
      const { height, top } = this.span();
      const scale = height < this.data.rows * ROW_PX ? (height - shown) / (this.data.rows * ROW_PX - shown) : 1;
      if (row * ROW_PX < top) this.element.scrollTop = Math.floor(row * ROW_PX * scale);
      else if ((row + 1) * ROW_PX > top + shown) this.element.scrollTop = Math.ceil(((row + 1) * ROW_PX - shown) * scale);
    }
    const widths = this.widths();
    const left = widths.slice(0, column).reduce((sum, width) => sum + width, 0);
    if (left < this.element.scrollLeft) this.element.scrollLeft = column > 1 ? left : 0;
    const seen = this.element.clientWidth - (column < widths.length - 1 ? widths.at(-1) : 0); // the last one stays in sight
    if (left + widths[column] > this.element.scrollLeft + seen) this.element.scrollLeft = Math.min(left, left + widths[column] - seen);
  }

  cursorText() {
    const { row, column } = this.cursor;
    const data = this.at(row);
    if (!data) return "";
    const [text, whole] = [column >= 1 && column <= this.data.columns.length ? data[column + 1] : data[1]].flat();
    return text.endsWith("…") && whole ? whole : text;
  }
}
