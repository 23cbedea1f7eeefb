// What each column holds, below the header: a histogram, or a bar of the most frequent values; a click or brush filters.

import { button, el, svg } from "./dom.js";
import { barBoxes, binAt, describeGroup, describeSummary, PLOT_HEIGHT } from "./summary_scale.js";
import { formatShare } from "./text.js";

/** @import { Column, Request, Summaries, Summary } from "./messages.js" */
/** @import { Group } from "./summary_scale.js" */

const NA = -1; // the group of rows without a value, in a request

/** @typedef {(first: number, last: number) => void} Pick */

export class SummaryRow {
  /** @param {(request: Request) => void} send */
  constructor(send) {
    this.send = send;
    this.element = el("div", { class: "tkf-summaries", role: "row" });
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
    this.element.replaceChildren(el("div", { role: "gridcell" }), ...cells);
  }

  /** @param {Column} column @param {Summary | undefined} summary */
  makeCell(column, summary) {
    if (!summary) return el("div", { class: "tkf-summary", role: "gridcell" });
    const pick = (/** @type {number} */ first, /** @type {number} */ last) =>
      this.send({ do: "pick", id: summary.id, first, last, number: this.data.number });
    const props = { class: "tkf-summary", role: "gridcell", "data-summary": summary.id };
    const label = `${column.label}: ${describeSummary(summary)}`;
    const picture = summary.kind === "histogram" ? makeHistogram(summary, label, pick) : makeShares(summary, pick);
    return el("div", { ...props, "aria-label": label }, picture, makeCaption(summary, pick));
  }
}

/** @param {Summary} summary @param {string} label @param {Pick} pick */
function makeHistogram(summary, label, pick) {
  const bars = barBoxes(summary).map(({ x, width, height, shown }, at) =>
    svg(
      "g",
      {},
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
    makeShare(group, `tkf-share-${at}`, summary.picks && (() => pick(at, at)), summary.labels[at]),
  );
  const rest = makeShare(describeGroup(summary, summary.counts.length), "tkf-share-rest", false);
  return el("div", { class: "tkf-shares" }, ...values, rest);
}

/** @param {Group} group @param {string} look @param {false | (() => void)} pick @param {string} [label] */
function makeShare({ rows, title, isHidden }, look, pick, label) {
  if (!rows) return null;
  const looks = `tkf-share ${look}${isHidden ? " tkf-share-hidden" : ""}`;
  const props = { class: looks, title, style: { flexGrow: String(rows) } };
  if (!pick) return el("span", props);
  return button("", pick, { ...props, "aria-label": title, tabindex: -1, "data-name": `pick ${label}` });
}

/** @param {Summary} summary @param {Pick} pick */
function makeCaption(summary, pick) {
  const { kind, counts, rows, na, caption } = summary;
  const share = kind === "values" && counts.length ? `${formatShare(counts[0], rows)} ` : "";
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
