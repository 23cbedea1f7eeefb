// The curve of a metric over the steps of a run, with its checkpoints as marks: hover and arrow keys say values, a click opens one.

import { makeBottomAxis, makeKeyMark, makeLeftAxis, makeMark } from "./chart_axis.js";
import { areaOf, numberTicks, tickCount } from "./chart_scale.js";
import { describeCurve, describePoint, findEnds, findNearest, placeIn, valueTicks } from "./curve_scale.js";
import { el, svg } from "./dom.js";

/** @import { Curve, CurveMark } from "./messages.js" */

const HEIGHT = 150; // in pixels, with the axis
const NEAR_PX = 7; // of the pointer to a mark

/**
 * @param {Curve} curve
 * @param {string} key of the row that is shown
 * @param {number} width in pixels
 * @param {(key: string) => void} open opens the details of a checkpoint
 */
export function makeCurve(curve, key, width, open) {
  const text = describeCurve(curve);
  const said = el("div", { class: "tkf-chart-text tkf-muted", role: "status" }, text);
  if (!curve.points.length) return [said];
  const { picture, show } = drawCurve(curve, key, width);
  picture.setAttribute("aria-label", `${text} Arrow keys go from checkpoint to checkpoint, Enter opens it.`);
  followPointer(curve, picture, show, (words) => Object.assign(said, { textContent: words || text }), open);
  return [said, el("div", { class: "tkf-picture tkf-curve" }, picture), makeKey(curve)];
}

/** @param {Curve} curve @param {string} key @param {number} width */
function drawCurve(curve, key, width) {
  const area = areaOf(width, undefined, HEIGHT);
  const ends = findEnds(curve);
  const { x, y } = placeIn(ends, area);
  const path = curve.points.map(([step, value]) => `${x(step).toFixed(1)},${y(value).toFixed(1)}`).join("L");
  const marks = curve.marks.map((mark) => makeMark(mark.look, x(mark.step), y(mark.value), mark.key === key ? 1.7 : 1));
  const cursor = svg("circle", { class: "tkf-curve-cursor", r: 4, visibility: "hidden" });
  const scale = { low: ends.first, high: ends.last, place: x };
  const picture = svg(
    "svg",
    { width, height: HEIGHT, tabindex: 0, role: "application", "data-name": "curve" },
    makeLeftAxis(area, valueTicks(ends, y)),
    svg("path", { class: "tkf-curve-line", d: `M${path}` }),
    ...marks,
    cursor,
    makeBottomAxis(area, numberTicks(scale, tickCount(area))),
  );
  /** Show what is at a step; null for nothing. @param {{ step: number, value: number } | null} at */
  const show = (at) => {
    cursor.setAttribute("visibility", at ? "visible" : "hidden");
    if (at)
      for (const [name, place] of Object.entries({ cx: x(at.step), cy: y(at.value) }))
        cursor.setAttribute(name, String(place));
  };
  const near = (NEAR_PX / (area.right - area.left)) * (ends.last - ends.first);
  /** @param {number} left pixels from the left of the picture */
  const stepAt = (left) => ends.first + ((left - area.left) / (area.right - area.left)) * (ends.last - ends.first);
  return { picture, show: Object.assign(show, { near, stepAt }) };
}

/**
 * @param {Curve} curve
 * @param {SVGSVGElement} picture
 * @param {ReturnType<typeof drawCurve>["show"]} show
 * @param {(text: string) => void} say no text says what the curve is
 * @param {(key: string) => void} open
 */
function followPointer(curve, picture, show, say, open) {
  const points = curve.points.map(([step, value]) => ({ step, value }));
  /** @type {CurveMark | null} */
  let mark = null;
  /** @param {CurveMark | null} found @param {{ step: number, value: number } | null} point */
  const tell = (found, point) => {
    mark = found;
    const at = found ?? point;
    show(at);
    say(at ? describePoint(curve.metric, at.step, at.value, found ?? undefined) : "");
    picture.classList.toggle("tkf-on-mark", Boolean(found));
  };
  picture.addEventListener("pointermove", (event) => {
    const step = show.stepAt(event.clientX - picture.getBoundingClientRect().left);
    const nearest = findNearest(curve.marks, step);
    tell(nearest && Math.abs(nearest.step - step) <= show.near ? nearest : null, findNearest(points, step));
  });
  picture.addEventListener("pointerleave", () => tell(null, null));
  picture.addEventListener("blur", () => tell(null, null));
  picture.addEventListener("click", () => mark && open(mark.key));
  picture.addEventListener("keydown", (event) => {
    const move = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (move && curve.marks.length) {
      const from = mark ? curve.marks.indexOf(mark) : move > 0 ? -1 : curve.marks.length;
      tell(curve.marks[Math.max(0, Math.min(curve.marks.length - 1, from + move))], null);
    } else if (event.key === "Enter" && mark) open(mark.key);
    else return;
    event.preventDefault();
  });
}

/** Return what the marks mean. @param {Curve} curve */
function makeKey({ marks }) {
  const looks = new Map(marks.map(({ look, label }) => [look, label]));
  const items = [...looks].map(([look, label]) => el("span", {}, makeKeyMark(look), label));
  return el("div", { class: "tkf-key" }, ...items);
}
