// Places and texts of the curve of a metric, without the DOM.

import { nice, ticks } from "d3-array";
import { formatCount, formatRows } from "./text.js";

/** @import { Area, Tick } from "./chart_scale.js" */
/** @import { Curve, CurveMark } from "./messages.js" */

const TICKS = 4; // about so many values on the axis

/** Return a value of a metric in at most so many digits. @param {number} value @param {number} digits */
export function formatMetric(value, digits) {
  const rounded = Number(value.toPrecision(digits));
  const size = Math.abs(rounded);
  if (size && (size < 1e-3 || size >= 1e6)) return rounded.toExponential().replace("e+", "e");
  return rounded.toLocaleString("en-US", { maximumSignificantDigits: digits });
}

/** Return the ends of both axes; those of the values are round. @param {Curve} curve */
export function findEnds({ points, marks }) {
  const steps = [...points.map(([step]) => step), ...marks.map(({ step }) => step)];
  const values = [...points.map(([, value]) => value), ...marks.map(({ value }) => value)];
  const [first, last, low, high] = [Math.min(...steps), Math.max(...steps), Math.min(...values), Math.max(...values)];
  const [bottom, top] = low === high ? [low - 1, high + 1] : nice(low, high, TICKS);
  return { first, last: last === first ? first + 1 : last, bottom, top };
}

/** @typedef {ReturnType<typeof findEnds>} Ends */

/** Return how a step and a value are placed. @param {Ends} ends @param {Area} area */
export const placeIn = ({ first, last, bottom, top }, area) => ({
  x: (/** @type {number} */ step) => area.left + ((step - first) / (last - first)) * (area.right - area.left),
  y: (/** @type {number} */ value) => area.bottom - ((value - bottom) / (top - bottom)) * (area.bottom - area.top),
});

/** @param {Ends} ends @param {(value: number) => number} y @returns {Tick[]} */
export const valueTicks = ({ bottom, top }, y) =>
  ticks(bottom, top, TICKS).map((value) => ({ at: y(value), label: formatMetric(value, 3) }));

/** Return the item whose step is nearest. @template {{ step: number }} Item @param {Item[]} items @param {number} step */
export const findNearest = (items, step) =>
  items.reduce(
    (/** @type {Item | null} */ best, item) =>
      best && Math.abs(best.step - step) <= Math.abs(item.step - step) ? best : item,
    null,
  );

/** @param {Curve} curve */
export function describeCurve({ metric, points, total, odd, marks }) {
  const thinned = points.length < total - odd ? `, ${formatCount(points.length)} of them drawn` : "";
  const gaps = odd ? `; ${formatCount(odd)} not finite` : "";
  return `${metric}: ${formatCount(total)} values${thinned}${gaps}; ${formatRows(marks.length, "checkpoint")}.`;
}

/** @param {string} metric @param {number} step @param {number} value @param {CurveMark} [mark] */
export function describePoint(metric, step, value, mark) {
  const of = mark ? `, checkpoint ${mark.name} (${mark.label})` : "";
  return `step ${formatCount(step)}: ${metric} ${formatMetric(value, 6)}${of}`;
}
