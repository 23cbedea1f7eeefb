import assert from "node:assert/strict";
import { test } from "node:test";
import { placePopover } from "../src/filter_popover.js";

const VIEW = { left: 100, right: 900, top: 0, bottom: 600 };
const SIZE = { width: 300, height: 200 };

/** @param {number} left @param {number} top */
const opener = (left, top) => ({ left, right: left + 80, top, bottom: top + 20 });

test("a popover is below its button, and inside of the view", () => {
  assert.deepEqual(placePopover(opener(150, 50), VIEW, SIZE, 700), { left: 150, top: 74 });
  assert.deepEqual(placePopover(opener(800, 50), VIEW, SIZE, 700), { left: 596, top: 74 });
  assert.deepEqual(placePopover(opener(150, 50), { ...VIEW, right: 300 }, SIZE, 700), { left: 100, top: 74 });
});

test("a popover with room neither below nor above ends at the edge of the window", () => {
  assert.deepEqual(placePopover(opener(150, 100), VIEW, SIZE, 300), { left: 150, top: 96 });
  assert.deepEqual(placePopover(opener(150, 400), VIEW, SIZE, 300), { left: 150, top: 424 });
});

test("a popover without room below is above its button, if there is room", () => {
  assert.deepEqual(placePopover(opener(150, 550), VIEW, SIZE, 700), { left: 150, top: 346 });
});
