// Lines: sparklines as SVG, charts by uPlot.
import { html, useEffect, useLayoutEffect, useRef } from "../core/html.js";
import { t, language } from "../core/i18n.js";
import { color, shade } from "../core/theme.js";
import { clock, compact, exact, number } from "../core/format.js";
import uPlot from "../../vendor/uplot.js";

let styled = false;

function addStyles() {
  if (styled) return;
  styled = true;
  const link = document.createElement("link");
  link.rel = "stylesheet";
  link.href = new URL("../../vendor/uplot.css", import.meta.url);
  document.head.append(link);
}

/** A line without axes of values [number | null, …]. `label` says what it shows to those who do not see it. */
export function Sparkline({ values, width = 120, height = 28, label, wide, fill = true, token = "chart-1" }) {
  const known = (values ?? []).filter((each) => each !== null && Number.isFinite(each));
  if (known.length < 2) {
    return html`<svg class=${wide ? "spark wide" : "spark"} width=${wide ? undefined : width} height=${height} aria-hidden="true"></svg>`;
  }
  const low = Math.min(...known, wide ? 0 : Infinity);
  const high = Math.max(...known);
  const span = high - low || 1;
  const step = width / (values.length - 1);
  let line = "";
  let pen = "M";
  let from = null;
  let to = null;
  values.forEach((value, at) => {
    if (value === null || !Number.isFinite(value)) {
      pen = "M";
      return;
    }
    const x = (at * step).toFixed(1);
    from ??= x;
    to = x;
    line += `${pen}${x} ${(height - 2 - ((value - low) / span) * (height - 4)).toFixed(1)}`;
    pen = "L";
  });
  return html`<svg class=${wide ? "spark wide" : "spark"} width=${wide ? undefined : width} height=${height}
    viewBox=${`0 0 ${width} ${height}`} preserveAspectRatio="none" role=${label ? "img" : undefined}
    aria-label=${label} aria-hidden=${label ? undefined : "true"} style=${{ color: `var(--${token})` }}>
    ${fill && html`<path d=${`${line}L${to} ${height}L${from} ${height}Z`} fill="currentColor" opacity="0.13" />`}
    <path d=${line} fill="none" stroke="currentColor" stroke-width="1.5" vector-effect="non-scaling-stroke" stroke-linejoin="round" />
  </svg>`;
}

/** The token of the colour of the n-th series. */
export const seriesToken = (n) => `chart-${(n % 8) + 1}`;

// The first three colours differ for everybody; further lines are told apart by their dashes as well.
const DASHES = [undefined, undefined, undefined, [8, 4], [2, 3], [12, 3, 2, 3], [5, 5], [2, 6]];

/** The mark of the n-th series, as it stands in a legend. */
export const Mark = ({ n, token = seriesToken(n), dash = DASHES[n % 8] }) => html`<svg class="mark" width="20" height="4" aria-hidden="true">
  <line x2="20" y1="2" y2="2" stroke=${`var(--${token})`} stroke-width="3" stroke-dasharray=${dash?.join(" ")} /></svg>`;

// Whether its points have a least and a greatest value; `wide` says so before there are points.
const isWide = ({ points, wide }) => wide ?? (points[0]?.length ?? 0) >= 4;

// Nothing came for so many times the usual interval, and for that part of what is shown: the line is broken.
const GAP_TIMES = 8;
const GAP_PART = 0.025;

// The times in the middle of gaps: where nothing came for much longer than usual.
function gapsOf(points, span) {
  const steps = [];
  for (let at = 1; at < points.length; at += 1) steps.push(points[at][0] - points[at - 1][0]);
  if (steps.length < 3) return [];
  const usual = [...steps].sort((a, b) => a - b)[steps.length >> 1];
  const most = Math.max(usual * GAP_TIMES, span * GAP_PART);
  return steps.flatMap((step, at) => (step > most ? [points[at][0] + step / 2] : []));
}

/** All series on one axis of times: uPlot wants columns, with undefined where a series has nothing to say, null in a gap. */
export function columns(series, from, to) {
  const times = new Set();
  for (const { points } of series) for (const point of points) times.add(point[0]);
  const all = [...times];
  const span = from !== undefined && to !== undefined ? to - from : all.reduce((most, at) => Math.max(most, at), -Infinity) - all.reduce((least, at) => Math.min(least, at), Infinity);
  const gaps = series.map(({ points, kind, stacked }) => (kind === "bar" || stacked ? [] : gapsOf(points, span)));
  for (const at of gaps.flat()) times.add(at);
  const x = Float64Array.from(times).sort();
  const places = new Map();
  x.forEach((time, at) => places.set(time, at));
  const data = [x];
  series.forEach((each, n) => {
    const { points } = each;
    const wide = isWide(each);
    const middle = new Array(x.length).fill(undefined);
    const low = wide ? new Array(x.length).fill(undefined) : null;
    const high = wide ? new Array(x.length).fill(undefined) : null;
    for (const point of points) {
      const at = places.get(point[0]);
      if (wide) [, low[at], middle[at], high[at]] = point;
      else [, middle[at]] = point;
    }
    const own = wide ? [middle, low, high] : [middle];
    for (const time of gaps[n]) for (const column of own) column[places.get(time)] = null;
    data.push(...own);
  });
  return data;
}

