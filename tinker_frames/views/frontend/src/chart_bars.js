// Bars of the largest values, and the parts of a whole; each is a button that filters.

import { barLengths } from "./chart_scale.js";
import { el } from "./dom.js";

/** @import { Bar, BarsChart } from "./messages.js" */

/** @param {BarsChart} chart @param {(first: number, last: number) => void} pick */
export function makeBars(chart, pick) {
  const lengths = barLengths(chart.kind, chart.bars);
  const rows = chart.bars.map((bar, place) => makeRow(chart, bar, lengths[place], () => pick(place, place)));
  const whole = chart.kind === "parts" ? [makeWhole(chart.bars, lengths)] : [];
  const rest = chart.rest ? [el("div", { class: "tkf-muted tkf-bars-rest" }, chart.rest)] : [];
  return el("div", { class: `tkf-bars tkf-${chart.kind}` }, ...whole, ...rows, ...rest);
}

/** @param {BarsChart} chart @param {Bar} bar @param {number} length in percent @param {() => void} pick */
function makeRow(chart, bar, length, pick) {
  const label = `${bar.label}: ${bar.text}`;
  return el(
    "button",
    {
      type: "button",
      class: "tkf-bar-row",
      title: label,
      "aria-label": label,
      "data-name": `${chart.title} ${bar.label}`,
      on: { click: pick },
    },
    chart.kind === "parts"
      ? el("span", { class: `tkf-swatch tkf-look-${bar.look}` })
      : el("span", { class: `tkf-bar-fill tkf-look-${bar.look}`, style: { width: `${Math.max(0.5, length)}%` } }),
    el("span", { class: "tkf-bar-label" }, bar.label),
    el("span", { class: "tkf-bar-text" }, bar.text),
  );
}

/** @param {Bar[]} bars @param {number[]} lengths in percent */
export function makeWhole(bars, lengths) {
  const parts = bars.map((bar, place) =>
    el("span", { class: `tkf-look-${bar.look}`, style: { width: `${lengths[place]}%` } }),
  );
  return el("div", { class: "tkf-whole", "aria-hidden": "true" }, ...parts);
}
