// Bars, bins and texts of the summaries of columns, without the DOM.

import { formatRows, formatShare } from "./text.js";

/** @import { Summary } from "./messages.js" */
/** @typedef {{ rows: number, title: string, isHidden: boolean }} Group `isHidden`: by the column's own filter */

export const PLOT_HEIGHT = 26;
const LEAST_HEIGHT = 1.5; // of a bin that is not empty

/**
 * Return place, height and the height of the rows that match all filters, for each bin of a plot 100 wide.
 *
 * @param {Summary} summary
 */
export function barBoxes({ counts, shown }) {
  const most = Math.max(1, ...counts);
  const room = 100 / Math.max(1, counts.length);
  const heightOf = (/** @type {number} */ rows) => (rows ? Math.max(LEAST_HEIGHT, (PLOT_HEIGHT * rows) / most) : 0);
  return counts.map((rows, at) => ({
    x: at * room + room * 0.06,
    width: room * 0.88,
    height: heightOf(rows),
    shown: heightOf(shown ? shown[at] : rows),
  }));
}

/** Return the bin at a place of the screen. @param {number} x @param {{ left: number, width: number }} box @param {number} bins */
export const binAt = (x, { left, width }, bins) =>
  Math.max(0, Math.min(bins - 1, Math.floor(((x - left) / width) * bins)));

/**
 * Return the rows of a group and what it is; after the labelled groups come the rest and NA.
 *
 * @param {Summary} summary
 * @param {number} at
 * @returns {Group}
 */
export function describeGroup({ kind, counts, rest, na, rows, labels, shown }, at) {
  const number = at < counts.length ? counts[at] : at === counts.length ? rest : na;
  const bin = kind === "histogram" ? nameBin(labels, at) : labels[at];
  const name = at < counts.length ? bin : at === counts.length ? "other values" : "no value (NA)";
  const title = `${name}: ${formatRows(number, "row")}, ${formatShare(number, rows)}`;
  return { rows: number, title, isHidden: shown !== undefined && !shown[at] };
}

/** Return the share of the value that the caption names, with a blank behind it: in the rows that are shown. @param {Summary} summary */
export function shareOfTop({ kind, counts, rows, shown, top }) {
  if (kind !== "values" || !counts.length) return "";
  if (top === undefined) return `${formatShare(counts[0], rows)} `;
  return top
    ? `${formatShare(
        top,
        (shown ?? []).reduce((sum, part) => sum + part, 0),
      )} `
    : "";
}

/** @param {string[]} edges @param {number} at */
const nameBin = (edges, at) => (edges[at] === edges[at + 1] ? edges[at] : `${edges[at]} to ${edges[at + 1]}`);

/** Return what a column holds, in words. @param {Summary} summary */
export function describeSummary(summary) {
  const { kind, counts, na, caption } = summary;
  const values = counts.map((_, at) => describeGroup(summary, at).title);
  const parts = kind === "values" && values.length ? values : [caption];
  if (na) parts.push(describeGroup(summary, counts.length + 1).title);
  return parts.filter(Boolean).join("; ") || "no rows";
}
