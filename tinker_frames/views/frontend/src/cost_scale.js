// Places and texts of the picture of costs, without the DOM: stacked dollars, what is not priced, labels of the axis.

import { nice, ticks } from "d3-array";
import { dropTouching } from "./chart_scale.js";
import { formatCount, formatRows } from "./text.js";

/** @import { Area, Tick } from "./chart_scale.js" */
/** @import { CostGroup, CostKind, CostPicture } from "./messages.js" */

const LABEL_PX = 74; // room for a day on the axis
const MONTHS_FROM = 100; // days, from which the axis shows months
const TICKS = 4; // about so many of the dollars

/** Return dollars and cents, as Python does; null is not zero. @param {number | null} value */
export function formatDollars(value) {
  if (value === null) return "–";
  if (value > 0 && value < 0.005) return "<$0.01";
  const cents = Math.abs(value).toLocaleString("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
  return `${value <= -0.005 ? "-" : ""}$${cents}`;
}

/** @param {CostGroup} group */
const heightOf = ({ parts, total }) => (parts.length ? parts.map((part) => Math.max(0, part ?? 0)) : [total ?? 0]);

/** Return the sums below and above each part of a group. @param {CostGroup} group @returns {[number, number][]} */
export function stackParts(group) {
  let below = 0;
  return heightOf(group).map((part) => {
    const bottom = below;
    below += part;
    return [bottom, below];
  });
}

/** @param {CostGroup} group */
export const sumParts = (group) => stackParts(group).at(-1)?.[1] ?? 0;

/** Return the round end of an axis with the largest group. @param {CostGroup[]} groups */
export const mostDollars = (groups) => nice(0, Math.max(0, ...groups.map(sumParts)) || 1, TICKS)[1];

/** @param {number} most @param {Area} area @returns {Tick[]} */
export const dollarTicks = (most, { top, bottom }) =>
  ticks(0, most, TICKS).map((value) => ({
    at: bottom - (value / most) * (bottom - top),
    label: `$${value.toLocaleString("en-US", { maximumSignificantDigits: 3 })}`,
  }));

/**
 * Return the labels below the columns: as many as there is room for, and of many days the months.
 *
 * @param {CostPicture} picture
 * @param {Area} area
 * @returns {Tick[]}
 */
export function periodTicks({ group, groups }, area) {
  const isOfMonths = group === "day" && groups.length >= MONTHS_FROM;
  const found = groups.flatMap(({ label }, place) =>
    isOfMonths && !label.endsWith("-01") ? [] : [{ place, label: isOfMonths ? label.slice(0, 7) : label }],
  );
  const whole = area.right - area.left;
  const each = Math.max(1, Math.ceil(found.length / Math.max(1, Math.floor(whole / LABEL_PX))));
  const kept = found.filter((_, at) => at % each === 0);
  const ticks = kept.map(({ place, label }) => ({ at: area.left + ((place + 0.5) * whole) / groups.length, label }));
  return dropTouching(ticks, area);
}

/**
 * Return what some groups cost: dollars, those of each kind, and how much of it is not priced.
 *
 * @param {CostPicture} picture
 * @param {number} first
 * @param {number} last
 */
export function describeGroups({ kinds, groups }, first, last) {
  const chosen = groups.slice(first, last + 1);
  const where = first === last ? groups[first].label : `${groups[first].label} to ${groups[last].label}`;
  const events = addUp(chosen.map((group) => group.events)) ?? 0;
  if (!events) return `${where}: no events`;
  const total = addUp(chosen.map((group) => group.total));
  const parts = kinds.flatMap(({ label }, place) => {
    const sum = addUp(chosen.map((group) => group.parts[place]));
    return sum === null ? [] : [`${label} ${formatDollars(sum)}`];
  });
  const unpriced = addUp(chosen.map((group) => group.unpriced)) ?? 0;
  const rest = unpriced ? `; ${formatCount(unpriced)} of ${formatRows(events, "event")} not priced` : "";
  const of = parts.length ? ` (${parts.join(", ")})` : "";
  return `${where}: ${total === null ? "nothing is priced" : formatDollars(total)}${of}${rest}`;
}

/** Return the sum of what is known; null if nothing is. @param {(number | null)[]} values */
function addUp(values) {
  const known = values.filter((value) => value !== null);
  return known.length ? known.reduce((sum, value) => sum + value, 0) : null;
}

/** Return kinds with their sums, as the key says them. @param {CostKind[]} kinds */
export const labelKinds = (kinds) =>
  kinds.map(({ label, look, sum }) => ({ look, text: `${label} ${formatDollars(sum)}` }));
