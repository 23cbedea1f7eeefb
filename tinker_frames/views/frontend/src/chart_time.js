// Charts over time: an area of what is kept, or a column for each day.

import { makeBottomAxis, makeLeftAxis } from "./chart_axis.js";
import {
  areaOf,
  binEnds,
  HEIGHT,
  numberTicks,
  stackSeries,
  timeScale,
  timeTicks,
  VALUE_TICKS,
  valueScale,
} from "./chart_scale.js";
import { svg } from "./dom.js";

/** @import { TimeChart } from "./messages.js" */

/** @param {TimeChart} chart @param {number} width in pixels */
export function drawTime(chart, width) {
  const area = areaOf(width);
  const scales = { x: timeScale(chart, area), y: valueScale(chart, area) };
  const marks = stackSeries(chart.series).flatMap((values, place) => {
    const look = `tkf-fill tkf-look-${chart.series[place].look}`;
    return chart.kind === "area" ? makeArea(chart, values, scales, look) : makeColumns(chart, values, scales, look);
  });
  const ticks = timeTicks(scales.x, area, chart.kind === "area" ? "today" : "");
  const picture = svg(
    "svg",
    { width, height: HEIGHT },
    makeLeftAxis(area, numberTicks(scales.y, VALUE_TICKS, chart.unit)),
    ...marks,
    makeBottomAxis(area, ticks),
  );
  return { picture, area };
}

/**
 * @typedef {object} Scales
 * @property {ReturnType<typeof timeScale>} x
 * @property {ReturnType<typeof valueScale>} y
 */

/** @param {TimeChart} chart @param {[number, number][]} values @param {Scales} scales @param {string} look */
function makeArea(chart, values, { x, y }, look) {
  const ends = values.map(([below, above], bin) => {
    const at = x.place(binEnds(chart, bin)[1]);
    return { at, below: y.place(below), above: y.place(above) };
  });
  const corners = [{ at: x.place(binEnds(chart, 0)[0]), below: y.place(0), above: y.place(0) }, ...ends];
  const top = corners.map(({ at, above }) => `${at.toFixed(1)},${above.toFixed(1)}`);
  const bottom = corners.reverse().map(({ at, below }) => `${at.toFixed(1)},${below.toFixed(1)}`);
  return [svg("path", { class: look, d: `M${[...top, ...bottom].join("L")}Z` })];
}

/** @param {TimeChart} chart @param {[number, number][]} values @param {Scales} scales @param {string} look */
function makeColumns(chart, values, { x, y }, look) {
  return values.flatMap(([below, above], bin) => {
    if (above === below) return [];
    const [left, right] = binEnds(chart, bin).map(x.place);
    const height = Math.max(1.5, y.place(below) - y.place(above));
    return [svg("rect", { class: look, x: left + 0.5, y: y.place(below) - height, width: right - left - 1, height })];
  });
}
