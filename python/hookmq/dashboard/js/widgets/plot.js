// Series over time, drawn by uPlot: lines, areas and bars, with thresholds, a window that moves, and zoom by dragging.
import uPlot from "../../vendor/uplot.js";
import { html, useEffect, useRef, useState } from "../core/html.js";
import { language, t } from "../core/i18n.js";
import { color, shade } from "../core/theme.js";
import { shortNames, show, showNumber } from "./reading.js";

const LIVE_WINDOW = 300;
const COLOURS = 8;

/** `series` is [{topic, points: [[t, mean, min, max], …]}]; `style` is "line", "area" or "bar". */
export function Plot({ widget, series, at, size, style }) {
  const holder = useRef(null);
  const plot = useRef(null);
  const state = useRef({ zoomed: false });
  const [cursor, setCursor] = useState(null);
  const names = widget.options?.names === "topic" ? series.map((each) => each.topic) : shortNames(series.map((each) => each.topic));
  const legend = widget.options?.legend !== false && size.height > 120 && (series.length > 1 || cursor);
  const height = Math.max(40, size.height - (legend ? 24 : 0));
  const shape = `${style} ${series.length} ${widget.span}`;
  Object.assign(state.current, { widget, at, style, series });

  useEffect(() => {
    const made = new uPlot(optionsFor(state.current, size.width, height, setCursor), tableOf(state.current, size.width), holder.current);
    plot.current = made;
    const unwatch = shade.subscribe(() => made.redraw(false, true));
    return () => {
      unwatch();
      made.destroy();
    };
  }, [shape]);
  useEffect(() => plot.current?.setSize({ width: size.width, height }), [size.width, height]);
  useEffect(() => {
    if (!state.current.zoomed) plot.current?.setData(tableOf(state.current, size.width));
  }, [at, series, widget.min, widget.max, widget.thresholds]);

  const latest = series.map((each, index) => {
    const point = cursor === null ? each.points.at(-1) : nearest(each.points, cursor);
    return { name: names[index], topic: each.topic, value: point?.[1] ?? null };
  });
  return html`<div class="w-plot">
    <div class="w-canvas" ref=${holder} role="img" aria-label=${summary(widget, series, names)}></div>
    ${legend && html`<ul class="w-legend" aria-hidden="true">${latest.slice(0, 20).map(({ name, topic, value }, index) => html`<li key=${topic} title=${topic}>
      <i class=${`w-key w-series-${index % COLOURS}`}></i><span>${name}</span><b>${value === null ? "–" : show(value, widget, language.value)}</b>
    </li>`)}</ul>`}
  </div>`;
}

/** What a chart says, for those who do not see it. */
function summary(widget, series, names) {
  if (!series.length) return t("widgets.none");
  return series.slice(0, 5).map(({ points }, index) => {
    const values = points.map((point) => point[1]).filter((value) => value !== null);
    if (!values.length) return `${names[index]}: –`;
    const [low, high] = [values.reduce((a, b) => Math.min(a, b)), values.reduce((a, b) => Math.max(a, b))];
    return t("widgets.plot_text", {
      name: names[index], value: show(values.at(-1), widget, language.value), low: showNumber(low, widget.decimals ?? null, language.value), high: showNumber(high, widget.decimals ?? null, language.value),
    });
  }).join("; ");
}

function nearest(points, time) {
  let [low, high] = [0, points.length - 1];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (points[middle][0] <= time) low = middle;
    else high = middle;
  }
  if (low > high) return undefined;
  return Math.abs(points[low][0] - time) <= Math.abs(points[high][0] - time) ? points[low] : points[high];
}

function windowOf({ widget, at, series }) {
  const last = at || Date.now() / 1000;
  if (widget.span > 0) return [last - widget.span, last];
  const first = Math.min(...series.map((each) => each.points[0]?.[0] ?? last), last - 10);
  return [Math.max(first, last - LIVE_WINDOW), last];
}

/** The series as uPlot's columns; one series alone brings its lowest and highest along, bars are means of their time. */
function tableOf(state, width) {
  const { series, style } = state;
  if (!series.length) return [[0], [null]];
  if (style === "bar") return uPlot.join(series.map((each, index) => buckets(each.points, windowOf(state), width, index, series.length)));
  const columns = series.map(({ points }) => [points.map((p) => p[0]), points.map((p) => p[1])]);
  if (series.length > 1) return uPlot.join(columns);
  return [...columns[0], series[0].points.map((p) => p[2]), series[0].points.map((p) => p[3])];
}

