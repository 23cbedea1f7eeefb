import assert from "node:assert/strict";
import { test } from "node:test";
import { stackPoints } from "../src/chart_steps.js";
import { stepsOf } from "../src/timeline.js";

/** @param {number | null} step @param {string} look */
const entry = (step, look) => ({ key: `${step}`, name: "", type: "", step, size: "", time: "", look, label: look });

test("checkpoints with a step are drawn along their steps, by their looks", () => {
  const chart = stepsOf([entry(10, "kept"), entry(null, "public"), entry(30, "expiring"), entry(20, "kept")]);
  assert.deepEqual([chart?.low, chart?.high, chart?.looks], [10, 30, ["kept", "public", "expiring"]]);
  assert.deepEqual(chart?.points, [
    [0, 10, 0, 0, 1],
    [0, 30, 0, 2, 1],
    [0, 20, 0, 0, 1],
  ]);
});

test("checkpoints at one step, or without any, have no chart", () => {
  assert.equal(stepsOf([entry(10, "kept"), entry(10, "kept"), entry(null, "kept")]), null);
  assert.equal(stepsOf([]), null);
});

test("points of different looks at one place are stacked, in the lane of their run", () => {
  const points = [
    [0, 10, 0, 0, 1],
    [0, 10, 1, 0, 1],
    [0, 10, 0, 2, 1],
    [0, 10, 1, 0, 1],
  ];
  const stacks = stackPoints(points, ([, step, lane]) => `${lane} ${step}`);
  assert.deepEqual(
    stacks.map(({ at, count }) => [at, count]),
    [
      [0, 2],
      [1, 2],
      [0, 1],
      [0, 1],
    ],
  );
});
