// Bundle the modules and the style sheet into ../static; with --check, compare with what is there instead.

import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = (/** @type {string} */ path) => fileURLToPath(new URL(path, import.meta.url));
const isCheck = process.argv.includes("--check");

// The licence of d3-array and d3-time, which are bundled.
const licence = await readFile(here("node_modules/d3-array/LICENSE"), "utf8");

const { outputFiles } = await build({
  absWorkingDir: here("."),
  entryPoints: ["src/view.js", "src/view.css", "src/costs_view.js", "src/costs_view.css"],
  outdir: "../static",
  bundle: true,
  minify: true, // the code is sent to the browser with each view
  banner: { js: `/*! The views of tinker-frames; with d3-array and d3-time:\n${licence}*/` },
  format: "esm",
  target: "es2022",
  charset: "utf8",
  write: !isCheck,
  logLevel: isCheck ? "warning" : "info",
});

for (const file of outputFiles ?? []) {
  const committed = await readFile(file.path, "utf8").catch(() => "");
  if (committed === file.text) continue;
  console.error(`${file.path} is not what these modules make: run "npm run build" and commit the result.`);
  process.exitCode = 1;
}
