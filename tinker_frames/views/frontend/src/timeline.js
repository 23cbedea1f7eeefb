// A run's checkpoints as a chart along their steps, without the DOM.

/** @import { StepsChart, TimelineEntry } from "./messages.js" */

/**
 * Return the chart of the checkpoints that have a step; null if these are all at one.
 *
 * @param {TimelineEntry[]} timeline
 * @returns {StepsChart | null}
 */
export function stepsOf(timeline) {
  const meanings = new Map(timeline.map(({ look, label }) => [look, label]));
  const looks = [...meanings.keys()];
  const stepped = timeline.flatMap(({ step, look }) => (step === null ? [] : [{ step, look: looks.indexOf(look) }]));
  const steps = stepped.map(({ step }) => step);
  const [low, high] = [Math.min(...steps), Math.max(...steps)];
  if (stepped.length < 2 || low === high) return null;
  return {
    id: "timeline",
    kind: "steps",
    title: "",
    text: "",
    low,
    high,
    bins: 1,
    lanes: [""],
    looks,
    labels: [...meanings.values()],
    note: "",
    points: stepped.map(({ step, look }) => [0, step, 0, look, 1]),
  };
}
