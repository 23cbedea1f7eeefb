// marimo: cells that use the value of a view run again after it has changed.

import { debounce } from "./dom.js";

/** @import { Kernel, Model } from "./kernel.js" */

const SEEN_MS = 60; // debounce of changes
/** @type {(keyof import("./messages.js").ViewState)[]} */
const PUBLIC = ["query", "filters", "sort", "columns", "selected_keys", "plan_id", "outcome_counts"];

/** Tell whether an element is on a page of marimo, which shows widgets in elements of its own. @param {Node} element */
export function isInMarimo(element) {
  const root = element.getRootNode();
  return root instanceof ShadowRoot && root.host.tagName.startsWith("MARIMO-");
}

/**
 * Write to the model whenever Python has changed a public trait: marimo takes changes only from the browser.
 *
 * @param {Model} model
 * @param {Kernel} kernel
 */
export function echoChanges(model, kernel) {
  const echo = debounce(() => {
    model.set("_seen", model.get("_seen") + 1);
    model.save_changes();
  }, SEEN_MS);
  for (const name of PUBLIC) kernel.on(`change:${name}`, echo);
}