/**
 * A chart over time. series [{label, points, unit?, token?, kind?: "line" | "area" | "bar"}], points [[t, value], …] or
 * [[t, min, mean, max, count], …] (drawn as a line in a band; `wide` if there may be none yet), sorted by time. `from`/`to` fix the axis of times; `min`/`max`
 * that of values. `onZoom(from, to)` is called when a part is chosen, with nulls by a double click. thresholds [{at, color}].
 * Series that are `stacked` have points [t, height, value], and stand on the one after them. With the keyboard: arrows, Home
 * and End go from value to value, which is said; + and - zoom, Escape goes back.
 */
export function Chart({ series, height = 260, from, to, min, max, onZoom, thresholds = [], label, axes = true }) {
  const host = useRef(null);
  const plot = useRef(null);
  const said = useRef(null);
  const now = useRef({});
  now.current = { onZoom, from, to, min, max, thresholds, series };
  // What the chart is made of, apart from its points: it is made anew only when this changes.
  const shape = JSON.stringify([
    series.map((each) => [each.label, each.unit, each.token, each.kind, each.stacked, isWide(each)]),
    shade.value, language.value, axes, Boolean(onZoom),
  ]);

  useLayoutEffect(() => {
    addStyles();
    const box = host.current;
    const options = shapeOf(series, { height, width: Math.max(80, box.clientWidth), axes, now });
    const made = new uPlot(options, columns(series, from, to), box);
    plot.current = made;
    const watcher = new ResizeObserver(() => {
      const width = Math.max(80, box.clientWidth);
      const tall = height === "fill" ? Math.max(60, box.clientHeight) : height;
      if (width !== made.width || tall !== made.height) made.setSize({ width, height: tall });
    });
    watcher.observe(box);
    return () => {
      watcher.disconnect();
      made.destroy();
      plot.current = null;
    };
  }, [shape, height]);

  useEffect(() => {
    plot.current?.setData(columns(series, from, to), true);
  }, [series, from, to, min, max]);

  const told = label ?? series.map(({ label: name, points }) => {
    const last = points.at(-1);
    return `${name}: ${last ? number(last.length >= 4 ? last[2] : last[1]) : "–"}`;
  }).join(", ");
  const style = height === "fill" ? { height: "100%" } : { minHeight: `${height}px` };
  const keys = (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !plot.current || !walk(plot.current, event, now.current)) return;
    event.preventDefault();
    event.stopPropagation();
    said.current.textContent = host.current.querySelector(".tip:not([hidden])")?.innerText ?? "";
  };
  return html`<div class="chart" ref=${host} role="img" tabindex="0" aria-label=${t("ui.chart_of", { what: told })} style=${style} onKeyDown=${keys}
    onBlur=${() => plot.current?.setCursor({ left: -10, top: -10 })}></div><span class="sr" ref=${said} aria-live="polite"></span>`;
}

// What a key does to a chart; says whether it did something.
function walk(self, { key, shiftKey }, { onZoom }) {
  const [times] = self.data;
  const { min, max } = self.scales.x;
  const here = self.cursor.left >= 0 ? self.cursor.idx : null;
  if (onZoom && (key === "+" || key === "-")) {
    const middle = here === null || here === undefined ? (min + max) / 2 : times[here];
    const half = ((max - min) / 2) * (key === "+" ? 0.5 : 2);
    if (half > 0.005) onZoom(middle - half, middle + half);
    return true;
  }
  if (onZoom && key === "Escape") {
    onZoom(null, null);
    return true;
  }
  const step = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity }[key];
  if (!step) return false;
  // The middle of the last bar may be later than now.
  const edge = (max - min) / 20;
  const shown = [];
  times.forEach((at, n) => {
    if (at >= min - edge && at <= max + edge && self.data.some((column, of) => of > 0 && Number.isFinite(column[n]))) shown.push(n);
  });
  if (!shown.length) return true;
  const place = here === null || here === undefined ? (step < 0 ? shown.length : -1) : shown.indexOf(here);
  const next = Math.max(0, Math.min(shown.length - 1, place + step * (shiftKey ? 10 : 1)));
  self.setCursor({ left: Math.max(0, Math.min(self.over.clientWidth, self.valToPos(times[shown[next]], "x"))), top: self.over.clientHeight / 2 });
  return true;
}

