// The newest numbers that a widget has seen since its page was opened, for small lines without axes.
import { useRef } from "../core/html.js";

const KEPT = 120;

/** [[at, number], …] of the topic shown: starts anew when the topic changes. */
export function useTrail(number, at, topic, wanted = true) {
  const kept = useRef({ topic: null, points: [] }).current;
  if (!wanted) return [];
  if (kept.topic !== topic) {
    kept.topic = topic;
    kept.points = [];
  }
  if (number !== null && at && at > (kept.points.at(-1)?.[0] ?? 0)) {
    kept.points.push([at, number]);
    if (kept.points.length > KEPT) kept.points.shift();
  }
  return kept.points;
}
