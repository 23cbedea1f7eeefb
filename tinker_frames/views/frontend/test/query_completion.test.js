import assert from "node:assert/strict";
import { test } from "node:test";
import { completeWord, findWord, suggestColumns } from "../src/query_completion.js";
import { moveInToolbar } from "../src/toolbar.js";

test("the word at the caret is completed, also a key of the metadata, but not in quotes or after another dot", () => {
  assert.deepEqual(findWord("public and siz", 14), { word: "siz", start: 11 });
  assert.deepEqual(findWord("siz > 1", 3), { word: "siz", start: 0 });
  assert.deepEqual(findWord("name == 'it\\'s' and p", 21), { word: "p", start: 20 });
  assert.deepEqual(findWord("not meta.ru", 11), { word: "meta.ru", start: 4 });
  for (const text of ["name == 'siz", "name.str", "a > 1", ""]) assert.equal(findWord(text, text.length), null, text);
});

test("columns that begin with the word come before those that contain it", () => {
  const columns = ["session_size_gb", "name", "Size_gb", "size"].map((name) => ({ name, doc: "" }));
  const names = suggestColumns(columns, "size").map(({ name }) => name);
  assert.deepEqual(names, ["Size_gb", "session_size_gb"]);
  const more = [...columns, ...["meta.note", "meta.seed"].map((name) => ({ name, doc: "" }))];
  const found = ["n", "met"].map((word) => suggestColumns(more, word).map(({ name }) => name));
  assert.deepEqual(found, [
    ["name", "meta.note", "session_size_gb"],
    ["meta.note", "meta.seed"],
  ]);
});

test("a completed word is replaced, and quoted if it is no plain name", () => {
  assert.deepEqual(completeWord("siz > 1", 0, 3, "size_gb"), { text: "size_gb > 1", caret: 7 });
  assert.deepEqual(completeWord("not me", 4, 6, "meta.seed"), { text: "not `meta.seed`", caret: 15 });
});

test("keys move in a toolbar, around its ends", () => {
  const moves = ["ArrowRight", "ArrowLeft", "Home", "End", "a"].map((key) => moveInToolbar(key, 2, 3));
  assert.deepEqual(moves, [0, 1, 0, 2, null]);
});
