// Visible rows and scroll positions: arithmetic without the DOM.

export const ROW_PX = 28;
const SPARE_ROWS = 8; // drawn above and below the window
const TALLEST_PX = 15e6; // browsers limit the height of elements

/**
 * @typedef {object} Span
 * @property {number} height of all rows together, as far as a browser can be so high
 * @property {number} top where the window would begin if the rows were not cut off
 * @property {number} offset what is added to a row's place to draw it
 * @property {number} first the first row in sight
 * @property {number} last the row after the last one in sight
 */

/**
 * Return the visible part of the rows; beyond the maximum height, scrolling is scaled.
 *
 * @param {number} rows
 * @param {number} windowPx the height of the window
 * @param {number} scrollTop
 * @returns {Span}
 */
export function computeSpan(rows, windowPx, scrollTop) {
  const full = rows * ROW_PX;
  const shown = Math.max(ROW_PX, windowPx);
  const height = Math.min(full, TALLEST_PX);
  const share = height > shown ? scrollTop / (height - shown) : 0;
  const top = height < full ? share * (full - shown) : scrollTop;
  return {
    height,
    top,
    offset: scrollTop - top,
    first: Math.floor(top / ROW_PX),
    last: Math.ceil((top + shown) / ROW_PX),
  };
}

/**
 * Return the rows to draw, `[from, to)`.
 *
 * @param {Span} span
 * @param {number} rows
 */
export function rowsToDraw({ first, last }, rows) {
  return [Math.max(0, first - SPARE_ROWS), Math.min(rows, last + SPARE_ROWS)];
}

/**
 * Return the numbers of the chunks that hold the rows to draw.
 *
 * @param {Span} span
 * @param {number} rows
 * @param {number} chunkRows
 */
export function chunksToDraw(span, rows, chunkRows) {
  const [from, to] = rowsToDraw(span, rows);
  const first = Math.floor(from / chunkRows);
  const last = Math.floor((to - 1) / chunkRows);
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, place) => first + place);
}

/**
 * Return the scroll position that brings a row into sight; the current one if it already is.
 *
 * @param {number} row
 * @param {number} rows
 * @param {number} windowPx
 * @param {number} scrollTop
 */
export function scrollToRow(row, rows, windowPx, scrollTop) {
  const { height, top } = computeSpan(rows, windowPx, scrollTop);
  const full = rows * ROW_PX;
  const scale = height < full ? (height - windowPx) / (full - windowPx) : 1;
  if (row * ROW_PX < top) return Math.floor(row * ROW_PX * scale);
  if ((row + 1) * ROW_PX > top + windowPx) return Math.ceil(((row + 1) * ROW_PX - windowPx) * scale);
  return scrollTop;
}

/**
 * Return the scroll position that brings a column into sight; the last column is sticky.
 *
 * @param {number} column
 * @param {number[]} widths
 * @param {number} windowPx
 * @param {number} scrollLeft
 */
export function scrollToColumn(column, widths, windowPx, scrollLeft) {
  const left = widths.slice(0, column).reduce((sum, width) => sum + width, 0);
  const before = left < scrollLeft ? (column > 1 ? left : 0) : scrollLeft;
  const seen = windowPx - (column < widths.length - 1 ? widths[widths.length - 1] : 0);
  return left + widths[column] > before + seen ? Math.min(left, left + widths[column] - seen) : before;
}

/** How many rows Page Up and Page Down move by. @param {number} windowPx the height of the rows in sight */
export const pageRows = (windowPx) => Math.max(1, Math.floor(windowPx / ROW_PX) - 1);

/** @param {number} value @param {number} least @param {number} most */
export const clamp = (value, least, most) => Math.max(least, Math.min(most, value));