function buckets(points, [from, to], width, index, of) {
  const count = Math.max(4, Math.min(60, Math.floor(width / (12 * Math.sqrt(of) + 6))));
  const step = (to - from) / count;
  const sums = new Map();
  for (const [time, value] of points) {
    if (value === null || time < from) continue;
    const bucket = Math.floor(time / step);
    const sum = sums.get(bucket) ?? [0, 0];
    sums.set(bucket, [sum[0] + value, sum[1] + 1]);
  }
  const keys = [...sums.keys()].sort((a, b) => a - b);
  const shift = ((index + 0.5) / of - 0.5) * 0.75;
  return [keys.map((key) => (key + 0.5 + shift) * step), keys.map((key) => sums.get(key)[0] / sums.get(key)[1])];
}

function optionsFor(state, width, height, setCursor) {
  const { style } = state;
  const count = Math.max(1, state.series.length);
  const series = Array.from({ length: count }, (_, index) => ({
    stroke: () => color(`chart-${(index % COLOURS) + 1}`),
    fill: style === "line" ? undefined : () => faded(`chart-${(index % COLOURS) + 1}`, style === "bar" ? 0.8 : 0.2),
    width: style === "bar" ? 0 : 1.75,
    spanGaps: false,
    points: { show: false },
    paths: style === "bar" ? uPlot.paths.bars({ size: [0.72 / count, 60], radius: 0.15 }) : undefined,
  }));
  const banded = count === 1 && style !== "bar";
  if (banded) series.push({ width: 0, points: { show: false } }, { width: 0, points: { show: false } });
  const axis = { stroke: () => color("muted"), font: "11px system-ui, sans-serif", grid: { stroke: () => color("line"), width: 1 }, ticks: { show: false } };
  const hidden = () => [];
  return {
    width,
    height,
    padding: [8, 10, 0, 0],
    legend: { show: false },
    cursor: { points: { size: 7 }, drag: { x: true, y: false }, y: false },
    scales: {
      x: { time: true, range: (_, low, high) => (state.zoomed ? [low, high] : windowOf(state)) },
      y: { range: (_, low, high) => heightOf(state, low, high) },
    },
    series: [{}, ...series],
    bands: banded ? [{ series: [3, 2], fill: () => faded("chart-1", 0.16) }] : [],
    axes: [
      { ...axis, size: 24, space: 64, values: height > 70 ? (_, splits, __, ___, step) => splits.map((time) => timeLabel(time, step)) : hidden },
      { ...axis, size: (_, labels) => Math.max(28, Math.max(0, ...(labels ?? []).map((label) => label.length)) * 6.4 + 12), space: 30,
        values: (_, splits) => splits.map((value) => showNumber(value, null, language.value)) },
    ],
    hooks: {
      setCursor: [(made) => setCursor(made.cursor.idx == null || made.cursor.left < 0 ? null : made.posToVal(made.cursor.left, "x"))],
      setSelect: [(made) => (state.zoomed = made.select.width > 0)],
      draw: [(made) => drawThresholds(made, state.widget)],
      ready: [(made) => made.over.addEventListener("dblclick", () => {
        state.zoomed = false;
        made.setData(tableOf(state, made.width));
      })],
    },
  };
}

function heightOf({ widget, style }, low, high) {
  if (low === null || high === null) return [widget.min ?? 0, widget.max ?? (widget.min ?? 0) + 1];
  const base = style === "line" ? low : Math.min(0, low);
  const top = style === "line" ? high : Math.max(0, high);
  const pad = (top - base) * 0.08 || Math.abs(top) * 0.1 || 1;
  const [from, to] = [widget.min ?? (base === 0 ? 0 : base - pad), widget.max ?? (top === 0 ? 0 : top + pad)];
  return to > from ? [from, to] : [from - 1, from + 1];
}

function drawThresholds(made, widget) {
  const { ctx } = made;
  const ratio = window.devicePixelRatio || 1;
  ctx.save();
  ctx.setLineDash([4 * ratio, 4 * ratio]);
  ctx.lineWidth = ratio;
  for (const threshold of widget.thresholds ?? []) {
    if (threshold.at < made.scales.y.min || threshold.at > made.scales.y.max) continue;
    const y = Math.round(made.valToPos(threshold.at, "y", true));
    ctx.strokeStyle = color(threshold.color);
    ctx.beginPath();
    ctx.moveTo(made.bbox.left, y);
    ctx.lineTo(made.bbox.left + made.bbox.width, y);
    ctx.stroke();
  }
  ctx.restore();
}

/** A colour as the canvas has it, only partly there. */
function faded(token, share) {
  return color(token).replace(/^rgb\((.*)\)$/, (_, parts) => (parts.includes(",") ? `rgba(${parts}, ${share})` : `rgb(${parts} / ${share})`));
}

function timeLabel(time, step) {
  const date = new Date(time * 1000);
  const settings = step >= 86400 ? { month: "numeric", day: "numeric" } : step >= 60 ? { hour: "2-digit", minute: "2-digit", hourCycle: "h23" } : { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" };
  return date.toLocaleString(language.value, settings);
}
