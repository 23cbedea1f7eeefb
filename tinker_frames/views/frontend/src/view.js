// The entire view: its parts, and the messages for each part.

import { ActionPanel } from "./action_panel.js";
import { Charts } from "./charts.js";
import { DetailPanel } from "./detail_panel.js";
import { button, copyText, el, redraw, uniqueId } from "./dom.js";
import { FilterBar } from "./filter_bar.js";
import { Grid } from "./grid.js";
import { Kernel } from "./kernel.js";
import { echoChanges, isInMarimo } from "./marimo.js";
import { Note } from "./note.js";
import { SelectionBar } from "./selection_bar.js";
import { hideStaticTable } from "./static_table.js";
import { capitalize, formatAge, formatCount, formatRows } from "./text.js";
import { followTheme } from "./theme.js";
import { makeToolbar, setStop } from "./toolbar.js";

/** @import { Model } from "./kernel.js" */
/** @import { FilterBar as FilterBarState, Grid as GridState, Head, Reply, Request } from "./messages.js" */

const AGE_MS = 5000; // between updates of the age

class View {
  /** @param {Model} model @param {HTMLElement} host */
  constructor(model, host) {
    this.root = el("div", { class: "tkf", "data-tkf": uniqueId() });
    /** @type {Head | null} */
    this.head = null;
    const send = (/** @type {Request} */ request) => this.kernel.send(request);
    this.send = send;
    this.note = new Note(send);
    this.kernel = new Kernel(model, (text) => this.note.show(text, { isError: true }));
    this.grid = new Grid(send, (text) => this.note.show(text), model.get("_limits"));
    this.bar = new FilterBar(send, this.root);
    this.charts = new Charts(send);
    this.detail = new DetailPanel(send, this.grid, (text) => this.note.show(text));
    this.selection = new SelectionBar(send, () => this.grid.data.number);
    this.panel = new ActionPanel(send, this.selection.actions);
    this.trail = el("nav", { class: "tkf-trail", "aria-label": "tables" });
    this.count = el("span", { class: "tkf-count", role: "status" });
    this.age = el("span", { class: "tkf-age tkf-muted" });
    this.tools = makeToolbar({ class: "tkf-tools", "aria-label": "view" });
    this.banner = el("div", { class: "tkf-warn tkf-banner", role: "alert", hidden: true });
    this.root.append(...this.layOut());
    this.keepKeys();
    host.append(this.root);
    this.leaveTheme = followTheme(this.root, host);
    hideStaticTable(model.get("_static_id"));
    this.followState();
    if (isInMarimo(host)) echoChanges(model, this.kernel);
    this.clock = setInterval(() => this.drawAge(), AGE_MS);
    send({ do: "ready" });
  }

  remove() {
    clearInterval(this.clock);
    this.leaveTheme();
    this.kernel.remove();
    this.grid.remove();
    this.bar.remove();
    this.charts.remove();
  }

  layOut() {
    const spring = el("span", { class: "tkf-spring" });
    return [
      el("div", { class: "tkf-line tkf-top" }, this.trail, this.count, spring, this.age, this.tools),
      this.banner,
      this.note.element,
      this.bar.element,
      this.selection.element,
      this.panel.element,
      el(
        "div",
        { class: "tkf-middle" },
        el("div", { class: "tkf-rows" }, this.grid.element, this.detail.element),
        this.charts.element,
      ),
      this.bar.popover.element,
    ];
  }

  // Keep the notebook's shortcuts and menus out of the view.
  keepKeys() {
    // JupyterLab checks the focused element before it handles d,d as "delete this cell".
    this.root.addEventListener("focusin", ({ target }) => {
      if (target instanceof Element) target.setAttribute("data-lm-suppress-shortcuts", "true");
    });
    this.root.addEventListener("keydown", (event) => {
      event.stopPropagation();
      if (event.key === "Escape") this.bar.popover.close();
    });
    this.root.addEventListener("contextmenu", (event) => event.stopPropagation());
  }

  // ── messages ──

  followState() {
    this.kernel.onReply((reply) => this.takeReply(reply));
    this.kernel.follow("_head", (head) => this.drawHead(head));
    this.kernel.follow("_filter_bar", (bar) => this.drawFilters(bar));
    this.kernel.follow("_grid", (grid) => this.drawGrid(grid));
    this.kernel.follow("_selection", (selection) => {
      this.grid.updateSelection(selection);
      this.selection.updateSelection(selection);
    });
    this.kernel.follow("_facet", (facet) => this.bar.popover.updateFacet(facet));
    this.kernel.follow("_summaries", (summaries) => this.grid.updateSummaries(summaries));
    this.kernel.followAll("_detail", (detail) => this.detail.update(detail));
    this.kernel.follow("_charts", (charts) => this.charts.update(charts));
    this.kernel.follow("_action_panel", (panel) => this.panel.update(panel));
  }

