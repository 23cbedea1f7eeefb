import assert from "node:assert/strict";
import { test } from "node:test";
import { axisEnds, barLengths, CHART_HEIGHT, columnBoxes } from "../src/chart_scale.js";

/** @param {number} value @param {boolean} [isRest] @returns {import("../src/messages.js").Bar} */
const bar = (value, isRest = false) => ({ label: "a", value, text: "", picks: isRest ? null : { run: ["a"] } });

test("the largest bar is as long as the chart is wide, the others in proportion", () => {
  assert.deepEqual(barLengths([bar(50), bar(25)]), [100, 50]);
});

test("the bar of all others is no longer than the chart, and shortens none", () => {
  assert.deepEqual(barLengths([bar(50), bar(25), bar(1000, true)]), [100, 50, 100]);
});

test("a very small bar can be seen", () => {
  assert.deepEqual(barLengths([bar(1e12), bar(1)]), [100, 1]);
  assert.deepEqual(barLengths([bar(0)]), [1]);
});

test("columns stand on the axis side by side, the highest just below the top", () => {
  const boxes = columnBoxes([bar(10), bar(5), bar(0)]);
  assert.deepEqual(
    boxes.map((box) => box.height),
    [88, 44, 0],
  );
  for (const [place, { x, y, width, height }] of boxes.entries()) {
    assert.equal(y + height, CHART_HEIGHT);
    assert.equal(x, place * width);
  }
});

test("a column of few rows can be seen", () => {
  assert.equal(columnBoxes([bar(1e6), bar(1)])[1].height, 2);
});

test("few columns are not wider than those of a full chart; many fill its width", () => {
  assert.equal(columnBoxes([bar(1)])[0].width, 100 / 12);
  const { x, width } = columnBoxes(Array.from({ length: 40 }, () => bar(1)))[39];
  assert.ok(Math.abs(x + width - 100) < 1e-9);
});

test("the axis says where the first column begins and the last one ends", () => {
  const span = (/** @type {string} */ label) => ({ ...bar(1), label });
  assert.deepEqual(axisEnds([span("2026-01-01 to 2026-01-07"), span("2026-01-08 to 2026-01-14")]), [
    "2026-01-01",
    "2026-01-14",
  ]);
  assert.deepEqual(axisEnds([span("2026-01-01")]), ["2026-01-01", "2026-01-01"]);
});
