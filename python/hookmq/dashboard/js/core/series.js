// The broker's own figures over time, which go on live.
import { useRef, useState } from "../../vendor/hooks.js";
import { useLive } from "./live.js";

/** {step, end, series: {name: [value | null, …]}} of the last `span` seconds (300, 3600 or 86400); null before it came. */
export function useSeries(names, span) {
  const [, setTurn] = useState(0);
  const kept = useRef({ key: null, data: null });
  const key = `${names} ${span}`;
  if (kept.current.key !== key) kept.current = { key, data: null };
  useLive("series", { names, span }, (frame) => {
    if (frame.whole) kept.current.data = frame.whole;
    else if (frame.add && kept.current.data) kept.current.data = extended(kept.current.data, frame.add);
    else return;
    setTurn((turn) => turn + 1);
  });
  return kept.current.data;
}

function extended(data, added) {
  const series = {};
  for (const [name, values] of Object.entries(data.series)) {
    series[name] = values.concat(added.map(([, each]) => each[name] ?? null)).slice(-values.length);
  }
  return { ...data, end: added.at(-1)[0], series };
}

/** One of them as points of a chart: [[t, value], …] */
export function pointsOf(data, name) {
  const values = data?.series[name] ?? [];
  const first = (data?.end ?? 0) - (values.length - 1) * (data?.step ?? 1);
  return values.map((value, at) => [first + at * data.step, value]);
}
