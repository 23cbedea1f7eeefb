// The connection to Python: requests, the parts of the state it sends, and a note if it does not respond.

/** @import { AnyModel } from "@anywidget/types" */
/** @import { Reply, Request, ViewState } from "./messages.js" */

/** @typedef {AnyModel<ViewState>} Model */
/** @typedef {Parameters<Model["off"]>[0]} EventName */

const SILENT_MS = 8000; // after which a kernel that does not respond is reported as busy or gone
const PING_MS = 1500;
const BUSY =
  "No answer from the kernel: it is busy with another cell, or gone. Run this cell again if it was restarted.";
const GONE = "The kernel of this view is gone. Run this cell again.";

export class Kernel {
  /**
   * @param {Model} model
   * @param {(text: string) => void} say shows a note; no text puts it away
   */
  constructor(model, say) {
    this.model = model;
    this.say = say;
    this.isSilent = false;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.silence = undefined;
    /** @type {[EventName, () => void][]} */
    this.listeners = [];
    // A restarting kernel and a reconnected page look the same: a response tells them apart.
    this.on("comm_live_update", () => {
      if (this.post({ do: "ping" })) this.expectAnswer(GONE, PING_MS);
    });
  }

  remove() {
    clearTimeout(this.silence);
    for (const [name, listener] of this.listeners) this.model.off(name, listener);
  }

  /** @param {string} name @param {(message: any) => void} listener */
  on(name, listener) {
    this.model.on(name, listener);
    this.listeners.push([name, /** @type {() => void} */ (listener)]);
  }

  // ── to Python ──

  /** @param {Request} request */
  send(request) {
    if (this.post(request)) this.expectAnswer(BUSY, SILENT_MS);
  }

  // If the kernel is gone, sending fails, with an error or silently.
  /** @param {Request} request */
  post(request) {
    try {
      this.model.send(request);
      return true;
    } catch {
      this.setSilent(GONE);
      return false;
    }
  }

  /** @param {string} text @param {number} milliseconds */
  expectAnswer(text, milliseconds) {
    clearTimeout(this.silence);
    this.silence = setTimeout(() => this.setSilent(text), milliseconds);
  }

  /** @param {string} text */
  setSilent(text) {
    this.isSilent = Boolean(text);
    this.say(text);
  }

  // ── from Python ──

  noteAnswer() {
    clearTimeout(this.silence);
    if (this.isSilent) this.setSilent("");
  }

  /** @param {(reply: Reply) => void} take */
  onReply(take) {
    this.on("msg:custom", (reply) => {
      this.noteAnswer();
      take(reply);
    });
  }

  /**
   * Draw a part of the state, now and whenever it changes, if there is one.
   *
   * @template {keyof ViewState} Name
   * @param {Name} name
   * @param {(data: NonNullable<ViewState[Name]>) => void} draw
   */
  follow(name, draw) {
    this.followAll(name, (data) => data && draw(data));
  }

  /**
   * Draw a part of the state, now and whenever it changes, also when there is none any more.
   *
   * @template {keyof ViewState} Name
   * @param {Name} name
   * @param {(data: ViewState[Name]) => void} draw
   */
  followAll(name, draw) {
    const drawNow = () => draw(this.model.get(name));
    this.on(`change:${name}`, () => {
      this.noteAnswer();
      drawNow();
    });
    drawNow();
  }
}
