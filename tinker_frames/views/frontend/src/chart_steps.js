// Checkpoints along their steps: a lane for each run, a mark for each checkpoint, by what keeps or ends it.

import { makeBottomAxis, makeMark } from "./chart_axis.js";
import { areaOf, HEIGHT, numberTicks, stepScale, tickCount } from "./chart_scale.js";
import { svg } from "./dom.js";

/** @import { StepsChart } from "./messages.js" */

const MARK_PX = 9; // about the width of a mark
const LANE_LABEL = 116; // pixels for the names of runs

/** @param {StepsChart} chart @param {number} width in pixels @param {number} [whole] the height in pixels, with the axis */
export function drawSteps(chart, width, whole = HEIGHT) {
  const isOne = chart.lanes.length < 2;
  const area = areaOf(width, isOne ? 8 : LANE_LABEL, whole);
  const scale = stepScale(chart, area);
  const height = (area.bottom - area.top) / chart.lanes.length;
  const middle = (/** @type {number} */ lane) => area.top + (lane + 0.5) * height;
  const lanes = chart.lanes.flatMap((label, lane) => [
    svg("line", { class: "tkf-rule", x1: area.left, x2: area.right, y1: middle(lane), y2: middle(lane) }),
    ...(isOne ? [] : [makeLabel(label, middle(lane))]),
  ]);
  const place = (/** @type {number[]} */ [, step, lane]) => `${lane} ${Math.round(scale.place(step) / MARK_PX)}`;
  const marks = stackPoints(chart.points, place).map(({ point: [, step, lane, look, rows], at, count }) =>
    makeMark(chart.looks[look], scale.place(step), middle(lane) + shift(at, count, height), rows > 1 ? 1.3 : 1),
  );
  const axis = makeBottomAxis(area, numberTicks(scale, tickCount(area)));
  const picture = svg("svg", { width, height: whole }, svg("g", { "aria-hidden": "true" }, ...lanes), axis, ...marks);
  return { picture, area };
}

/**
 * Return each point with the number of its look among those that are drawn at its place, and their count.
 *
 * @param {number[][]} points
 * @param {(point: number[]) => string} place
 */
export function stackPoints(points, place) {
  /** @type {Map<string, number[][]>} */
  const stacks = new Map();
  for (const point of points) stacks.set(place(point), [...(stacks.get(place(point)) ?? []), point]);
  return [...stacks.values()].flatMap((stack) => {
    const looks = [...new Set(stack.map((point) => point[3]))];
    return stack.map((point) => ({ point, at: looks.indexOf(point[3]), count: looks.length }));
  });
}

// Marks of different looks at one place stand above each other, about the line of their run.
/** @param {number} at @param {number} count @param {number} height of a lane */
function shift(at, count, height) {
  const distance = Math.min(9, height / (count + 1));
  return (at - (count - 1) / 2) * distance;
}

/** @param {string} label @param {number} y */
function makeLabel(label, y) {
  const short = label.length > 18 ? `${label.slice(0, 8)}…${label.slice(-9)}` : label; // runs differ at their ends
  return svg("text", { class: "tkf-lane", x: 0, y: y + 4 }, svg("title", {}, label), short);
}
