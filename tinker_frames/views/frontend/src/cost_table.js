// The groups of costs as a table: dollars, those of each kind, and the number of events that are not priced.

import { formatDollars, mostDollars, stackParts } from "./cost_scale.js";
import { el } from "./dom.js";
import { formatCount } from "./text.js";

/** @import { CostGroup, CostPicture } from "./messages.js" */

/** @param {CostPicture} picture */
export function makeTable(picture) {
  const { groups, kinds, is_time: isTime } = picture;
  const most = mostDollars(groups);
  const names = ["dollars", ...kinds.map(({ label }) => label), "not priced"];
  const head = el(
    "tr",
    {},
    el("th", { scope: "col" }, picture.group),
    ...(isTime ? [] : [el("th", { scope: "col" }, el("span", { class: "tkf-unseen" }, "share"))]),
    ...names.map((name) => el("th", { scope: "col", class: "tkf-right" }, name)),
  );
  const rows = groups.map((group, place) => makeRow(group, place, picture, isTime ? 0 : most));
  const shown = isTime ? rows.reverse() : rows; // the latest is at the top
  const props = { class: "tkf-cost-table", tabindex: 0, role: "region", "aria-label": `${picture.title}, as a table` };
  return el("div", props, el("table", {}, el("thead", {}, head), el("tbody", {}, ...shown)));
}

/** @param {CostGroup} group @param {number} place @param {CostPicture} picture @param {number} most the dollars of the longest bar; 0 for none */
function makeRow(group, place, picture, most) {
  const dollars = [group.total, ...group.parts].map((value) =>
    el(
      "td",
      { class: `tkf-right${value === null ? " tkf-muted" : ""}`, title: value === null ? "" : `$${value}` },
      formatDollars(value),
    ),
  );
  const unpriced = group.unpriced ? `${formatCount(group.unpriced)} of ${formatCount(group.events)}` : "";
  const cells = group.events
    ? [...dollars, el("td", { class: "tkf-right" }, unpriced)]
    : [el("td", { class: "tkf-right tkf-muted", colspan: dollars.length + 1 }, "no events")];
  const bar = most > 0 && el("td", { class: "tkf-cost-bar" }, makeBar(group, picture, most));
  const name = el("th", { scope: "row", title: group.title || group.label }, group.label);
  return el("tr", { "data-place": place }, name, bar, ...cells);
}

/** @param {CostGroup} group @param {CostPicture} picture @param {number} most */
function makeBar(group, { kinds }, most) {
  const parts = stackParts(group).map(([below, above], part) =>
    el("span", {
      class: `tkf-look-${kinds[part]?.look ?? "other"}`,
      title: `${kinds[part]?.label ?? "dollars"}: ${formatDollars(above - below)}`,
      style: { width: `${(100 * (above - below)) / most}%` },
    }),
  );
  const unpriced = group.unpriced > 0 && el("span", { class: "tkf-hatched", title: `${group.unpriced} not priced` });
  return el("div", { class: "tkf-cost-whole" }, ...parts, unpriced);
}
