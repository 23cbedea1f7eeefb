// Links in values: only addresses of the web whose text is what they open; everything else stays text.

import { el } from "./dom.js";

/** @import { Child } from "./dom.js" */

const LONGEST = 2000; // characters
// A host of plain letters, without a user name before it, and no blanks, quotes, backslashes or other letters behind it.
const WEB_ADDRESS = /^https?:\/\/[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?(?::\d{1,5})?(?:[/?#](?:(?!["<>\\^`{|}])[!-~])*)?$/i;

/** Tell whether a text is the address of a page, as it is seen. @param {string} text */
export function isWebAddress(text) {
  if (text.length > LONGEST || !WEB_ADDRESS.test(text) || !URL.canParse(text)) return false;
  const { protocol, username, password } = new URL(text);
  return /^https?:$/.test(protocol) && !username && !password;
}

/** Make a link that tells the page nothing of the notebook. @param {string} address @param {string} text @param {Record<string, number>} [props] */
export const makeLink = (address, text, props = {}) =>
  el("a", { href: address, target: "_blank", rel: "noopener noreferrer", ...props }, text);

/** Return a value as a link, if it is the address of a page, else as text. @param {string} text @returns {Child} */
export const linkText = (text) => (isWebAddress(text) ? makeLink(text, text) : text);
