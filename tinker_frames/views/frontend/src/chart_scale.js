// Places and texts of charts, without the DOM: scales with round ticks, stacked series, the group at a place.

import { nice, ticks } from "d3-array";
import { utcTicks } from "d3-time";
import { formatCount } from "./text.js";

/** @import { Bar, BarsChart, StepsChart, TimeChart } from "./messages.js" */

/** @typedef {{ label: string, at: number }} Tick */
/** @typedef {{ left: number, right: number, top: number, bottom: number }} Area the place of the marks inside a chart, in pixels */

export const HEIGHT = 118;
export const VALUE_TICKS = 3; // about so many of a vertical axis
const LEFT = 48; // room for the labels of the vertical axis
const HOUR_MS = 3_600_000;
const LETTER_PX = 6.4; // about the width of a letter of a label
const GAP_PX = 5; // between two labels
const TICK_PX = 64; // the least distance of two labels of a horizontal axis

/** @param {number} width @param {number} [left] @param {number} [height] @returns {Area} */
export const areaOf = (width, left = LEFT, height = HEIGHT) => ({
  left,
  right: Math.max(left + 40, width - 8),
  top: 8,
  bottom: height - 20,
});

/**
 * Return the sums below and above each value of stacked series.
 *
 * @param {TimeChart["series"]} series
 * @returns {[number, number][][]}
 */
export function stackSeries(series) {
  const below = series[0]?.values.map(() => 0) ?? [];
  return series.map(({ values }) =>
    values.map((value, bin) => {
      const bottom = below[bin];
      below[bin] += value;
      return [bottom, below[bin]];
    }),
  );
}

/** @typedef {{ low: number, high: number, place: (value: number) => number }} Scale */

/** @param {number} low @param {number} high @param {number} from @param {number} to @returns {Scale} */
const makeScale = (low, high, from, to) => ({
  low,
  high,
  place: (value) => from + ((value - low) / (high - low)) * (to - from),
});

/** @param {TimeChart} chart @param {Area} area */
export const timeScale = ({ start, end }, { left, right }) => makeScale(start * HOUR_MS, end * HOUR_MS, left, right);

/** @param {TimeChart} chart @param {Area} area */
export function valueScale({ series }, { top, bottom }) {
  const most = Math.max(0, ...stackSeries(series).flatMap((values) => values.map(([, above]) => above)));
  return makeScale(0, nice(0, most || 1, VALUE_TICKS)[1], bottom, top);
}

/** @param {StepsChart} chart @param {Area} area */
export const stepScale = ({ low, high }, { left, right }) =>
  low === high ? makeScale(low - 1, high + 1, left, right) : makeScale(low, high, left + 6, right - 6);

/** @param {Scale} scale @param {number} count @param {string} [unit] @returns {Tick[]} */
export function numberTicks({ low, high, place }, count, unit = "") {
  const found = ticks(low, high, count).filter((tick) => unit || Number.isInteger(tick));
  return found.map((tick) => ({ at: place(tick), label: formatValue(tick, unit) }));
}

/** @param {Area} area */
export const tickCount = ({ left, right }) => Math.max(2, Math.floor((right - left) / TICK_PX));

/**
 * Return the ticks of a time axis that end at its right end, where today is; a tick whose label would touch that is left out.
 *
 * @param {Scale} scale
 * @param {Area} area
 * @param {string} [last] the label of the right end
 * @returns {Tick[]}
 */
export function timeTicks({ low, high, place }, area, last = "") {
  const times = utcTicks(new Date(low), new Date(high), tickCount(area));
  const isOfMonths = times.every((time) => time.getUTCDate() === 1 && !time.getUTCHours());
  const found = times.map((time) => ({ at: place(time.getTime()), label: formatTick(time, isOfMonths) }));
  return dropTouching(found, area, last ? [{ at: area.right, label: last }] : []);
}

/**
 * Return ticks without those whose labels would touch the one before them or the last, which stays.
 *
 * @param {Tick[]} found
 * @param {Area} area
 * @param {Tick[]} [last]
 */
export function dropTouching(found, area, last = []) {
  const limit = last.length ? placeLabel(last[0], area).left : Number.POSITIVE_INFINITY;
  /** @type {Tick[]} */
  const kept = [];
  let end = Number.NEGATIVE_INFINITY;
  for (const tick of found) {
    const { left, right } = placeLabel(tick, area);
    if (left < end + GAP_PX || right + GAP_PX > limit) continue;
    kept.push(tick);
    end = right;
  }
  return [...kept, ...last];
}

/** Return the ends of a label, as wide as its letters are on average. @param {Tick} tick @param {Area} area */
function placeLabel({ at, label }, area) {
  const width = label.length * LETTER_PX;
  const left = at - { start: 0, middle: width / 2, end: width }[anchorOf(at, area)];
  return { left, right: left + width };
}

