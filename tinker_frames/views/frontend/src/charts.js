// Charts of the rows that match; a click or brush filters by the groups of a chart.

import { makeMarkKey } from "./chart_axis.js";
import { makeBars } from "./chart_bars.js";
import { makeBrush } from "./chart_brush.js";
import { countBins, describeBins, describeSteps } from "./chart_scale.js";
import { drawSteps } from "./chart_steps.js";
import { drawTime } from "./chart_time.js";
import { el, redraw, svg, uniqueId } from "./dom.js";

/** @import { Chart, ChartList, Request, StepsChart, TimeChart } from "./messages.js" */

/** @typedef {(first: number, last: number) => void} Pick */

const PADDING = 22; // of a figure, both sides with its border

export class Charts {
  /** @param {(request: Request) => void} send */
  constructor(send) {
    this.send = send;
    /** @type {ChartList} */
    this.data = { number: -1, charts: [] };
    this.widths = ""; // of the pictures, when they were drawn
    this.element = el("div", { class: "tkf-charts", role: "group", "aria-label": "charts of the rows that match" });
    this.observer = new ResizeObserver(() => this.resize());
    this.observer.observe(this.element);
  }

  remove() {
    this.observer.disconnect();
  }

  /** @param {ChartList} data */
  update(data) {
    this.data = data;
    this.element.hidden = !data.charts.length;
    redraw(this.element, () => {
      this.element.replaceChildren(...data.charts.map((chart) => this.makeChart(chart)));
      this.widths = "";
      this.draw();
    });
  }

  resize() {
    redraw(this.element, () => this.draw());
  }

  // Charts have the width of their figures, which the style sheet sets.
  draw() {
    const slots = /** @type {HTMLElement[]} */ ([...this.element.querySelectorAll("[data-chart]")]);
    const widths = slots.map((slot) => slot.closest("figure")?.clientWidth ?? 0);
    if (!widths.every(Boolean) || widths.join() === this.widths) return;
    this.widths = widths.join();
    slots.forEach((slot, at) => {
      this.drawInto(slot, widths[at] - PADDING);
    });
  }

  /** @param {Chart} chart */
  makeChart(chart) {
    const title = el("figcaption", { id: uniqueId() }, chart.title);
    const text = chart.text && el("div", { class: "tkf-chart-text tkf-muted" }, chart.text);
    const props = { class: `tkf-chart tkf-chart-${chart.kind}`, "data-name": `chart ${chart.id}` };
    if ("bars" in chart) {
      const bars = makeBars(chart, this.makePick(chart));
      return el("figure", { ...props, role: "group", "aria-labelledby": title.id }, title, text, bars);
    }
    const isEmpty = "series" in chart && !chart.series.length;
    const slot = isEmpty ? null : el("div", { class: "tkf-picture", "data-chart": chart.id });
    return el("figure", { ...props, "aria-labelledby": title.id }, title, text, slot, ...makeKey(chart));
  }

  /** @param {HTMLElement} slot @param {number} width in pixels */
  drawInto(slot, width) {
    const chart = this.data.charts.find((chart) => chart.id === slot.dataset.chart);
    if (!chart || !("low" in chart || "series" in chart)) return;
    const { picture, area } = "low" in chart ? drawSteps(chart, width) : drawTime(chart, width);
    const text = slot.parentElement?.querySelector(".tkf-chart-text");
    const hint = "Arrow keys move, Shift extends, Enter filters.";
    const looks = { tabindex: 0, role: "application", "data-name": `picture ${chart.id}` };
    for (const [name, value] of Object.entries(looks)) picture.setAttribute(name, String(value));
    picture.setAttribute("aria-label", `${chart.title}. ${chart.text} ${hint}`);
    picture.prepend(svg("desc", {}, chart.text));
    makeBrush({
      picture,
      area,
      bins: "low" in chart ? chart.bins : countBins(chart),
      describe: (first, last) => describeGroups(chart, first, last),
      say: (said) => text && Object.assign(text, { textContent: said || chart.text }),
      pick: this.makePick(chart),
    });
    slot.replaceChildren(picture);
  }

  /** @param {Chart} chart @returns {Pick} */
  makePick({ id }) {
    return (first, last) => this.send({ do: "pick_chart", id, first, last, number: this.data.number });
  }
}

/** @param {StepsChart | TimeChart} chart @param {number} first @param {number} last */
const describeGroups = (chart, first, last) =>
  "low" in chart ? describeSteps(chart, first, last) : describeBins(chart, first, last);

/** Return what the looks of marks mean, where there are several. @param {TimeChart | StepsChart} chart */
function makeKey(chart) {
  if ("low" in chart) return [makeMarkKey(chart)];
  if (chart.series.length < 2) return [];
  const items = chart.series.map(({ label, look }) =>
    el("span", {}, el("span", { class: `tkf-swatch tkf-look-${look}` }), label),
  );
  return [el("div", { class: "tkf-key" }, ...items)];
}
