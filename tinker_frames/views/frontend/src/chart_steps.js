// Checkpoints along their steps: a lane for each run, a mark for each checkpoint, by what keeps or ends it.

import { makeBottomAxis, makeMark } from "./chart_axis.js";
import { areaOf, HEIGHT, numberTicks, stepScale, tickCount } from "./chart_scale.js";
import { svg } from "./dom.js";

/** @import { StepsChart } from "./messages.js" */

const LANE_LABEL = 96; // pixels for the names of runs

/** @param {StepsChart} chart @param {number} width in pixels */
export function drawSteps(chart, width) {
  const isOne = chart.lanes.length < 2;
  const area = areaOf(width, isOne ? 8 : LANE_LABEL);
  const scale = stepScale(chart, area);
  const height = (area.bottom - area.top) / chart.lanes.length;
  const middle = (/** @type {number} */ lane) => area.top + (lane + 0.5) * height;
  const lanes = chart.lanes.flatMap((label, lane) => [
    svg("line", { class: "tkf-rule", x1: area.left, x2: area.right, y1: middle(lane), y2: middle(lane) }),
    ...(isOne ? [] : [makeLabel(label, middle(lane))]),
  ]);
  const marks = chart.points.map(([, step, lane, look, rows]) =>
    makeMark(chart.looks[look], scale.place(step), middle(lane) + shift(chart, look, height), rows > 1 ? 1.3 : 1),
  );
  const axis = makeBottomAxis(area, numberTicks(scale, tickCount(area)));
  const picture = svg("svg", { width, height: HEIGHT }, svg("g", { "aria-hidden": "true" }, ...lanes), axis, ...marks);
  return { picture, area };
}

// Marks of one step with different looks stand above each other.
/** @param {StepsChart} chart @param {number} look @param {number} height of a lane */
function shift({ looks }, look, height) {
  const distance = Math.min(9, height / (looks.length + 1));
  return (look - (looks.length - 1) / 2) * distance;
}

/** @param {string} label @param {number} y */
function makeLabel(label, y) {
  const short = label.length > 15 ? `${label.slice(0, 14)}…` : label;
  return svg("text", { class: "tkf-lane", x: 0, y: y + 4 }, svg("title", {}, label), short);
}
