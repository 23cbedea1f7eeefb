import assert from "node:assert/strict";
import { test } from "node:test";
import { cleanRange, listColumns, swapWithNeighbour, updateTimeRange } from "../src/filter_values.js";

test("a field of a filter of times is set beside the others", () => {
  assert.deepEqual(updateTimeRange({ after: "2026-01-01" }, "older_than", 7), { after: "2026-01-01", older_than: 7 });
});

test("an emptied field leaves the filter, and the last one unsets it", () => {
  assert.deepEqual(updateTimeRange({ after: "2026-01-01", within: 1 }, "within", null), { after: "2026-01-01" });
  assert.equal(updateTimeRange({ after: "2026-01-01" }, "after", ""), null);
});

test("having an expiry or none gives way to days and dates", () => {
  assert.deepEqual(updateTimeRange({ never: true }, "within", 7), { within: 7 });
});

test("0 days are a value", () => {
  assert.deepEqual(updateTimeRange({}, "older_than", 0), { older_than: 0 });
});

test("a range without ends is none; 0 is an end", () => {
  assert.equal(cleanRange([null, null]), null);
  assert.deepEqual(cleanRange([0, null]), [0, null]);
});

test("shown columns are listed first, in their order, each once", () => {
  assert.deepEqual(listColumns(["c", "a"], ["a", "b", "c", "d"]), ["c", "a", "b", "d"]);
});

test("a column changes places with its neighbour", () => {
  assert.deepEqual(swapWithNeighbour(["a", "b", "c"], 1, -1), ["b", "a", "c"]);
  assert.deepEqual(swapWithNeighbour(["a", "b", "c"], 1, 1), ["a", "c", "b"]);
});
