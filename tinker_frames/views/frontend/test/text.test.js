import assert from "node:assert/strict";
import { test } from "node:test";
import { capitalize, formatAge, formatCount, formatProgress, formatRows } from "../src/text.js";

const progress = { what: "deleting", part: "", done: 0, total: 0, rate: 0, waiting: "", stopping: false };
const NOW = Date.parse("2026-01-02T00:00:00Z");

/** @param {number} seconds */
const ago = (seconds) => formatAge(new Date(NOW - seconds * 1000).toISOString(), NOW);

test("numbers have thousands, and one row has no plural", () => {
  assert.equal(formatCount(1234567), "1,234,567");
  assert.equal(formatRows(1, "session"), "1 session");
  assert.equal(formatRows(1200, "session"), "1,200 sessions");
  assert.equal(capitalize("delete"), "Delete");
  assert.equal(capitalize(""), "");
});

test("an age is said in the largest unit that fits, never as a time to come", () => {
  assert.equal(ago(-5), "read 0 s ago");
  assert.equal(ago(89), "read 89 s ago");
  assert.equal(ago(90), "read 2 min ago");
  assert.equal(ago(5400), "read 2 h ago");
  assert.equal(ago(129600), "read 2 d ago");
});

test("what is no time has no age", () => {
  assert.equal(formatAge("", NOW), "");
});

test("progress says rows, of how many if that is known, the rate, and what it waits for", () => {
  assert.equal(formatProgress(progress), "");
  assert.equal(formatProgress({ ...progress, done: 1200 }), "1,200");
  assert.equal(
    formatProgress({ ...progress, part: "runs", done: 3, total: 40, rate: 12.5 }),
    "runs: 3 of 40 · 12.5 a second",
  );
  assert.equal(
    formatProgress({ ...progress, total: 5, waiting: "waiting 3 s: rate limit", stopping: true }),
    "0 of 5 · waiting 3 s: rate limit · stopping: what is under way ends first",
  );
});
