// Formatting of numbers, ages and progress, without the DOM.

/** @import { Progress } from "./messages.js" */

/** @param {number} number */
export const formatCount = (number) => Number(number).toLocaleString("en-US");

/** @param {number} number @param {string} noun */
export const formatRows = (number, noun) => `${formatCount(number)} ${noun}${number === 1 ? "" : "s"}`;

/** Return a share in percent; neither 0 nor 100 % for what is neither none nor all. @param {number} part @param {number} total */
export function formatShare(part, total) {
  const percent = total ? Math.round((100 * part) / total) : 0;
  if (percent === 0 && part > 0) return "<1 %";
  return percent === 100 && part < total ? ">99 %" : `${percent} %`;
}

/** @param {string} text */
export const capitalize = (text) => text.charAt(0).toUpperCase() + text.slice(1);

/**
 * Return how long ago rows were read; empty for an invalid time.
 *
 * @param {string} iso
 * @param {number} now milliseconds since 1970
 */
export function formatAge(iso, now) {
  const seconds = Math.max(0, (now - Date.parse(iso)) / 1000);
  if (!Number.isFinite(seconds)) return "";
  if (seconds < 90) return `read ${Math.round(seconds)} s ago`;
  if (seconds < 5400) return `read ${Math.round(seconds / 60)} min ago`;
  return seconds < 129600 ? `read ${Math.round(seconds / 3600)} h ago` : `read ${Math.round(seconds / 86400)} d ago`;
}

/**
 * Return the progress of background work as one line.
 *
 * @param {Progress} progress
 */
export function formatProgress({ part, done, total, rate, waiting, stopping }) {
  const rows = total > 0 ? `${formatCount(done)} of ${formatCount(total)}` : done ? formatCount(done) : "";
  const parts = [
    [part, rows].filter(Boolean).join(": "),
    rate ? `${formatCount(rate)} a second` : "",
    waiting,
    stopping ? "stopping: what is under way ends first" : "",
  ];
  return parts.filter(Boolean).join(" · ");
}