function shapeOf(series, { height, width, axes, now }) {
  const lines = [{}];
  const bands = [];
  series.forEach((each, n) => {
    const { label, token = seriesToken(n), kind = "line", share = 1, stacked } = each;
    const stroke = color(token);
    const wide = isWide(each);
    const solid = stacked ? 1 : 0.8;
    lines.push({
      label, stroke, width: kind === "bar" ? 0 : 1.75, dash: kind === "line" ? DASHES[(token.at(-1) - 1) % 8] : undefined,
      points: { show: (self) => kind !== "bar" && self.data[0].length < 40, size: 4, filter: alone },
      fill: kind === "area" || kind === "bar" ? faint(stroke, kind === "bar" ? solid : stacked ? 0.55 : 0.16) : undefined,
      paths: kind === "bar" ? uPlot.paths.bars({ size: [0.7 * share, 40] }) : undefined,
    });
    if (wide) {
      const own = lines.length;
      const edge = { label, stroke: "transparent", width: 0, points: { show: false } };
      lines.push({ ...edge }, { ...edge });
      bands.push({ series: [own + 1, own], fill: faint(stroke, 0.14) });
    } else if (stacked && kind === "area" && n < series.length - 1) bands.push({ series: [n + 1, n + 2] });
  });
  const font = `12px ${getComputedStyle(document.body).fontFamily}`;
  const axis = {
    stroke: color("muted"), font, grid: { stroke: color("line"), width: 1 }, ticks: { show: false }, show: axes,
  };
  const bar = document.createElement("div");
  return {
    width, height: height === "fill" ? 120 : height, series: lines, bands, legend: { show: false },
    padding: axes ? [8, 8, 0, 0] : [2, 0, 2, 0],
    cursor: { drag: { x: Boolean(now.current.onZoom), y: false, setScale: false }, points: { size: 7 }, y: false, hover: { prox: 40, skip: [null] } },
    scales: {
      x: { time: true, range: (_, low, high) => {
        const first = now.current.from ?? low ?? Date.now() / 1000 - 60;
        const last = now.current.to ?? high ?? Date.now() / 1000;
        // Less than a moment has no ticks that differ, unless somebody looks closely.
        return last - first < 0.5 && now.current.from === undefined ? [first - 5, last + 5] : first === last ? [first - 1, last + 1] : [first, last];
      } },
      y: { range: (_, low, high) => {
        const { min, max } = now.current;
        if (low === null || low === undefined) return [min ?? 0, max ?? 1];
        const gap = (high - low) * 0.08 || Math.abs(high) * 0.1 || 1;
        return [min ?? low - gap, max ?? high + gap];
      } },
    },
    axes: [
      { ...axis, values: (_, splits) => clockTexts(splits), space: 72, size: 28 },
      { ...axis, values: (_, splits) => splits.map(compact), size: axisWidth, space: 32 },
    ],
    hooks: {
      init: [(self) => {
        bar.className = "tip";
        bar.hidden = true;
        self.over.append(bar);
        self.over.addEventListener("dblclick", () => now.current.onZoom?.(null, null));
      }],
      setSelect: [(self) => {
        const { left, width: size } = self.select;
        if (size < 6 || !now.current.onZoom) return;
        now.current.onZoom(self.posToVal(left, "x"), self.posToVal(left + size, "x"));
        self.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
      }],
      setCursor: [(self) => showTip(self, bar, now.current.series, lines)],
      drawClear: [(self) => drawThresholds(self, now.current.thresholds)],
    },
  };
}

function axisWidth(self, values) {
  const longest = Math.max(0, ...(values ?? []).map((each) => String(each).length));
  return Math.max(34, longest * 7.5 + 12);
}

