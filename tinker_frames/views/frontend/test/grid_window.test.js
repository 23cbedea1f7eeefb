import assert from "node:assert/strict";
import { test } from "node:test";
import {
  chunksToDraw,
  computeSpan,
  pageRows,
  ROW_PX,
  rowsToDraw,
  scrollToColumn,
  scrollToRow,
} from "../src/grid_window.js";

const WINDOW_PX = 300;
const MANY = 1_000_000; // rows, higher together than a browser draws

/** @param {number} rows */
const lowest = (rows) => computeSpan(rows, WINDOW_PX, 0).height - WINDOW_PX;

test("a few rows have their own height and stand where they are", () => {
  assert.deepEqual(computeSpan(100, WINDOW_PX, 0), { height: 2800, top: 0, offset: 0, first: 0, last: 11 });
  assert.deepEqual(computeSpan(100, WINDOW_PX, 56), { height: 2800, top: 56, offset: 0, first: 2, last: 13 });
});

test("no rows and a window without height still give a span", () => {
  assert.deepEqual(computeSpan(0, 0, 0), { height: 0, top: 0, offset: 0, first: 0, last: 1 });
  assert.deepEqual(rowsToDraw(computeSpan(0, 0, 0), 0), [0, 0]);
  assert.deepEqual(chunksToDraw(computeSpan(0, 0, 0), 0, 50), []);
});

test("rows that are too high together are scrolled through to the very last one", () => {
  const span = computeSpan(MANY, WINDOW_PX, lowest(MANY));
  assert.ok(span.height < MANY * ROW_PX);
  assert.equal(span.last, MANY);
  assert.equal(Math.round(span.top), MANY * ROW_PX - WINDOW_PX);
});

test("the rows in sight are within the window wherever it is scrolled", () => {
  for (const rows of [1, 10, 11, 50, 5000, MANY])
    for (const share of [0, 0.01, 0.5, 0.999, 1]) {
      const scrollTop = Math.max(0, lowest(rows)) * share;
      const span = computeSpan(rows, WINDOW_PX, scrollTop);
      const drawnAt = span.first * ROW_PX + span.offset;
      assert.ok(drawnAt <= scrollTop + 1e-6 && drawnAt > scrollTop - ROW_PX - 1e-6, `${rows} rows, ${share}`);
      assert.ok((span.last - span.first) * ROW_PX < WINDOW_PX + 2 * ROW_PX);
    }
});

test("some rows are drawn above and below the window, none outside of the table", () => {
  assert.deepEqual(rowsToDraw(computeSpan(100, WINDOW_PX, 0), 100), [0, 19]);
  assert.deepEqual(rowsToDraw(computeSpan(100, WINDOW_PX, 50 * ROW_PX), 100), [42, 69]);
  assert.deepEqual(rowsToDraw(computeSpan(12, WINDOW_PX, 0), 12), [0, 12]);
});

test("the chunks to draw hold every row to draw, and no others", () => {
  for (const rows of [1, 49, 50, 51, 100, 5000])
    for (const scrollTop of [0, 1200, 1400, lowest(rows)].filter((top) => top >= 0 && top <= lowest(rows))) {
      const span = computeSpan(rows, WINDOW_PX, scrollTop);
      const [from, to] = rowsToDraw(span, rows);
      const wanted = new Set();
      for (let row = from; row < to; row++) wanted.add(Math.floor(row / 50));
      assert.deepEqual(chunksToDraw(span, rows, 50), [...wanted], `${rows} rows at ${scrollTop}`);
    }
});

test("a row in sight leaves the scroll position alone; any other is brought just into sight", () => {
  assert.equal(scrollToRow(3, 100, WINDOW_PX, 0), 0);
  assert.equal(scrollToRow(20, 100, WINDOW_PX, 0), 21 * ROW_PX - WINDOW_PX);
  assert.equal(scrollToRow(3, 100, WINDOW_PX, 1000), 3 * ROW_PX);
});

test("every row can be brought into sight, also where scrolling is scaled", () => {
  for (const rows of [100, MANY])
    for (const row of [0, 1, Math.floor(rows / 3), rows - 2, rows - 1])
      for (const start of [0, lowest(rows)]) {
        const span = computeSpan(rows, WINDOW_PX, scrollToRow(row, rows, WINDOW_PX, start));
        assert.ok(span.first <= row && row < span.last, `row ${row} of ${rows} from ${start}`);
      }
});

test("a column is brought into sight beside the last one, which always is", () => {
  const widths = [34, 200, 200, 200, 60];
  assert.equal(scrollToColumn(1, widths, 400, 0), 0);
  assert.equal(scrollToColumn(3, widths, 400, 0), 634 - 340);
  assert.equal(scrollToColumn(1, widths, 400, 300), 0, "the first column brings the check marks with it");
  assert.equal(scrollToColumn(2, widths, 400, 300), 234);
  assert.equal(scrollToColumn(2, [34, 200, 900, 60], 400, 0), 234, "one that is too wide begins at the left");
});

test("Page Down moves by the rows of the window but one, and by one at least", () => {
  assert.equal(pageRows(10 * 28), 9);
  assert.equal(pageRows(20), 1);
});
