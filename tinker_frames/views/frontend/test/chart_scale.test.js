import assert from "node:assert/strict";
import { test } from "node:test";
import {
  areaOf,
  barLengths,
  binAt,
  describeBins,
  describeSteps,
  numberTicks,
  stackSeries,
  stepScale,
  timeScale,
  timeTicks,
  valueScale,
} from "../src/chart_scale.js";

const DAY = 24;
const TODAY = 20_784 * DAY; // 27 November 2026, in hours since 1970
const AREA = areaOf(400);

/** @param {Partial<import("../src/messages.js").TimeChart>} given @returns {import("../src/messages.js").TimeChart} */
const makeChart = (given) => ({
  id: "storage",
  kind: "area",
  title: "",
  text: "",
  unit: "GB",
  start: TODAY - 3 * DAY,
  step: DAY,
  end: TODAY + 6,
  series: [
    { label: "kept", look: "kept", values: [1, 1, 4, 4] },
    { label: "will expire", look: "expiring", values: [0, 2, 2, 3.5] },
  ],
  ...given,
});

test("series stand on each other, and the axis reaches the highest sum with round ticks", () => {
  const chart = makeChart({});
  assert.deepEqual(stackSeries(chart.series)[1], [
    [1, 1],
    [1, 3],
    [4, 6],
    [4, 7.5],
  ]);
  const ticks = numberTicks(valueScale(chart, AREA), 3, "GB").map(({ label }) => label);
  assert.deepEqual(ticks, ["0 GB", "2 GB", "4 GB", "6 GB", "8 GB"]);
});

test("today is at the right end, and no tick is beyond it or on top of it", () => {
  const chart = makeChart({ start: TODAY - 90 * DAY, step: 7 * DAY });
  const ticks = timeTicks(timeScale(chart, AREA), AREA, "today");
  assert.deepEqual(ticks.at(-1), { at: AREA.right, label: "today" });
  assert.ok(ticks.length > 2 && ticks.every(({ label }) => label));
  assert.ok(ticks.slice(0, -1).every(({ at }) => at >= AREA.left && at < AREA.right - 40));
});

test("labels of an axis of weeks are days, also at the first of a month, and do not touch", () => {
  const chart = makeChart({ start: (TODAY / 24 - 47) * DAY, step: 7 * DAY });
  const ticks = timeTicks(timeScale(chart, AREA), AREA, "today");
  assert.ok(ticks.slice(0, -1).every(({ label }) => /^\d\d? [A-Z][a-z]{2}$/.test(label)));
  assert.ok(ticks.slice(1).every(({ at }, place) => at - ticks[place].at > 40));
});

test("of labels that would touch, the one before the last or after another is left out", () => {
  const chart = makeChart({ start: (TODAY / 24 - 108) * DAY, step: 7 * DAY });
  const narrow = areaOf(278);
  const labels = timeTicks(timeScale(chart, narrow), narrow, "today").map(({ label }) => label);
  assert.deepEqual(labels, ["September", "October", "today"]);
});

test("a brush says what was added in its period, or what the columns hold", () => {
  assert.equal(describeBins(makeChart({}), 1, 2), "2026-11-25 to 2026-11-26: 3 GB kept, 2 GB will expire");
  assert.equal(describeBins(makeChart({ kind: "columns" }), 0, 0), "2026-11-24: 1 GB kept");
  assert.equal(
    describeBins(makeChart({ step: 1 }), 0, 0),
    "2026-11-24 00:00: 1 GB kept".replace("00:00", "00:00 to 2026-11-24 00:59"),
  );
  assert.equal(describeBins(makeChart({ series: [] }), 0, 0), "2026-11-24: nothing");
});

test("a brush along steps counts the checkpoints by what keeps or ends them", () => {
  /** @type {import("../src/messages.js").StepsChart} */
  const chart = {
    id: "steps",
    kind: "steps",
    title: "",
    text: "",
    low: 100,
    high: 5000,
    bins: 40,
    lanes: ["a"],
    looks: ["public", "kept"],
    labels: ["public", "kept"],
    note: "",
    points: [
      [0, 100, 0, 0, 1],
      [0, 100, 0, 1, 2],
      [39, 5000, 0, 1, 1],
    ],
  };
  assert.equal(describeSteps(chart, 0, 3), "step 100: 1 public, 2 kept");
  assert.equal(describeSteps(chart, 0, 39), "steps 100 to 5,000: 1 public, 3 kept");
  assert.equal(describeSteps(chart, 5, 9), "no checkpoint here");
  const one = stepScale({ ...chart, high: 100 }, AREA);
  assert.equal(one.place(100), (AREA.left + AREA.right) / 2);
});

test("places outside belong to the first and the last bin", () => {
  const ends = { left: 10, right: 110 };
  assert.deepEqual(
    [0, 10, 59, 60, 500].map((x) => binAt(x, 2, ends)),
    [0, 0, 0, 1, 1],
  );
});

test("bars are measured by the largest, parts by the whole", () => {
  const bars = [50, 25].map((value) => ({ label: "a", value, text: "", look: "kept" }));
  assert.deepEqual(barLengths("bars", bars), [100, 50]);
  assert.deepEqual(barLengths("parts", bars).map(Math.round), [67, 33]);
  assert.deepEqual(barLengths("bars", [{ ...bars[0], value: 0 }]), [0]);
});
