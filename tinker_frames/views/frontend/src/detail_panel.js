// The details of the row that was opened, over the end of the rows: its fields, its metadata, its run's checkpoints, its code.

import { makeKeyMark, makeMarkKey } from "./chart_axis.js";
import { drawSteps } from "./chart_steps.js";
import { makeCurve } from "./curve.js";
import { button, copyText, el, redraw } from "./dom.js";
import { linkText, makeLink } from "./link.js";
import { stepsOf } from "./timeline.js";

/** @import { Child } from "./dom.js" */
/** @import { Grid } from "./grid.js" */
/** @import { Curve, Detail, DetailField, Request, TimelineEntry } from "./messages.js" */

const PICTURE = { width: 380, height: 66 }; // in pixels

export class DetailPanel {
  /** @param {(request: Request) => void} send @param {Grid} grid @param {(text: string) => void} say shows a note */
  constructor(send, grid, say) {
    this.send = send;
    this.grid = grid;
    this.say = say;
    /** @type {Detail | null} */
    this.detail = null;
    this.isSearching = false; // for samplers
    const on = { keydown: (/** @type {KeyboardEvent} */ event) => this.handleKey(event) };
    this.element = el("div", { class: "tkf-detail", role: "region", tabindex: -1, hidden: true, on });
  }

  /** @param {Detail | null} detail */
  update(detail) {
    const before = this.detail;
    const hadFocus = this.element.contains(document.activeElement);
    this.detail = detail;
    this.element.hidden = !detail;
    this.grid.markOpen(detail?.key ?? "");
    if (detail) this.draw(detail, before);
    else {
      this.element.replaceChildren();
      if (hadFocus) this.grid.element.focus({ preventScroll: true });
    }
  }

  /** @param {Detail} detail @param {Detail | null} before */
  draw(detail, before) {
    const isOther = before?.key !== detail.key;
    if (isOther || detail.samplers || detail.problem) this.isSearching = false;
    this.element.setAttribute("aria-label", `${detail.noun} ${detail.title}`);
    redraw(this.element, () => this.element.replaceChildren(...this.makeSections(detail)));
    if (!isOther) return;
    this.element.scrollTop = 0;
    this.element.querySelector('[aria-current="true"]')?.scrollIntoView({ block: "nearest" });
    this.element.scrollTop = 0;
    this.element.focus({ preventScroll: true });
  }

  close() {
    this.send({ do: "detail", key: "" });
  }

  /** @param {KeyboardEvent} event */
  handleKey(event) {
    if (event.key !== "Escape") return;
    event.stopPropagation();
    this.close();
  }

  /** @param {string} text */
  async copy(text) {
    await copyText(text);
    this.say("copied");
  }

  // ── sections ──

  /** @param {Detail} detail */
  makeSections(detail) {
    return [
      this.makeHead(detail),
      detail.problem && el("div", { class: "tkf-error", role: "alert" }, detail.problem),
      detail.curve && this.makeCurve(detail.curve, detail.key),
      makeFields(detail.brief),
      detail.timeline && detail.timeline.length > 0 && this.makeTimeline(detail.timeline, detail.key),
      detail.metadata.length > 0 && makeSection("Metadata", makeMetadata(detail.metadata)),
      makeSection("Samplers", this.makeSamplers(detail)),
      makeSection("Code", ...detail.code.map(({ label, text }) => this.makeCopied(text, label))),
      makeSection("Other fields", makeFields(detail.fields, detail.unset)),
    ].filter((section) => section !== false && section !== null && section !== "");
  }

  /** @param {Detail} detail */
  makeHead(detail) {
    const close = button("×", () => this.close(), {
      class: "tkf-link tkf-detail-close",
      "aria-label": "close the details",
      "data-name": "close-detail",
    });
    const open = (/** @type {string} */ label) => () => this.send({ do: "open", label });
    const links = detail.openings.map((label) => button(`${label} ›`, open(label), { "data-name": `detail ${label}` }));
    const console = detail.console && makeLink(detail.console, "console ↗");
    return el(
      "header",
      {},
      el("div", { class: "tkf-detail-head" }, el("strong", { class: "tkf-detail-title" }, detail.title), close),
      this.makeCopied(detail.key, "", detail.shown_key),
      el("div", { class: "tkf-detail-links" }, ...links, console),
    );
  }

