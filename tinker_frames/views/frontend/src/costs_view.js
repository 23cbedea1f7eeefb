// The picture of costs: its sum in words, columns of periods, a key, and a table.

import { makeBrush } from "./chart_brush.js";
import { drawColumns } from "./cost_columns.js";
import { describeGroups, labelKinds } from "./cost_scale.js";
import { makeTable } from "./cost_table.js";
import { el, redraw, svg } from "./dom.js";
import { hideStaticTable } from "./static_table.js";
import { followTheme } from "./theme.js";

/** @import { CostPicture } from "./messages.js" */

class CostsView {
  /** @param {CostPicture} picture @param {HTMLElement} host */
  constructor(picture, host) {
    this.picture = picture;
    this.width = 0;
    this.text = el("div", { class: "tkf-chart-text tkf-muted", role: "status" }, picture.text);
    this.slot = el("div", { class: "tkf-picture" });
    this.table = makeTable(picture);
    this.root = el("div", { class: "tkf tkf-costs" }, ...this.layOut());
    this.root.addEventListener("focusin", ({ target }) => {
      // JupyterLab checks the focused element before it handles keys as its own.
      if (target instanceof Element) target.setAttribute("data-lm-suppress-shortcuts", "true");
    });
    host.append(this.root);
    this.leaveTheme = followTheme(this.root, host);
    this.observer = new ResizeObserver(() => this.draw());
    this.observer.observe(this.slot);
  }

  remove() {
    this.observer.disconnect();
    this.leaveTheme();
  }

  layOut() {
    const { groups, is_time: isTime, title } = this.picture;
    const head = el("strong", { class: "tkf-cost-title" }, title);
    if (!groups.length) return [head, this.text];
    const parts = isTime ? [this.slot, this.makeKey(), this.table] : [this.makeKey(), this.table];
    return [head, this.text, el("div", { class: isTime ? "tkf-cost-parts" : "tkf-cost-list" }, ...parts)];
  }

  makeKey() {
    const { kinds, groups } = this.picture;
    const items = labelKinds(kinds).map(({ look, text }) =>
      el("span", {}, el("span", { class: `tkf-swatch tkf-look-${look}` }), text),
    );
    const isOdd = groups.some(({ unpriced }) => unpriced);
    const odd =
      isOdd &&
      el("span", {}, el("span", { class: "tkf-swatch tkf-hatched" }), "events without a price, which is not $0");
    return el("div", { class: "tkf-key" }, ...items, odd);
  }

  draw() {
    const width = this.slot.clientWidth;
    if (!width || width === this.width) return;
    this.width = width;
    const { drawn, area } = drawColumns(this.picture, width);
    const { title, text, groups } = this.picture;
    const hint = "Arrow keys move, Shift extends, Enter shows the row.";
    for (const [name, value] of Object.entries({ tabindex: 0, role: "application", "data-name": "picture" }))
      drawn.setAttribute(name, String(value));
    drawn.setAttribute("aria-label", `${title}. ${text} ${hint}`);
    drawn.prepend(svg("desc", {}, text));
    makeBrush({
      picture: drawn,
      area,
      bins: groups.length,
      describe: (first, last) => describeGroups(this.picture, first, last),
      say: (said) => Object.assign(this.text, { textContent: said || text }),
      pick: (first, last) => this.showRows(first, last),
    });
    redraw(this.slot, () => this.slot.replaceChildren(drawn));
  }

  /** Mark the rows of some groups in the table, and scroll to them. @param {number} first @param {number} last */
  showRows(first, last) {
    for (const row of this.table.querySelectorAll("tr[data-place]")) {
      const place = Number(/** @type {HTMLElement} */ (row).dataset.place);
      row.classList.toggle("tkf-selected", place >= first && place <= last);
    }
    const row = this.table.querySelector(`tr[data-place="${last}"]`);
    if (row instanceof HTMLElement) this.table.scrollTop = row.offsetTop - this.table.clientHeight / 2;
  }
}

/** @type {import("@anywidget/types").Render<{ _picture: CostPicture, _static_id: string }>} */
function render({ model, el: host }) {
  const view = new CostsView(model.get("_picture"), host);
  hideStaticTable(model.get("_static_id"));
  return () => view.remove();
}

export default { render };
