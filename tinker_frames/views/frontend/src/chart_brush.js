// Clicks, brushing and keys on the bins of a chart: arrows move, Shift extends, Enter filters.

import { binAt } from "./chart_scale.js";
import { svg } from "./dom.js";

/** @import { Area } from "./chart_scale.js" */

/**
 * @typedef {object} Brushed what a chart with bins needs to be brushed
 * @property {SVGSVGElement} picture
 * @property {Area} area
 * @property {number} bins
 * @property {(first: number, last: number) => string} describe
 * @property {(text: string) => void} say shows what is under the pointer; no text for the chart's own
 * @property {(first: number, last: number) => void} pick
 */

/** @type {Record<string, number>} */
const MOVES = { ArrowLeft: -1, ArrowRight: 1, Home: Number.NEGATIVE_INFINITY, End: Number.POSITIVE_INFINITY };

/** Make the bins of a chart react to the pointer and to keys. @param {Brushed} chart */
export function makeBrush(chart) {
  const { picture, area, bins } = chart;
  const band = svg("rect", { class: "tkf-band", y: area.top, height: area.bottom - area.top, visibility: "hidden" });
  picture.append(band);
  let from = -1; // the bin where brushing began
  let at = bins - 1; // the bin that the keys are at

  /** @param {number} one @param {number} other */
  const show = (one, other) => {
    const [first, last] = [Math.min(one, other), Math.max(one, other)];
    const width = (area.right - area.left) / bins;
    band.setAttribute("x", String(area.left + first * width));
    band.setAttribute("width", String((last - first + 1) * width));
    band.setAttribute("visibility", "visible");
    chart.say(chart.describe(first, last));
  };
  const hide = () => {
    from = -1;
    band.setAttribute("visibility", "hidden");
    chart.say("");
  };
  /** @param {number} one @param {number} other */
  const pick = (one, other) => chart.pick(Math.min(one, other), Math.max(one, other));
  const binOf = (/** @type {PointerEvent} */ event) =>
    binAt(event.clientX - picture.getBoundingClientRect().left, bins, area);

  picture.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    from = at = binOf(event);
    picture.setPointerCapture(event.pointerId);
    show(from, from);
  });
  picture.addEventListener("pointermove", (event) => {
    at = binOf(event);
    show(from < 0 ? at : from, at);
  });
  picture.addEventListener("pointerup", (event) => {
    if (from >= 0) pick(from, binOf(event));
    from = -1;
  });
  picture.addEventListener("pointerleave", () => from < 0 && hide());
  picture.addEventListener("pointercancel", hide);
  picture.addEventListener("blur", hide);
  picture.addEventListener("keydown", (event) => {
    if (event.key in MOVES) {
      if (!event.shiftKey) from = -1;
      else if (from < 0) from = at;
      at = Math.max(0, Math.min(bins - 1, at + MOVES[event.key]));
      show(from < 0 ? at : from, at);
    } else if (event.key === "Enter" || event.key === " ") pick(from < 0 ? at : from, at);
    else return;
    event.preventDefault();
  });
}
