import assert from "node:assert/strict";
import { test } from "node:test";
import { barBoxes, binAt, describeGroup, describeSummary, PLOT_HEIGHT, shareOfTop } from "../src/summary_scale.js";
import { formatShare } from "../src/text.js";

/** @type {import("../src/messages.js").Summary} */
const sizes = {
  id: "size_gb",
  kind: "histogram",
  rows: 100,
  counts: [60, 0, 30],
  rest: 0,
  na: 10,
  labels: ["0 B", "1 GB", "2 GB", "3 GB"],
  caption: "0–3 GB",
  picks: true,
  picks_na: false,
};
/** @type {import("../src/messages.js").Summary} */
const models = {
  ...sizes,
  kind: "values",
  counts: [60, 20],
  rest: 20,
  na: 0,
  labels: ["a", "b"],
  shown: [60, 0, 0, 0],
};

test("bins share the width, the tallest has the height, and an empty one none", () => {
  const boxes = barBoxes(sizes);
  assert.deepEqual(
    boxes.map(({ height }) => height),
    [PLOT_HEIGHT, 0, PLOT_HEIGHT / 2],
  );
  assert.ok(boxes[2].x + boxes[2].width <= 100);
  assert.deepEqual(barBoxes({ ...sizes, counts: [] }), []);
  assert.deepEqual(
    barBoxes({ ...sizes, shown: [1, 0, 0] }).map(({ shown }) => shown),
    [1.5, 0, 0],
  );
});

test("a place of the screen is in one of the bins, also at and beyond the ends", () => {
  const box = { left: 10, width: 100 };
  assert.deepEqual(
    [0, 10, 59, 60, 110, 999].map((x) => binAt(x, box, 2)),
    [0, 0, 0, 1, 1, 1],
  );
});

test("a group says what it is, its rows and their share", () => {
  assert.equal(describeGroup(sizes, 2).title, "2 GB to 3 GB: 30 rows, 30 %");
  assert.equal(describeGroup(models, 2).title, "other values: 20 rows, 20 %");
  assert.deepEqual(
    [0, 1].map((at) => describeGroup(models, at).isHidden),
    [false, true],
  );
  assert.equal(describeSummary(sizes), "0–3 GB; no value (NA): 10 rows, 10 %");
  assert.equal(describeSummary({ ...sizes, counts: [], na: 0, caption: "", rows: 0 }), "no rows");
});

test("a share is 0 or 100 % only of none and all", () => {
  assert.deepEqual(
    [
      [0, 9],
      [1, 1000],
      [1, 3],
      [999, 1000],
      [9, 9],
      [0, 0],
    ].map(([part, total]) => formatShare(part, total)),
    ["0 %", "<1 %", "33 %", ">99 %", "100 %", "0 %"],
  );
});

test("the share of a caption is that of its value in the rows that are shown", () => {
  const { shown: _, ...unfiltered } = models;
  assert.equal(shareOfTop(unfiltered), "60 % ");
  assert.equal(shareOfTop({ ...models, shown: [0, 0, 4, 0], top: 3 }), "75 % ");
  assert.equal(shareOfTop({ ...models, shown: [0, 0, 0, 0], top: 0 }), "");
  assert.equal(shareOfTop(sizes), "");
});