  /** @param {Reply} reply */
  takeReply(reply) {
    if ("chunk" in reply) this.grid.takeRows(reply);
    if ("names" in reply) this.bar.query.setColumns(reply.names);
    if ("copied" in reply) copyText(reply.copied).then(() => this.note.show(`copied ${formatRows(reply.rows, "row")}`));
    if ("code" in reply) copyText(reply.code).then(() => this.note.show("copied the code of this view"));
  }

  // ── drawing ──

  /** @param {Head} head */
  drawHead(head) {
    this.head = head;
    redraw(this.trail, () => this.trail.replaceChildren(...this.makeTrail(head)));
    const { rows, total, size, total_size: all } = head.count;
    this.count.textContent = `${formatCount(rows)} of ${formatCount(total)}${all ? ` · ${size || "0 B"} of ${all}` : ""}`;
    this.grid.limitHeight(total);
    this.root.classList.toggle("tkf-nothing", !total);
    this.banner.hidden = !head.banner;
    this.banner.textContent = head.banner;
    this.drawNote(head);
    redraw(this.tools, () => this.tools.replaceChildren(...this.makeTools(head)));
    setStop(this.tools);
    this.bar.popover.adopt(this.tools);
    this.drawAge();
    this.selection.updateHead(head);
  }

  /** @param {Head} head */
  drawNote({ reading, note, is_error: isError }) {
    if (reading) this.note.show(`${capitalize(reading.what)} …`, { progress: reading });
    else if (note || !this.kernel.isSilent) this.note.show(note, { isError });
  }

  /** @param {Head} head */
  makeTrail({ trail, opened_by: openedBy }) {
    return trail.map((title, depth) => {
      const text = `${title}${openedBy[depth] ? ` ${openedBy[depth]}` : ""}`;
      if (depth === trail.length - 1) return el("strong", { class: "tkf-title", title: text }, text);
      const looks = { class: "tkf-link tkf-back", title: `back to ${text}`, "data-name": `back ${depth}` };
      return button(`${text} ›`, () => this.send({ do: "back", depth }), looks);
    });
  }

  /** @param {Head} head */
  makeTools({ reading, charts }) {
    const columns = /** @type {const} */ ({ name: "columns", label: "Columns", kind: "columns" });
    return [
      button("⟳ Refresh", () => reading || this.send({ do: "refresh" }), {
        "data-name": "refresh",
        "aria-disabled": reading ? "true" : false,
        title: "read it anew from the service",
      }),
      this.bar.makeOpener(columns, "Columns ▾"),
      button("Charts", () => this.send({ do: "charts", on: !charts }), {
        "data-name": "charts",
        "aria-pressed": String(charts),
      }),
      button("Copy code", () => this.send({ do: "code" }), {
        "data-name": "code",
        title: "the lines of Python that give the same rows and plan",
      }),
    ];
  }

  /** @param {FilterBarState} bar */
  drawFilters(bar) {
    const isInvalid = bar.controls.some((control) => control.error);
    this.bar.update(bar);
    this.root.classList.toggle("tkf-invalid", isInvalid);
    this.selection.updateFilters(isInvalid);
  }

  drawAge() {
    this.age.textContent = this.head ? formatAge(this.head.age, Date.now()) : "";
  }

  /** @param {GridState} grid */
  drawGrid(grid) {
    this.bar.popover.updateColumns(grid.columns.map((column) => column.id));
    const reset = () => {
      this.bar.reset();
      this.grid.element.focus();
    };
    if (this.head?.count.total === 0) this.grid.empty.replaceChildren(describeEmpty(this.head.noun));
    else {
      const resetButton = button("Reset the filters", reset, { "data-name": "reset-empty" });
      this.grid.empty.replaceChildren("No row matches. ", resetButton);
    }
    this.grid.update(grid);
  }
}

/** Return what to do in a view without any rows. @param {string} noun */
const describeEmpty = (noun) =>
  noun === "checkpoint"
    ? "There are no checkpoints here yet. Save one from a training run, then Refresh."
    : `There are no ${noun}s here yet. Start training with Tinker, then Refresh.`;

/** @type {import("@anywidget/types").Render<import("./messages.js").ViewState>} */
function render({ model, el: host }) {
  const view = new View(model, host);
  return () => view.remove();
}

export default { render };
