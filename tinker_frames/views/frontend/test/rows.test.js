import assert from "node:assert/strict";
import { test } from "node:test";
import { stepOf, textToCopy } from "../src/grid_keys.js";
import { readCell, readRow, splitText } from "../src/grid_rows.js";
import { dropEmptyColumns, isNumberTyped } from "../src/panel_parts.js";
import { describeSelection } from "../src/selection_bar.js";

test("a row has its mark, its key and its cells; one that has not come yet has none", () => {
  assert.deepEqual(readRow([true, "tinker://a", "x", ["y", "z"]]), {
    isSelected: true,
    key: "tinker://a",
    cells: ["x", ["y", "z"]],
  });
  assert.deepEqual(readRow(undefined), { isSelected: false, key: "", cells: [] });
});

test("a cell says on hover what Python says, else its text if that is long", () => {
  assert.deepEqual(readCell("short"), { text: "short", title: "", mark: "" });
  assert.deepEqual(readCell("a text that may be cut"), {
    text: "a text that may be cut",
    title: "a text that may be cut",
    mark: "",
  });
  assert.deepEqual(readCell(["private", "", "muted"]), { text: "private", title: "", mark: "muted" });
});

test("a cut cell is copied whole, and outside of the cells the key is", () => {
  const row = [false, "tinker://a", ["begin…", "beginning"], "plain"];
  assert.deepEqual(
    [0, 1, 2, 3].map((column) => textToCopy(row, column)),
    ["tinker://a", "beginning", "plain", "tinker://a"],
  );
});

test("a time is copied as it was, not how long ago", () => {
  const row = [false, "tinker://a", ["3 d ago", "2026-06-15 12:00:00 UTC"], ["never", "it has no expiry", "muted"], ""];
  assert.deepEqual(
    [1, 2, 3].map((column) => textToCopy(row, column, "time")),
    ["2026-06-15 12:00:00 UTC", "never", ""],
  );
});

test("a model's organization and the middle of an id give way, other texts are whole", () => {
  assert.deepEqual(splitText("Qwen/Qwen3-8B", "model"), ["Qwen/", "Qwen3-8B"]);
  assert.deepEqual(splitText("tinker://abc:train:0/weights/final", "id"), ["tinker://abc:train", ":0/weights/final"]);
  for (const [text, kind] of [
    ["own", "model"],
    ["own/", "model"],
    ["short", "id"],
    ["a/b", "text"],
    ["", "id"],
  ])
    assert.deepEqual(splitText(text, kind), [text]);
});

test("arrows and pages move the cursor by steps, other keys do not", () => {
  assert.deepEqual(stepOf("PageUp", 9), [-9, 0]);
  assert.deepEqual(stepOf("ArrowRight", 9), [0, 1]);
  assert.equal(stepOf("Home", 9), undefined);
});

test("columns that are empty in every row are left out", () => {
  const listed = [
    ["path", "size", "why"],
    ["a", ["1 GB", "bytes"], ""],
    ["b", "", ""],
  ];
  assert.deepEqual(dropEmptyColumns(listed), {
    names: ["path", "size"],
    rows: [
      ["a", "1 GB"],
      ["b", ""],
    ],
  });
});

test("the number to type may have spaces around it and commas in it", () => {
  assert.ok(isNumberTyped(" 1,234 ", 1234));
  assert.ok(!isNumberTyped("12", 1234) && !isNumberTyped("", 0));
});

test("a selection says its rows, their size, and how many the filters hide", () => {
  assert.equal(describeSelection({ rows: 0, hidden: 0, all: false, size: "" }), "none selected");
  assert.equal(
    describeSelection({ rows: 1200, hidden: 3, all: false, size: "2 GB" }),
    "1,200 selected, 2 GB, 3 not in this view",
  );
});
