// Axes and marks of charts as SVG.

import { anchorOf } from "./chart_scale.js";
import { el, svg } from "./dom.js";

/** @import { Area, Tick } from "./chart_scale.js" */
/** @import { StepsChart } from "./messages.js" */

// Circles, triangles, squares, diamonds and crosses, about a point: told apart without colour too.
/** @type {Record<string, string>} */
const SHAPES = {
  kept: "M-3.5,0a3.5,3.5 0 1,0 7,0a3.5,3.5 0 1,0 -7,0Z",
  expiring: "M0,-4.6L4.4,3.4L-4.4,3.4Z",
  public: "M-3.4,-3.4H3.4V3.4H-3.4Z",
  loaded: "M0,-5L4.4,0L0,5L-4.4,0Z",
  other: "M-4,-2.4L-2.4,-4L0,-1.6L2.4,-4L4,-2.4L1.6,0L4,2.4L2.4,4L0,1.6L-2.4,4L-4,2.4L-1.6,0Z",
};

/** @param {Area} area @param {Tick[]} ticks */
export function makeBottomAxis({ left, right, bottom }, ticks) {
  return svg(
    "g",
    { class: "tkf-ticks", "aria-hidden": "true" },
    svg("line", { x1: left, x2: right, y1: bottom, y2: bottom }),
    ...ticks.flatMap(({ at, label }) => [
      svg("line", { x1: at, x2: at, y1: bottom, y2: bottom + 4 }),
      svg("text", { x: at, y: bottom + 15, "text-anchor": anchorOf(at, { left, right }) }, label),
    ]),
  );
}

/** @param {Area} area @param {Tick[]} ticks */
export function makeLeftAxis({ left, right }, ticks) {
  return svg(
    "g",
    { class: "tkf-ticks", "aria-hidden": "true" },
    ...ticks.flatMap(({ at, label }) => [
      svg("line", { class: "tkf-rule", x1: left, x2: right, y1: at, y2: at }),
      svg("text", { x: left - 6, y: at + 4, "text-anchor": "end" }, label),
    ]),
  );
}

/** @param {string} look @param {number} x @param {number} y @param {number} [size] */
export function makeMark(look, x, y, size = 1) {
  const place = `translate(${x.toFixed(1)},${y.toFixed(1)}) scale(${size.toFixed(2)})`;
  return svg("path", { class: `tkf-mark tkf-look-${look}`, d: SHAPES[look] ?? SHAPES.kept, transform: place });
}

/** @param {string} look */
export function makeKeyMark(look) {
  return svg("svg", { class: "tkf-key-mark", width: 12, height: 12, "aria-hidden": "true" }, makeMark(look, 6, 6));
}

/** Return what the marks of checkpoints mean, and what is not known of them. @param {StepsChart} chart */
export function makeMarkKey({ looks, labels, points, note }) {
  const drawn = looks.flatMap((look, place) =>
    points.some((point) => point[3] === place) ? [el("span", {}, makeKeyMark(look), labels[place])] : [],
  );
  return el("div", { class: "tkf-key" }, ...drawn, note && el("span", {}, note));
}
