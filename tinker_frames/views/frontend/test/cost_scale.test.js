import assert from "node:assert/strict";
import { test } from "node:test";
import { describeGroups, dollarTicks, formatDollars, mostDollars, periodTicks, stackParts } from "../src/cost_scale.js";

/** @param {Partial<import("../src/messages.js").CostGroup>} given @returns {import("../src/messages.js").CostGroup} */
const makeGroup = (given) => ({
  label: "2026-11-01",
  title: "",
  events: 4,
  unpriced: 0,
  total: 3,
  parts: [2, 1],
  ...given,
});

/** @param {import("../src/messages.js").CostGroup[]} groups @returns {import("../src/messages.js").CostPicture} */
const makePicture = (groups) => ({
  title: "",
  text: "",
  group: "day",
  is_time: true,
  kinds: [
    { label: "training", look: "training", sum: 2 },
    { label: "storage", look: "storage", sum: 1 },
  ],
  groups,
});

test("dollars have cents, a little is not nothing, and no price is no zero", () => {
  assert.deepEqual([1234.5, 0.001, 0, -1.5, -0.001, null].map(formatDollars), [
    "$1,234.50",
    "<$0.01",
    "$0.00",
    "-$1.50",
    "$0.00",
    "–",
  ]);
});

test("parts stand on each other; one without a price and a credit have no height", () => {
  assert.deepEqual(stackParts(makeGroup({ parts: [2, null, -1, 3] })), [
    [0, 2],
    [2, 2],
    [2, 2],
    [2, 5],
  ]);
  assert.deepEqual(stackParts(makeGroup({ parts: [] })), [[0, 3]]);
});

test("the axis ends at a round number above the largest group, and has one also without dollars", () => {
  assert.equal(mostDollars([makeGroup({ parts: [57, 20] })]), 80);
  const area = { left: 0, right: 100, top: 0, bottom: 100 };
  assert.deepEqual(dollarTicks(mostDollars([]), area).at(-1), { at: 0, label: "$1" });
});

test("groups are added up in words, and what is not known stays so", () => {
  const groups = [makeGroup({}), makeGroup({ label: "2026-11-02", total: null, parts: [null, null], unpriced: 4 })];
  const picture = makePicture([
    ...groups,
    makeGroup({ label: "2026-11-03", events: 0, total: null, parts: [null, null] }),
  ]);
  assert.equal(describeGroups(picture, 0, 0), "2026-11-01: $3.00 (training $2.00, storage $1.00)");
  assert.equal(describeGroups(picture, 1, 1), "2026-11-02: nothing is priced; 4 of 4 events not priced");
  assert.equal(describeGroups(picture, 2, 2), "2026-11-03: no events");
  assert.match(describeGroups(picture, 0, 2), /^2026-11-01 to 2026-11-03: \$3.00 .*; 4 of 8 events not priced$/);
});

test("a year of days is labelled by months, as many as there is room for", () => {
  const days = Array.from({ length: 365 }, (_, day) => new Date(Date.UTC(2026, 0, 1 + day)).toISOString().slice(0, 10));
  const picture = makePicture(days.map((label) => makeGroup({ label })));
  const labels = periodTicks(picture, { left: 0, right: 500, top: 0, bottom: 9 }).map(({ label }) => label);
  assert.deepEqual(labels, ["2026-01", "2026-03", "2026-05", "2026-07", "2026-09", "2026-11"]);
});

test("labels of days do not touch", () => {
  const days = Array.from({ length: 61 }, (_, day) => new Date(Date.UTC(2026, 8, 29 + day)).toISOString().slice(0, 10));
  for (const width of [200, 333, 468, 700, 1200]) {
    const area = { left: 52, right: 52 + width, top: 0, bottom: 9 };
    const places = periodTicks(makePicture(days.map((label) => makeGroup({ label }))), area).map(({ at }) => at);
    const least = Math.min(...places.slice(1).map((at, place) => at - places[place]));
    assert.ok(least > 62 && places.length >= 2, `${width}: ${places}`);
  }
});
