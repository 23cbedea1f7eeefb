// Completion of column names in a query, without the DOM.

/** @import { ColumnName } from "./messages.js" */

const MOST = 8; // columns that are offered

/**
 * Return the word that ends at the caret, and where it begins; a key of the metadata with its dots; null in quoted text, after another dot, or without a word.
 *
 * @param {string} text
 * @param {number} caret
 */
export function findWord(text, caret) {
  const before = text.slice(0, caret);
  const unquoted = before.replace(/'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"/g, (quoted) => " ".repeat(quoted.length));
  if (/['"]/.test(unquoted)) return null;
  const word = /(?<![\w.])(?:meta\.[\w.]*|[a-z_]\w*)$/i.exec(unquoted)?.[0];
  return word ? { word, start: caret - word.length } : null;
}

/**
 * Return the columns that a word may stand for: those that begin with it, then those that contain it.
 *
 * @param {ColumnName[]} columns
 * @param {string} word
 */
export function suggestColumns(columns, word) {
  const wanted = word.toLowerCase();
  const prefix = wanted.startsWith("me") ? "" : "meta."; // keys of the metadata are found by what comes after it
  const rank = (/** @type {ColumnName} */ { name }) => name.toLowerCase().replace(prefix, "").indexOf(wanted);
  const found = columns.filter((column) => rank(column) >= 0 && column.name !== word);
  const first = found.filter((column) => rank(column) === 0);
  return [...first, ...found.filter((column) => rank(column) > 0)].slice(0, MOST);
}

/**
 * Return a text with a word replaced, and where the caret is then.
 *
 * @param {string} text
 * @param {number} start of the word
 * @param {number} caret its end
 * @param {string} name
 */
export function completeWord(text, start, caret, name) {
  const written = /^[a-z_]\w*$/i.test(name) ? name : `\`${name}\``;
  return { text: text.slice(0, start) + written + text.slice(caret), caret: start + written.length };
}
