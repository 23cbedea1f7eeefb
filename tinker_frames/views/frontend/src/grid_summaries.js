// What each column holds, below the header: a histogram, or a bar of the most frequent values; a click or brush filters.

import { button, el, redraw, svg } from "./dom.js";
import { barBoxes, binAt, describeGroup, describeSummary, PLOT_HEIGHT, shareOfTop } from "./summary_scale.js";
import { formatShare } from "./text.js";
import { moveInToolbar } from "./toolbar.js";

/** @import { Column, Request, Summaries, Summary } from "./messages.js" */
/** @import { Group } from "./summary_scale.js" */

const NA = -1; // the group of rows without a value, in a request

/** @typedef {(first: number, last: number) => void} Pick */

export class SummaryRow {
  /** @param {(request: Request) => void} send */
  constructor(send) {
    this.send = send;
    const on = { keydown: (/** @type {KeyboardEvent} */ event) => this.handleKey(event) };
    this.element = el("div", { class: "tkf-summaries", role: "row", on });
    this.at = { id: "", group: 0 }; // where the keys are
    /** @type {Column[]} */
    this.columns = [];
    /** @type {Summaries} */
    this.data = { number: -1, columns: [] };
  }

  /** @param {Summaries} data */
  update(data) {
    this.data = data;
    this.draw(this.columns);
  }

  /** @param {Column[]} columns */
  draw(columns) {
    this.columns = columns;
    const found = new Map(this.data.columns.map((summary) => [summary.id, summary]));
    const cells = columns.map((column) => this.makeCell(column, found.get(column.id)));
    redraw(this.element, () => {
      this.element.replaceChildren(el("div", { role: "gridcell" }), ...cells);
      this.setStop();
    });
  }

  // ── keys: left and right between columns, up and down between the groups of one ──

  /** @returns {HTMLElement[]} the cells that the keys reach */
  get stops() {
    return [...this.element.querySelectorAll("[data-summary]")].map((cell) => /** @type {HTMLElement} */ (cell));
  }

  setStop() {
    const { stops } = this;
    const stop = stops.find((cell) => cell.dataset.summary === this.at.id) ?? stops[0];
    for (const cell of stops) cell.tabIndex = cell === stop ? 0 : -1;
  }

