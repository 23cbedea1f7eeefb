// Lengths, heights and places in charts: arithmetic without the DOM.

/** @import { Bar } from "./messages.js" */

/** @typedef {{ x: number, y: number, width: number, height: number }} Box */

export const CHART_HEIGHT = 90;
const TALLEST = 88;
const FEWEST_COLUMNS = 12; // a chart with fewer columns keeps the width of this many

/**
 * Return the length of each bar in percent of the longest. The bar of all others is often far longer than the largest one; it is
 * limited to the width of the chart.
 *
 * @param {Bar[]} bars
 */
export function barLengths(bars) {
  const most = Math.max(...bars.filter((bar) => bar.picks).map((bar) => bar.value)) || 1;
  return bars.map((bar) => Math.min(100, Math.max(1, (100 * bar.value) / most)));
}

/**
 * Return place and size of each column of a chart 100 wide.
 *
 * @param {Bar[]} bars
 * @returns {Box[]}
 */
export function columnBoxes(bars) {
  const most = Math.max(...bars.map((bar) => bar.value)) || 1;
  const width = 100 / Math.max(FEWEST_COLUMNS, bars.length);
  return bars.map((bar, place) => {
    const height = bar.value ? Math.max(2, (TALLEST * bar.value) / most) : 0;
    return { x: place * width, width, y: CHART_HEIGHT - height, height };
  });
}

/** Return what stands at the ends of the axis of time. @param {Bar[]} bars */
export function axisEnds(bars) {
  const parts = [bars[0], bars[bars.length - 1]].map((bar) => bar.label.split(" to "));
  return [parts[0][0], parts[1][parts[1].length - 1]];
}