/** Return how the label of a tick is anchored: labels at the ends stay inside. @param {number} at @param {{ left: number, right: number }} area */
export const anchorOf = (at, { left, right }) => (at > right - 20 ? "end" : at < left + 12 ? "start" : "middle");

/**
 * Return a time as an axis shows it: an hour, a day, or a month or year if all times are such.
 *
 * @param {Date} time
 * @param {boolean} isOfMonths
 */
export function formatTick(time, isOfMonths) {
  if (time.getUTCHours() || time.getUTCMinutes()) return time.toISOString().slice(11, 16);
  if (isOfMonths && !time.getUTCMonth()) return String(time.getUTCFullYear());
  /** @type {Intl.DateTimeFormatOptions} */
  const form = isOfMonths ? { month: "long" } : { day: "numeric", month: "short" };
  return time.toLocaleDateString("en-GB", { timeZone: "UTC", ...form });
}

/**
 * Return a value of an axis with its unit.
 *
 * @param {number} value
 * @param {string} unit
 */
export function formatValue(value, unit) {
  const text = value.toLocaleString("en-US", { maximumSignificantDigits: 3 });
  return unit ? `${text} ${unit}` : formatCount(Math.round(value));
}

/**
 * Return the ends of a bin, in milliseconds; the last one ends with the chart.
 *
 * @param {TimeChart} chart
 * @param {number} bin
 */
export function binEnds({ start, step, end }, bin) {
  const from = start + bin * step;
  return [from * HOUR_MS, Math.min(from + step, end) * HOUR_MS];
}

/** @param {TimeChart} chart */
export const countBins = ({ start, step, end }) => Math.max(1, Math.ceil((end - start) / step));

/**
 * Return the period of some bins: days, or hours if bins are shorter than a day.
 *
 * @param {TimeChart} chart
 * @param {number} first
 * @param {number} last
 */
export function describePeriod(chart, first, last) {
  const digits = chart.step < 24 ? 16 : 10;
  const format = (/** @type {number} */ time) => new Date(time).toISOString().slice(0, digits).replace("T", " ");
  const [from, to] = [format(binEnds(chart, first)[0]), format(binEnds(chart, last)[1] - 1)];
  return from === to ? from : `${from} to ${to}`;
}

/**
 * Return what is in some bins: the sum of columns, and of an area what has been added.
 *
 * @param {TimeChart} chart
 * @param {number} first
 * @param {number} last
 */
export function describeBins(chart, first, last) {
  const parts = chart.series.map(({ label, values }) => {
    const before = first ? values[first - 1] : 0;
    const sum = values.slice(first, last + 1).reduce((total, value) => total + value, 0);
    return { label, value: chart.kind === "area" ? values[last] - before : sum };
  });
  const found = parts.filter(({ value }) => value > 0);
  const texts = found.map(({ label, value }) => `${formatValue(value, chart.unit)} ${label}`);
  return `${describePeriod(chart, first, last)}: ${texts.join(", ") || "nothing"}`;
}

/**
 * Return the checkpoints in some bins of steps.
 *
 * @param {StepsChart} chart
 * @param {number} first
 * @param {number} last
 */
export function describeSteps(chart, first, last) {
  const inside = chart.points.filter(([bin]) => bin >= first && bin <= last);
  if (!inside.length) return "no checkpoint here";
  const steps = inside.map(([, step]) => step);
  const [low, high] = [Math.min(...steps), Math.max(...steps)];
  const counts = chart.labels.map((label, place) => {
    const rows = inside.filter((point) => point[3] === place).reduce((sum, point) => sum + point[4], 0);
    return rows ? `${formatCount(rows)} ${label}` : "";
  });
  const where = low === high ? `step ${formatCount(low)}` : `steps ${formatCount(low)} to ${formatCount(high)}`;
  return `${where}: ${counts.filter(Boolean).join(", ")}`;
}

/**
 * Return the bin at a place between the ends of an area.
 *
 * @param {number} x
 * @param {number} bins
 * @param {{ left: number, right: number }} ends
 */
export function binAt(x, bins, { left, right }) {
  const bin = Math.floor(((x - left) / (right - left)) * bins);
  return Math.max(0, Math.min(bins - 1, bin));
}

/**
 * Return the length of each bar in percent of the longest, or of the sum for the parts of a whole.
 *
 * @param {BarsChart["kind"]} kind
 * @param {Bar[]} bars
 */
export function barLengths(kind, bars) {
  const values = bars.map((bar) => bar.value);
  const whole = kind === "parts" ? values.reduce((sum, value) => sum + value, 0) : Math.max(0, ...values);
  return values.map((value) => (100 * value) / (whole || 1));
}
