import assert from "node:assert/strict";
import { test } from "node:test";
import {
  describeCurve,
  describePoint,
  findEnds,
  findNearest,
  formatMetric,
  placeIn,
  valueTicks,
} from "../src/curve_scale.js";

/** @type {import("../src/messages.js").CurveMark} */
const MARK = { key: "tinker://a/weights/1", name: "000010", step: 10, value: 2, look: "kept", label: "kept" };

/** @param {number[][]} points @param {import("../src/messages.js").CurveMark[]} [marks] @returns {import("../src/messages.js").Curve} */
const makeCurve = (points, marks = []) => ({
  metric: "nll",
  metrics: ["nll"],
  points,
  total: points.length,
  odd: 0,
  marks,
});

test("values have few digits, and very small and large ones an exponent", () => {
  const found = [1.23456, 0, -0.5, 1e-7, 12345, 2e9].map((value) => formatMetric(value, 3));
  assert.deepEqual(found, ["1.23", "0", "-0.5", "1e-7", "12,300", "2e9"]);
});

test("the axes hold every value and mark, also of a single or constant one", () => {
  assert.deepEqual(findEnds(makeCurve([[0, 3.1]], [MARK])), { first: 0, last: 10, bottom: 2, top: 3.2 });
  assert.deepEqual(findEnds(makeCurve([[5, 1]])), { first: 5, last: 6, bottom: 0, top: 2 });
});

test("values grow upwards, steps to the right", () => {
  const ends = { first: 0, last: 10, bottom: 0, top: 2 };
  const { x, y } = placeIn(ends, { left: 10, right: 110, top: 0, bottom: 50 });
  assert.deepEqual([x(0), x(10), y(0), y(2)], [10, 110, 50, 0]);
  assert.deepEqual(valueTicks(ends, y).at(0), { at: 50, label: "0" });
});

test("what is nearest to the pointer is said", () => {
  const steps = [{ step: 0 }, { step: 10 }, { step: 30 }];
  assert.deepEqual(
    [-5, 4, 6, 21, 99].map((step) => findNearest(steps, step)?.step),
    [0, 0, 10, 30, 30],
  );
  assert.equal(findNearest([], 1), null);
  assert.equal(describePoint("nll", 10, 2, MARK), "step 10: nll 2, checkpoint 000010 (kept)");
  const curve = { ...makeCurve([[0, 1]], [MARK]), total: 9, odd: 1 };
  assert.equal(describeCurve(curve), "nll: 9 values, 1 of them drawn; 1 not finite; 1 checkpoint.");
});