function clockTexts(splits) {
  const step = splits.length > 1 ? splits[1] - splits[0] : 1;
  const options = step >= 86400 ? { month: "short", day: "numeric" }
    : step >= 60 ? { hour: "2-digit", minute: "2-digit", hourCycle: "h23" }
      : { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" };
  const format = new Intl.DateTimeFormat(language.peek(), options);
  let day = null;
  return splits.map((at) => {
    const date = new Date(at * 1000);
    const text = format.format(date);
    const changed = day !== null && day !== date.getDate() && step < 86400;
    day = date.getDate();
    return changed ? new Intl.DateTimeFormat(language.peek(), { month: "short", day: "numeric" }).format(date) : text;
  });
}

// Of a line with few points all are marked; of others those that stand alone between gaps.
function alone(self, column, show) {
  const data = self.data[column];
  if (show) return null;
  const found = [];
  let before = null;
  let single = -1;
  data.forEach((value, at) => {
    if (value === undefined) return;
    if (value === null) {
      if (single >= 0) found.push(single);
      single = -1;
    } else single = before === null ? at : -1;
    before = value;
  });
  if (single >= 0) found.push(single);
  return found;
}

// What stands at a time: as exactly as it is known.
function textOf({ label, unit, points }, time, value, low, high) {
  const of = (each) => number(each, 6);
  const point = points.find(([at]) => at === time);
  if (point?.length === 3) value = point[2];
  if (value === null) return null;
  const range = point?.length > 4 && point[4] > 1 ? ` (${of(low)} – ${of(high)}, ${t("ui.values", { n: point[4] })})` : "";
  return `${label}  ${of(value)}${unit ? ` ${unit}` : ""}${range}`;
}

function showTip(self, bar, series, lines) {
  const at = self.cursor.idx;
  if (at === null || at === undefined || self.cursor.left < 0) {
    bar.hidden = true;
    return;
  }
  bar.replaceChildren();
  const [times] = self.data;
  const found = [];
  let column = 1;
  for (const each of series) {
    const nearest = self.cursor.idxs[column];
    const value = self.data[column]?.[nearest];
    const told = value === undefined || value === null ? null
      : textOf(each, times[nearest], value, self.data[column + 1]?.[nearest], self.data[column + 2]?.[nearest]);
    if (told !== null) found.push({ time: times[nearest], told, stroke: lines[column].stroke });
    column += isWide(each) ? 3 : 1;
  }
  // The time of what is nearest; that of another value is said beside it.
  const time = found.some((each) => each.time === times[at]) ? times[at] : found[0]?.time;
  const head = document.createElement("div");
  head.textContent = exact(time);
  bar.append(head);
  for (const each of found) {
    const line = document.createElement("div");
    const mark = document.createElement("i");
    mark.style.background = each.stroke;
    const text = document.createElement("span");
    text.textContent = each.time === time ? each.told : `${each.told} · ${clock(each.time, true)}`;
    line.append(mark, text);
    bar.append(line);
  }
  bar.hidden = bar.children.length < 2;
  // Beside the place, where there is more room; in a small chart wherever it is seen as a whole.
  const { clientWidth: width } = self.over;
  const most = width - bar.offsetWidth;
  const beside = self.cursor.left > width / 2 ? self.cursor.left - 12 - bar.offsetWidth : self.cursor.left + 12;
  bar.style.left = `${Math.min(Math.max(beside, Math.min(0, most)), Math.max(0, most))}px`;
}

function drawThresholds(self, thresholds) {
  const { ctx, bbox } = self;
  for (const { at, color: token } of thresholds) {
    const y = self.valToPos(at, "y", true);
    if (y < bbox.top || y > bbox.top + bbox.height) continue;
    ctx.save();
    ctx.strokeStyle = color(token);
    ctx.setLineDash([6, 4]);
    ctx.lineWidth = devicePixelRatio;
    ctx.beginPath();
    ctx.moveTo(bbox.left, y);
    ctx.lineTo(bbox.left + bbox.width, y);
    ctx.stroke();
    ctx.restore();
  }
}

function faint(rgb, alpha) {
  const parts = rgb.match(/[\d.]+/g);
  return `rgba(${parts.slice(0, 3).join(",")},${alpha})`;
}

/** The names of series beside a mark of their colour; `onRemove(n)` puts a cross behind each. */
export function Legend({ series, onRemove }) {
  return html`<ul class="legend">${series.map(({ label, token, unit, points }, n) => {
    const last = points.at(-1);
    const value = last ? (last.length >= 4 ? last[2] : last[1]) : null;
    return html`<li key=${label}><${Mark} n=${n} token=${token} />
      <span class="clip" title=${label}>${label}</span>
      ${value !== null && html`<strong class="num">${number(value, 4)}${unit ? ` ${unit}` : ""}</strong>`}
      ${onRemove && html`<button type="button" aria-label=${t("ui.remove_what", { what: label })} onClick=${() => onRemove(n)}>
        <svg width="14" height="14" viewBox="0 0 24 24" stroke="currentColor" stroke-width="2.500" aria-hidden="true"><path d="M6 6l12 12M18 6L6 18" /></svg></button>`}
    </li>`;
  })}</ul>`;
}
