// The progress of background work: a bar and a line of text.

import { el } from "./dom.js";
import { formatProgress } from "./text.js";

/** @import { Progress } from "./messages.js" */

export class ProgressBar {
  /** @param {Progress} progress @param {HTMLButtonElement} cancel disabled once the work stops */
  constructor(progress, cancel) {
    this.cancel = cancel;
    this.fill = el("div", { class: "tkf-progress-fill" });
    this.line = el("div", { class: "tkf-progress-text" }); // changes too often for screen readers; the bar has it as its value
    const roles = { role: "progressbar", "aria-label": progress.what, "aria-valuemin": 0 };
    this.bar = el("div", { class: "tkf-progress", ...roles }, this.fill);
    this.update(progress);
  }

  get elements() {
    return [this.bar, this.line];
  }

  /** @param {Progress} progress */
  update(progress) {
    const { done, total } = progress;
    const isKnown = total > 0;
    this.bar.classList.toggle("tkf-unknown", !isKnown);
    this.setAttribute("aria-valuemax", isKnown ? String(total) : null);
    this.setAttribute("aria-valuenow", isKnown ? String(done) : null);
    this.fill.style.width = isKnown ? `${(100 * done) / total}%` : "";
    this.line.textContent = formatProgress(progress);
    this.setAttribute("aria-valuetext", this.line.textContent);
    this.cancel.disabled = progress.stopping;
  }

  /** @param {string} name @param {string | null} value */
  setAttribute(name, value) {
    if (value === null) this.bar.removeAttribute(name);
    else this.bar.setAttribute(name, value);
  }
}
