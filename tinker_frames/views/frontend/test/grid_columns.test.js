import assert from "node:assert/strict";
import { test } from "node:test";
import {
  computeWidths,
  findSort,
  fitWidth,
  gridTemplate,
  linksWidth,
  moveColumn,
  nextSort,
} from "../src/grid_columns.js";

/** @param {number} width @returns {import("../src/messages.js").Column} */
const column = (width) => ({ id: "name", label: "name", kind: "text", align: "left", width, doc: "" });

test("the widths are of the check mark and the columns; links are as wide as their labels, and lie in what is left", () => {
  assert.deepEqual(computeWidths([column(80), column(120)]), [34, 80, 120]);
  const [none, short, long] = [[], ["run"], ["run", "session"]].map(linksWidth);
  assert.ok(none < short && short < long);
  assert.equal(gridTemplate([34, 80]), "34px 80px minmax(0, 1fr)");
});

test("a fitted column has room for its longest text, within bounds", () => {
  assert.equal(fitWidth([10, 200, 40]), 226);
  assert.equal(fitWidth([]), 60);
  assert.equal(fitWidth([5000]), 700);
});

test("a click sorts ascending, then descending, then not", () => {
  assert.deepEqual(nextSort([], "size", false), ["size"]);
  assert.deepEqual(nextSort(["size"], "size", false), ["-size"]);
  assert.deepEqual(nextSort(["-size"], "size", false), []);
  assert.deepEqual(nextSort(["name", "time"], "size", false), ["size"]);
});

test("a Shift-click keeps the other columns, and the column's place among them", () => {
  assert.deepEqual(nextSort(["name"], "size", true), ["name", "size"]);
  assert.deepEqual(nextSort(["name", "size", "time"], "size", true), ["name", "-size", "time"]);
  assert.deepEqual(nextSort(["name", "-size", "time"], "size", true), ["name", "time"]);
});

test("a column is found in a sort by its name, in either direction", () => {
  assert.deepEqual(findSort(["name", "-size"], "size"), { place: 1, isDescending: true });
  assert.deepEqual(findSort(["name", "-size"], "name"), { place: 0, isDescending: false });
  assert.deepEqual(findSort([], "name"), { place: -1, isDescending: false });
});

test("a column moves to a place, and the others close up", () => {
  assert.deepEqual(moveColumn(["a", "b", "c"], "a", 2), ["b", "c", "a"]);
  assert.deepEqual(moveColumn(["a", "b", "c"], "c", 0), ["c", "a", "b"]);
});

test("nothing moves to where it is, from nowhere, or beyond the ends", () => {
  for (const [id, to] of /** @type {[string, number][]} */ ([
    ["a", 0],
    ["x", 1],
    ["a", -1],
    ["a", 3],
  ]))
    assert.equal(moveColumn(["a", "b", "c"], id, to), null);
});