  /** @param {string} text @param {string} label @param {string} [shown] */
  makeCopied(text, label, shown = text) {
    const copy = button("❐", () => this.copy(text), {
      class: "tkf-link",
      title: "copy",
      "aria-label": `copy ${label || "the path"}`,
      "data-name": `copy ${label || "key"}`,
    });
    const name = label && el("span", { class: "tkf-muted" }, label);
    return el("div", { class: "tkf-copied" }, name, el("code", { class: "tkf-code" }, shown), copy);
  }

  /** @param {Curve} curve @param {string} key */
  makeCurve(curve, key) {
    const choose = (/** @type {Event} */ { currentTarget }) =>
      this.send({ do: "curve", metric: /** @type {HTMLSelectElement} */ (currentTarget).value });
    const options = curve.metrics.map((name) => el("option", { value: name, selected: name === curve.metric }, name));
    const props = { class: "tkf-input", "aria-label": "metric", "data-name": "metric", on: { change: choose } };
    const open = (/** @type {string} */ path) => this.send({ do: "detail", key: path });
    return makeSection("Training log", el("select", props, ...options), ...makeCurve(curve, key, PICTURE.width, open));
  }

  /** @param {TimelineEntry[]} timeline @param {string} key */
  makeTimeline(timeline, key) {
    const steps = stepsOf(timeline);
    const picture = steps && drawSteps(steps, PICTURE.width, PICTURE.height).picture;
    picture?.setAttribute("aria-hidden", "true"); // the list below says the same
    const rows = timeline.map((entry) => this.makeEntry(entry, entry.key === key));
    const list = el("div", { class: "tkf-timeline", role: "group", "aria-label": "checkpoints of the run" }, ...rows);
    const section = makeSection(`Checkpoints of the run (${timeline.length})`, list);
    if (steps && picture) list.before(picture, makeMarkKey(steps));
    return section;
  }

  /** @param {TimelineEntry} entry @param {boolean} isThis */
  makeEntry(entry, isThis) {
    const step = entry.step === null ? "" : `step ${entry.step.toLocaleString("en-US")}`;
    const props = {
      class: "tkf-entry",
      "aria-current": String(isThis),
      title: entry.label,
      "data-name": `entry ${entry.key}`,
    };
    const entryButton = button("", () => this.send({ do: "detail", key: entry.key }), props);
    const parts = [entry.name, entry.type, step, entry.time, entry.size];
    entryButton.append(makeKeyMark(entry.look), ...parts.map((text) => el("span", {}, text)));
    return entryButton;
  }

  /** @param {Detail} detail */
  makeSamplers({ samplers }) {
    if (samplers) return el("div", {}, samplers.length ? samplers.join(", ") : "none is known to have loaded it");
    if (this.isSearching) return el("div", { class: "tkf-muted" }, "reading the samplers …");
    const search = () => {
      this.isSearching = true;
      this.send({ do: "samplers" });
      if (this.detail) this.draw(this.detail, this.detail);
    };
    return button("Find samplers", search, {
      "data-name": "find-samplers",
      title: "one request for each sampler, once",
    });
  }
}

/** @param {string} title @param {Child[]} content */
function makeSection(title, ...content) {
  return el("section", { class: "tkf-detail-section" }, el("h4", {}, title), ...content);
}

/** @param {DetailField[]} fields @param {string[]} [unset] */
function makeFields(fields, unset = []) {
  const rows = fields.flatMap(({ name, text, mark, doc }) => [
    el("dt", { title: doc }, name),
    el("dd", { class: mark ? `tkf-mark-${mark}` : null }, linkText(text)),
  ]);
  const others = unset.length ? [el("dt", {}, "not set"), el("dd", { class: "tkf-muted" }, unset.join(", "))] : [];
  return el("dl", { class: "tkf-fields-list" }, ...rows, ...others);
}

/** @param {string[][]} entries */
function makeMetadata(entries) {
  const hasSources = entries.some(([source]) => source);
  const rows = entries.map(([source, key, value]) =>
    el(
      "tr",
      {},
      hasSources && el("td", { class: "tkf-muted" }, source),
      el("th", { scope: "row" }, key),
      el("td", {}, linkText(value)),
    ),
  );
  return el("table", { class: "tkf-metadata" }, el("tbody", {}, ...rows));
}
