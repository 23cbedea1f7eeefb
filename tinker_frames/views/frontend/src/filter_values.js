// Changes to the values of filters, without the DOM.

/** @import { TimeRange } from "./messages.js" */

/**
 * Return a time filter with one of its fields set or cleared; null if it is empty. Days or dates replace "has an expiry" and
 * "never expires".
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
 * Return a range of numbers as it is sent; null without a bound.
 *
 * @param {(number | null)[]} ends
 */
export const cleanRange = (ends) => (ends.some((end) => end !== null) ? [...ends] : null);

/**
 * Return the names of columns in the order of the list, visible ones first.
 *
 * @param {string[]} shown
 * @param {string[]} all
 */
export const listColumns = (shown, all) => [...shown, ...all.filter((id) => !shown.includes(id))];

/**
 * Return names with one of them swapped with its neighbour.
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
