// Charts of the rows that match: bars of storage, columns over time; a click filters. Plain SVG, no library.

import { axisEnds, barLengths, CHART_HEIGHT, columnBoxes } from "./chart_scale.js";
import { el, redraw, svg } from "./dom.js";

/** @import { Bar, Chart, Request } from "./messages.js" */

const GAP = 0.08; // fraction of a column's width, on each side

export class Charts {
  /** @param {(request: Request) => void} send */
  constructor(send) {
    this.send = send;
    this.element = el("div", { class: "tkf-charts", role: "group", "aria-label": "pictures of the rows that match" });
  }

  /** @param {Chart[]} charts */
  update(charts) {
    this.element.hidden = !charts.length;
    redraw(this.element, () => this.element.replaceChildren(...charts.map((chart) => this.makeChart(chart))));
  }

  /** @param {Chart} chart */
  makeChart(chart) {
    const pick = (/** @type {Bar} */ bar) => this.pick(bar);
    const drawn = chart.kind === "bars" ? makeBars(chart, pick) : makeColumns(chart, pick);
    return el("figure", { class: "tkf-chart" }, el("figcaption", {}, chart.title), drawn);
  }

  /** Filter by what a bar stands for. @param {Bar} bar */
  pick(bar) {
    for (const [name, value] of Object.entries(bar.picks ?? {})) this.send({ do: "filter", name, value });
  }
}

const makeNothing = () => el("div", { class: "tkf-muted" }, "nothing");

/** @param {Chart} chart @param {(bar: Bar) => void} pick */
function makeBars(chart, pick) {
  if (!chart.bars.length) return makeNothing();
  const lengths = barLengths(chart.bars);
  return el("div", { class: "tkf-bars" }, ...chart.bars.map((bar, at) => makeBar(chart, bar, lengths[at], pick)));
}

/** @param {Chart} chart @param {Bar} bar @param {number} length in percent @param {(bar: Bar) => void} pick */
function makeBar(chart, bar, length, pick) {
  return el(
    "button",
    {
      type: "button",
      class: "tkf-bar-row",
      disabled: !bar.picks,
      title: `${bar.label}: ${bar.text}`,
      "data-name": `${chart.title} ${bar.label}`,
      on: { click: () => pick(bar) },
    },
    el("span", { class: `tkf-bar-fill${bar.picks ? "" : " tkf-rest"}`, style: { width: `${length}%` } }),
    el("span", { class: "tkf-bar-label" }, bar.label),
    el("span", { class: "tkf-bar-text" }, bar.text),
  );
}

/** @param {Chart} chart @param {(bar: Bar) => void} pick */
function makeColumns(chart, pick) {
  if (!chart.bars.length) return makeNothing();
  const boxes = columnBoxes(chart.bars);
  const columns = chart.bars.map((bar, at) =>
    svg("g", {}, makeColumn(boxes[at]), makeHitArea(chart, bar, boxes[at], pick)),
  );
  return el(
    "div",
    { class: "tkf-columns" },
    svg("svg", { viewBox: `0 0 100 ${CHART_HEIGHT}`, preserveAspectRatio: "none", role: "group" }, ...columns),
    el("div", { class: "tkf-axis" }, ...axisEnds(chart.bars).map((text) => el("span", {}, text))),
  );
}

/** @param {import("./chart_scale.js").Box} box */
function makeColumn({ x, y, width, height }) {
  return svg("rect", { class: "tkf-column-fill", x: x + width * GAP, y, width: width * (1 - 2 * GAP), height });
}

/**
 * Make the click target of a column, which is as high as the chart.
 *
 * @param {Chart} chart
 * @param {Bar} bar
 * @param {import("./chart_scale.js").Box} box
 * @param {(bar: Bar) => void} pick
 */
function makeHitArea(chart, bar, { x, width }, pick) {
  const label = `${bar.label}: ${bar.text}`;
  const area = { class: "tkf-column", x, y: 0, width, height: CHART_HEIGHT };
  const roles = { tabindex: 0, role: "button", "aria-label": label, "data-name": `${chart.title} ${bar.label}` };
  const hit = svg("rect", { ...area, ...roles }, svg("title", {}, label));
  hit.addEventListener("click", () => pick(bar));
  hit.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    pick(bar);
  });
  return hit;
}
