// The values of filters as they change: no DOM.

/** @import { TimeRange } from "./messages.js" */

/**
 * Return a filter of times with one of its fields set or emptied; null if nothing is left of it. Having an expiry or none ends
 * where days or dates are given.
 *
 * @param {TimeRange} range
 * @param {string} name
 * @param {string | number | null} given
 * @returns {TimeRange | null}
 */
export function updateTimeRange(range, name, given) {
  const { ever, never, ...kept } = range;
  const fields = Object.entries({ ...kept, [name]: given }).filter(([, value]) => value !== null && value !== "");
  return fields.length ? Object.fromEntries(fields) : null;
}

/**
 * Return a range of numbers as it is sent: null if it has no end.
 *
 * @param {(number | null)[]} ends
 */
export const cleanRange = (ends) => (ends.some((end) => end !== null) ? [...ends] : null);

/**
 * Return the names of columns in the order in which they are listed: those that are shown first.
 *
 * @param {string[]} shown
 * @param {string[]} all
 */
export const listColumns = (shown, all) => [...shown, ...all.filter((id) => !shown.includes(id))];

/**
 * Return names with the one at a place exchanged for its neighbour.
 *
 * @param {string[]} names
 * @param {number} at
 * @param {1 | -1} step
 */
export function swapWithNeighbour(names, at, step) {
  const swapped = [...names];
  [swapped[at], swapped[at + step]] = [names[at + step], names[at]];
  return swapped;
}
