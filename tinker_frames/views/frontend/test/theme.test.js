import assert from "node:assert/strict";
import { test } from "node:test";
import { readTheme } from "../src/theme.js";

const NOTHING = { classes: "", colorScheme: "normal" };

test("a page is dark if its notebook says so, else by its color scheme, else it does not say", () => {
  assert.equal(readTheme({ ...NOTHING, jpThemeLight: "true", colorScheme: "dark" }), false);
  assert.equal(readTheme({ ...NOTHING, jpThemeLight: "false" }), true);
  assert.equal(readTheme({ ...NOTHING, classes: "vscode-light", colorScheme: "dark" }), false);
  assert.equal(readTheme({ ...NOTHING, classes: "a vscode-high-contrast" }), true);
  assert.equal(readTheme({ ...NOTHING, classes: "vscode-high-contrast-light" }), null);
  assert.equal(readTheme({ ...NOTHING, colorScheme: "light" }), false);
  assert.equal(readTheme({ ...NOTHING, colorScheme: "only dark" }), true);
  for (const colorScheme of ["normal", "light dark"]) assert.equal(readTheme({ ...NOTHING, colorScheme }), null);
});
