// Series over time as lines, areas or bars: a window that moves with the newest message, and zoom by dragging.
import { html, useEffect, useState } from "../core/html.js";
import { language, t } from "../core/i18n.js";
import { Chart, Mark, seriesToken } from "../ui/charts.js";
import { shortNames, show, showNumber } from "./reading.js";

const LIVE_WINDOW = 300;

/**
 * `data` is {series: [{topic, points: [[t, min, mean, max, count], …]}], at, skew}; with a `skew` (the broker's clock less
 * the browser's) the window ends now, without at the last point. `style` is "line", "area" or "bar".
 */
export function Plot({ widget, data, size, style }) {
  const series = data.series ?? [];
  const [zoom, setZoom] = useState(null);
  useEffect(() => setZoom(null), [widget.topic, widget.path, widget.span]);
  const [from, to] = zoom ?? windowOf(widget, data);
  const names = widget.options?.names === "topic" ? series.map((each) => each.topic) : shortNames(series.map((each) => each.topic));
  const stacks = Boolean(widget.options?.stacked) && series.length > 1;
  const beside = stacks ? 1 : series.length;
  const each = series.map(({ points }, index) => ({
    label: names[index], unit: widget.unit, kind: style, share: 1 / beside, token: seriesToken(index),
    points: style === "bar" ? buckets(points, [from, to], size.width, stacks ? 0 : index, beside) : stacks ? points.map((point) => [point[0], point[2]]) : plain(points),
  }));
  const drawn = stacks ? stacked(each, style) : each;
  const legend = widget.options?.legend !== false && series.length > 1 && size.height > 120;
  const height = Math.max(40, size.height - (legend ? 26 : 0));
  const [min, max] = heightOf(widget, drawn, style);
  return html`<div class="w-plot">
    <${Chart} series=${drawn} height=${height} from=${from} to=${to} min=${min} max=${max} thresholds=${widget.thresholds ?? []}
      axes=${size.width > 150 && size.height > 80} label=${summary(widget, series, names)}
      onZoom=${(first, last) => setZoom(first === null ? null : [first, last])} />
    ${legend && html`<ul class="w-legend">${series.map(({ topic, points }, index) => html`<li key=${topic} title=${topic}>
      <${Mark} n=${index} dash=${style === "line" ? undefined : []} /><span>${names[index]}</span><b>${points.length ? show(points.at(-1)[2], widget, language.value) : "–"}</b>
    </li>`)}</ul>`}
  </div>`;
}

/** What a chart says, for those who do not see it. */
function summary(widget, series, names) {
  return series.slice(0, 5).map(({ points }, index) => {
    if (!points.length) return `${names[index]}: –`;
    const low = points.reduce((least, point) => Math.min(least, point[1]), Infinity);
    const high = points.reduce((most, point) => Math.max(most, point[3]), -Infinity);
    const of = (value) => showNumber(value, widget.decimals ?? null, language.value);
    return t("widgets.plot_text", { name: names[index], value: show(points.at(-1)[2], widget, language.value), low: of(low), high: of(high) });
  }).join("; ");
}

function windowOf(widget, { series = [], at, skew }) {
  const now = Date.now() / 1000 + (skew ?? 0);
  const last = skew === undefined ? (at ?? now) : Math.max(at ?? 0, now);
  if (widget.span > 0) return [last - widget.span, last];
  const first = Math.min(last - 10, ...series.map((each) => each.points[0]?.[0] ?? last));
  return [Math.max(first, last - LIVE_WINDOW), last];
}

// A band of lowest and highest is drawn only where there is one.
function plain(points) {
  return points.some((point) => point[4] > 1) ? points : points.map((point) => [point[0], point[2]]);
}

/** Series each on top of the one before, the uppermost first, so that bars cover what they stand on. Between two points of a line is what is between them,
 * after the last one its value: no series sags because another one came later. */
export function stacked(series, style) {
  const times = [...new Set(series.flatMap(({ points }) => points.map(([time]) => time)))].sort((a, b) => a - b);
  // What is below zero hangs from it.
  const heights = times.map(() => [0, 0]);
  return series.map((one) => {
    let next = 0;
    const points = times.map((time, at) => {
      while (next < one.points.length && one.points[next][0] < time) next += 1;
      const [after, before] = [one.points[next], one.points[next - 1]];
      let value = after?.[0] === time ? after[1] : null;
      if (value === null && style !== "bar" && before) value = after ? before[1] + ((after[1] - before[1]) * (time - before[0])) / (after[0] - before[0]) : before[1];
      const side = style === "bar" && value < 0 ? 1 : 0;
      heights[at][side] += value ?? 0;
      return [time, heights[at][side], value];
    });
    return { ...one, stacked: true, points: style === "bar" ? points.filter((point) => point[2] !== null) : points };
  }).reverse();
}

/** Means of equal parts of the window; those of several topics stand side by side. */
function buckets(points, [from, to], width, index, of) {
  const count = Math.max(4, Math.min(60, Math.floor(width / (14 * Math.sqrt(of) + 6))));
  const step = (to - from) / count;
  const sums = new Map();
  for (const [time, , mean, , messages] of points) {
    const bucket = Math.floor(time / step);
    if (bucket * step < from || time > to) continue;
    const sum = sums.get(bucket) ?? [0, 0];
    sums.set(bucket, [sum[0] + mean * messages, sum[1] + messages]);
  }
  const shift = ((index + 0.5) / of - 0.5) * 0.75;
  return [...sums].sort(([a], [b]) => a - b).map(([bucket, [sum, messages]]) => [(bucket + 0.5 + shift) * step, sum / messages]);
}

// Areas and bars stand on zero; a line shows how it moves.
function heightOf(widget, drawn, style) {
  if (style === "line") return [widget.min ?? undefined, widget.max ?? undefined];
  const values = drawn.flatMap(({ points }) => points.map((point) => point[point.length > 3 ? 2 : 1]));
  const low = values.reduce((least, value) => Math.min(least, value), 0);
  const high = values.reduce((most, value) => Math.max(most, value), 0);
  return [widget.min ?? (low === 0 ? 0 : undefined), widget.max ?? (high === 0 && low < 0 ? 0 : undefined)];
}
