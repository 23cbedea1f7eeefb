// The note above the filters: a sentence that can be closed, or progress that can be cancelled.

import { button, el, focusFirst, gridOf } from "./dom.js";
import { formatProgress } from "./text.js";

/** @import { Progress, Request } from "./messages.js" */

export class Note {
  /** @param {(request: Request) => void} send */
  constructor(send) {
    this.text = el("span", { class: "tkf-note-text", role: "status" });
    this.progress = el("span", { class: "tkf-muted" }); // changes too often for screen readers
    const close = () => {
      this.show("");
      send({ do: "dismiss" });
    };
    this.close = button("×", close, { class: "tkf-link", "aria-label": "close this note" });
    this.cancel = button("Cancel", () => send({ do: "stop" }), { class: "tkf-link", "data-name": "stop" });
    const parts = [this.text, " ", this.progress, " ", this.close, this.cancel];
    this.element = el("div", { class: "tkf-note", hidden: true }, ...parts);
  }

  /** @param {string} text @param {{ progress?: Progress | null, isError?: boolean }} [more] */
  show(text, { progress = null, isError = false } = {}) {
    const hasFocus = this.element.contains(document.activeElement);
    this.element.hidden = !text;
    this.element.classList.toggle("tkf-error", isError);
    if (this.text.textContent !== text) this.text.textContent = text;
    this.progress.textContent = progress ? formatProgress(progress) : "";
    this.close.hidden = Boolean(progress);
    this.cancel.hidden = !progress;
    if (hasFocus) focusFirst(progress ? this.cancel : text ? this.close : null, gridOf(this.element));
  }
}
