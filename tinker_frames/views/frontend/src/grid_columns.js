// The widths, the order and the sort of the columns: arithmetic without the DOM.

/** @import { Column } from "./messages.js" */

const CHECK_PX = 34; // the column of check marks
const FITTED_PX = [60, 700]; // the limits of a column fitted to its text
const FITTED_PADDING_PX = 26;

/** Return the widths of all columns in pixels: the check mark, the data. @param {Column[]} columns */
export const computeWidths = (columns) => [CHECK_PX, ...columns.map((column) => column.width)];

/** Return the width in pixels of the links of a row, which lie over its end. @param {string[]} openings their labels */
export const linksWidth = (openings) => Math.round(openings.reduce((sum, label) => sum + 15 + label.length * 6.2, 36));

/** Return the columns as a CSS value; the last one is what is left of the width. @param {number[]} widths */
export const gridTemplate = (widths) => `${widths.map((width) => `${width}px`).join(" ")} minmax(0, 1fr)`;

/** Return the width that fits texts of these widths. @param {number[]} texts */
export function fitWidth(texts) {
  const [least, most] = FITTED_PX;
  return Math.min(most, Math.max(least, ...texts.map((width) => width + FITTED_PADDING_PX)));
}

/** @param {string} name a column's name in a sort, `-` before it for descending */
const sortedColumn = (name) => name.replace(/^-/, "");

/**
 * Return the position of a column in the sort and its direction; `place` is -1 if it is not sorted by.
 *
 * @param {string[]} sort
 * @param {string} id
 */
export function findSort(sort, id) {
  const place = sort.findIndex((name) => sortedColumn(name) === id);
  return { place, isDescending: place >= 0 && sort[place].startsWith("-") };
}

/**
 * Return the sort after a click on a column: ascending, descending, not at all.
 *
 * @param {string[]} sort
 * @param {string} id
 * @param {boolean} isAdded whether the other columns are kept
 */
export function nextSort(sort, id, isAdded) {
  const { place, isDescending } = findSort(sort, id);
  const next = place < 0 ? [id] : isDescending ? [] : [`-${id}`];
  if (!isAdded) return next;
  const others = sort.filter((_, at) => at !== place);
  others.splice(place < 0 ? others.length : place, 0, ...next);
  return others;
}

/**
 * Return the columns with one of them moved; null if nothing moves.
 *
 * @param {string[]} columns
 * @param {string} id
 * @param {number} to
 */
export function moveColumn(columns, id, to) {
  const from = columns.indexOf(id);
  if (from < 0 || to < 0 || to >= columns.length || from === to) return null;
  const moved = columns.filter((name) => name !== id);
  moved.splice(to, 0, id);
  return moved;
}