  /** @param {KeyboardEvent} event */
  handleKey(event) {
    const { stops } = this;
    const at = stops.indexOf(/** @type {HTMLElement} */ (event.target));
    const summary = this.data.columns.find(({ id }) => id === stops[at]?.dataset.summary);
    if (!summary) return;
    const to = moveInToolbar(event.key, at, stops.length);
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (to !== null) this.enter(stops[to], 0);
    else if (step) this.enter(stops[at], this.at.group + step);
    else if (event.key === "Enter" || event.key === " ") this.pickGroup(summary);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  /** Move to a group of a column, and say it. @param {HTMLElement} cell @param {number} group */
  enter(cell, group) {
    const summary = this.data.columns.find(({ id }) => id === cell.dataset.summary);
    if (!summary) return;
    const groups = groupsOf(summary);
    this.at = { id: summary.id, group: groups.length ? (group + groups.length) % groups.length : 0 };
    this.setStop();
    const place = groups[this.at.group];
    const title =
      place === undefined ? "no rows" : describeGroup(summary, place < 0 ? summary.counts.length + 1 : place).title;
    cell.setAttribute("aria-label", `${summary.id}: ${title}`);
    for (const mark of this.element.querySelectorAll(".tkf-at")) mark.classList.remove("tkf-at");
    const text = cell.querySelector(".tkf-summary-text");
    if (text) text.textContent = title;
    const mark = place >= 0 ? `[data-group="${place}"]` : ".tkf-summary-na";
    cell.querySelector(mark)?.classList.add("tkf-at");
    cell.focus({ preventScroll: false });
  }

  /** @param {Summary} summary */
  pickGroup(summary) {
    const place = groupsOf(summary)[this.at.group];
    if (place < 0 ? summary.picks_na : summary.picks)
      this.send({ do: "pick", id: summary.id, first: place, last: place, number: this.data.number });
  }

  /** @param {Column} column @param {Summary | undefined} summary */
  makeCell(column, summary) {
    if (!summary) return el("div", { class: "tkf-summary", role: "gridcell" });
    const pick = (/** @type {number} */ first, /** @type {number} */ last) =>
      this.send({ do: "pick", id: summary.id, first, last, number: this.data.number });
    const props = {
      class: "tkf-summary",
      role: "gridcell",
      tabindex: -1,
      "data-summary": summary.id,
      "data-name": `summary ${summary.id}`,
    };
    const label = `${column.label}: ${describeSummary(summary)}`;
    const picture = summary.kind === "histogram" ? makeHistogram(summary, label, pick) : makeShares(summary, pick);
    return el("div", { ...props, "aria-label": label }, picture, makeCaption(summary, pick));
  }
}

/** Return the groups that the keys reach: the bins or values that have rows, then NA. @param {Summary} summary */
function groupsOf({ counts, na }) {
  const filled = counts.flatMap((rows, at) => (rows ? [at] : []));
  return na ? [...filled, NA] : filled;
}

/** @param {Summary} summary @param {string} label @param {Pick} pick */
function makeHistogram(summary, label, pick) {
  const bars = barBoxes(summary).map(({ x, width, height, shown }, at) =>
    svg(
      "g",
      { "data-group": at },
      svg("title", {}, describeGroup(summary, at).title),
      svg("rect", { class: "tkf-bin-room", x, y: 0, width, height: PLOT_HEIGHT }),
      svg("rect", { class: "tkf-bin-other", x, y: PLOT_HEIGHT - height, width, height }),
      svg("rect", { class: "tkf-bin", x, y: PLOT_HEIGHT - shown, width, height: shown }),
    ),
  );
  const plot = svg(
    "svg",
    {
      class: "tkf-histogram",
      viewBox: `0 0 100 ${PLOT_HEIGHT}`,
      preserveAspectRatio: "none",
      role: "img",
      "aria-label": label,
    },
    ...bars,
  );
  if (summary.picks && summary.counts.length) addBrush(plot, summary.counts.length, pick);
  return plot;
}

/** Pick the bins that are clicked, or dragged over. @param {SVGElement} plot @param {number} bins @param {Pick} pick */
function addBrush(plot, bins, pick) {
  /** @type {number | null} */
  let start = null;
  const brush = svg("rect", { class: "tkf-brush", y: 0, height: PLOT_HEIGHT, width: 0 });
  const at = (/** @type {PointerEvent} */ event) => binAt(event.clientX, plot.getBoundingClientRect(), bins);
  const draw = (/** @type {number} */ end) => {
    brush.setAttribute("x", String((100 * Math.min(start ?? end, end)) / bins));
    brush.setAttribute("width", String((100 * (Math.abs((start ?? end) - end) + 1)) / bins));
  };
  plot.classList.add("tkf-picked");
  plot.append(brush);
  plot.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    event.preventDefault();
    start = at(event);
    plot.setPointerCapture(event.pointerId);
    draw(start);
  });
  plot.addEventListener("pointermove", (event) => start !== null && draw(at(event)));
  plot.addEventListener("pointerup", (event) => {
    if (start !== null) pick(Math.min(start, at(event)), Math.max(start, at(event)));
    start = null;
  });
  plot.addEventListener("pointercancel", () => {
    start = null;
    brush.setAttribute("width", "0");
  });
}

/** @param {Summary} summary @param {Pick} pick */
function makeShares(summary, pick) {
  const groups = summary.counts.map((_, at) => describeGroup(summary, at));
  const values = groups.map((group, at) =>
    makeShare({ ...group, at }, `tkf-share-${at}`, summary.picks && (() => pick(at, at)), summary.labels[at]),
  );
  const rest = makeShare(describeGroup(summary, summary.counts.length), "tkf-share-rest", false);
  return el("div", { class: "tkf-shares" }, ...values, rest);
}

/** @param {Group & { at?: number }} group @param {string} look @param {false | (() => void)} pick @param {string} [label] */
function makeShare({ rows, title, isHidden, at }, look, pick, label) {
  if (!rows) return null;
  const looks = `tkf-share ${look}${isHidden ? " tkf-share-hidden" : ""}`;
  const props = { class: looks, title, "data-group": at, style: { flexGrow: String(rows) } };
  if (!pick) return el("span", props);
  return button("", pick, { ...props, "aria-label": title, tabindex: -1, "data-name": `pick ${label}` });
}

/** @param {Summary} summary @param {Pick} pick */
function makeCaption(summary, pick) {
  const { counts, rows, na, caption } = summary;
  const share = shareOfTop(summary);
  const text = `${formatShare(na, rows)} NA`;
  const { title } = describeGroup(summary, counts.length + 1);
  const looks = { class: "tkf-link tkf-summary-na", title, tabindex: -1, "aria-label": title };
  const missing = summary.picks_na
    ? button(text, () => pick(NA, NA), looks)
    : el("span", { class: "tkf-summary-na", title }, text);
  return el(
    "div",
    { class: "tkf-summary-line" },
    el("span", { class: "tkf-summary-text", title: share + caption }, share + caption),
    na > 0 && missing,
  );
}
