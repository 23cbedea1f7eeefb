// Dollars of each day or other period as columns, stacked by kind; what is not priced is hatched above them.

import { makeBottomAxis, makeLeftAxis } from "./chart_axis.js";
import { areaOf } from "./chart_scale.js";
import { dollarTicks, mostDollars, periodTicks, stackParts, sumParts } from "./cost_scale.js";
import { svg, uniqueId } from "./dom.js";

/** @import { CostPicture } from "./messages.js" */

const HEIGHT = 250; // in pixels, with the axis
const UNPRICED_PX = 7; // of what is not priced, whose height is not known

/** @param {CostPicture} picture @param {number} width in pixels */
export function drawColumns(picture, width) {
  const area = areaOf(width, 52, HEIGHT);
  const { groups, kinds } = picture;
  const most = mostDollars(groups);
  const each = (area.right - area.left) / Math.max(1, groups.length);
  const gap = each > 5 ? 1 : 0;
  const y = (/** @type {number} */ dollars) => area.bottom - (dollars / most) * (area.bottom - area.top);
  const box = (/** @type {number} */ place, /** @type {number} */ top, /** @type {number} */ bottom) =>
    `M${(area.left + place * each).toFixed(2)},${bottom.toFixed(2)}h${(each - gap).toFixed(2)}V${top.toFixed(2)}h${(gap - each).toFixed(2)}Z`;

  /** @type {string[][]} one list of boxes for each kind, so that a year of them is a few elements */
  const boxes = Array.from({ length: Math.max(1, kinds.length) }, () => []);
  /** @type {string[]} */
  const unpriced = [];
  /** @type {string[]} */
  const free = [];
  groups.forEach((group, place) => {
    stackParts(group).forEach(([below, above], part) => {
      if (above > below) boxes[part].push(box(place, y(above), y(below)));
    });
    const top = y(sumParts(group));
    if (group.unpriced) unpriced.push(box(place, top - UNPRICED_PX, top));
    else if (group.events && top === area.bottom) free.push(box(place, area.bottom - 1.5, area.bottom));
  });
  const hatch = uniqueId();
  const marks = boxes.map((paths, part) =>
    svg("path", { class: `tkf-fill tkf-look-${kinds[part]?.look ?? "other"}`, d: paths.join("") || "M0,0" }),
  );
  const drawn = svg(
    "svg",
    { width, height: HEIGHT },
    svg("defs", {}, makeHatch(hatch)),
    makeLeftAxis(area, dollarTicks(most, area)),
    ...marks,
    svg("path", { class: "tkf-free", d: free.join("") || "M0,0" }),
    svg("path", { class: "tkf-unpriced", fill: `url(#${hatch})`, d: unpriced.join("") || "M0,0" }),
    makeBottomAxis(area, periodTicks(picture, area)),
  );
  return { drawn, area };
}

/** Return the pattern of what is not priced. @param {string} id */
export function makeHatch(id) {
  return svg(
    "pattern",
    { id, width: 4, height: 4, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" },
    svg("rect", { width: 4, height: 4, class: "tkf-hatch-back" }),
    svg("rect", { width: 1.6, height: 4, class: "tkf-hatch-line" }),
  );
}
