// Lines: sparklines as SVG, charts by uPlot.
import { html, useEffect, useLayoutEffect, useRef } from "../core/html.js";
import { t, language } from "../core/i18n.js";
import { color, shade } from "../core/theme.js";
import { compact, dateTime, number } from "../core/format.js";
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

// Whether its points have a least and a greatest value; `wide` says so before there are points.
const isWide = ({ points, wide }) => wide ?? (points[0]?.length ?? 0) >= 4;

// All series on one axis of times: uPlot wants columns.
function columns(series) {
  const times = new Set();
  for (const { points } of series) for (const point of points) times.add(point[0]);
  const x = Float64Array.from(times).sort();
  const places = new Map();
  x.forEach((time, at) => places.set(time, at));
  const data = [x];
  for (const each of series) {
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
    data.push(middle);
    if (wide) data.push(low, high);
  }
  return data;
}

/**
 * A chart over time. series [{label, points, unit?, token?, kind?: "line" | "area" | "bar"}], points [[t, value], …] or
 * [[t, min, mean, max, count], …] (drawn as a line in a band; `wide` if there may be none yet), sorted by time. `from`/`to` fix the axis of times; `min`/`max`
 * that of values. `onZoom(from, to)` is called when a part is chosen, with nulls by a double click. thresholds [{at, color}].
 */
export function Chart({ series, height = 260, from, to, min, max, onZoom, thresholds = [], label, axes = true }) {
  const host = useRef(null);
  const plot = useRef(null);
  const now = useRef({});
  now.current = { onZoom, from, to, min, max, thresholds };
  // What the chart is made of, apart from its points: it is made anew only when this changes.
  const shape = JSON.stringify([
    series.map((each) => [each.label, each.unit, each.token, each.kind, isWide(each)]),
    shade.value, language.value, axes, Boolean(onZoom),
  ]);

  useLayoutEffect(() => {
    addStyles();
    const box = host.current;
    const options = shapeOf(series, { height, width: Math.max(80, box.clientWidth), axes, now });
    const made = new uPlot(options, columns(series), box);
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
    plot.current?.setData(columns(series), true);
  }, [series, from, to, min, max]);

  const told = label ?? series.map(({ label: name, points }) => {
    const last = points.at(-1);
    return `${name}: ${last ? number(last.length >= 4 ? last[2] : last[1]) : "–"}`;
  }).join(", ");
  const style = height === "fill" ? { height: "100%" } : { minHeight: `${height}px` };
  return html`<div class="chart" ref=${host} role="img" aria-label=${t("ui.chart_of", { what: told })} style=${style}></div>`;
}

function shapeOf(series, { height, width, axes, now }) {
  const lines = [{}];
  const bands = [];
  series.forEach((each, n) => {
    const { label, token, kind = "line", share = 1 } = each;
    const stroke = color(token ?? seriesToken(n));
    const wide = isWide(each);
    lines.push({
      label, stroke, width: kind === "bar" ? 0 : 1.75, spanGaps: true, points: { show: (self) => kind !== "bar" && self.data[0].length < 40, size: 4 },
      fill: kind === "area" || kind === "bar" ? faint(stroke, kind === "bar" ? 0.8 : 0.16) : undefined,
      paths: kind === "bar" ? uPlot.paths.bars({ size: [0.7 * share, 40] }) : undefined,
    });
    if (wide) {
      const own = lines.length;
      const edge = { label, stroke: "transparent", width: 0, spanGaps: true, points: { show: false } };
      lines.push({ ...edge }, { ...edge });
      bands.push({ series: [own + 1, own], fill: faint(stroke, 0.14) });
    }
  });
  const font = `12px ${getComputedStyle(document.body).fontFamily}`;
  const axis = {
    stroke: color("muted"), font, grid: { stroke: color("line"), width: 1 }, ticks: { show: false }, show: axes,
  };
  const bar = document.createElement("div");
  return {
    width, height: height === "fill" ? 120 : height, series: lines, bands, legend: { show: false },
    padding: axes ? [8, 8, 0, 0] : [2, 0, 2, 0],
    cursor: { drag: { x: Boolean(now.current.onZoom), y: false, setScale: false }, points: { size: 7 }, y: false },
    scales: {
      x: { time: true, range: (_, low, high) => {
        const first = now.current.from ?? low ?? Date.now() / 1000 - 60;
        const last = now.current.to ?? high ?? Date.now() / 1000;
        return first === last ? [first - 30, last + 30] : [first, last];
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
      setCursor: [(self) => showTip(self, bar, series, lines)],
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

function showTip(self, bar, series, lines) {
  const at = self.cursor.idx;
  if (at === null || at === undefined || self.cursor.left < 0) {
    bar.hidden = true;
    return;
  }
  bar.replaceChildren();
  const head = document.createElement("div");
  head.textContent = dateTime(self.data[0][at]);
  bar.append(head);
  let column = 1;
  for (const each of series) {
    const { label, unit } = each;
    const value = self.data[column]?.[at];
    if (value !== undefined && value !== null) {
      const line = document.createElement("div");
      const mark = document.createElement("i");
      mark.style.background = lines[column].stroke;
      const text = document.createElement("span");
      text.textContent = `${label}  ${number(value, 4)}${unit ? ` ${unit}` : ""}`;
      line.append(mark, text);
      bar.append(line);
    }
    column += isWide(each) ? 3 : 1;
  }
  bar.hidden = bar.children.length < 2;
  const right = self.cursor.left > self.over.clientWidth / 2;
  bar.style.left = right ? "auto" : `${self.cursor.left + 12}px`;
  bar.style.right = right ? `${self.over.clientWidth - self.cursor.left + 12}px` : "auto";
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
    return html`<li key=${label}><i style=${{ background: `var(--${token ?? seriesToken(n)})` }}></i>
      <span class="clip" title=${label}>${label}</span>
      ${value !== null && html`<strong class="num">${number(value, 4)}${unit ? ` ${unit}` : ""}</strong>`}
      ${onRemove && html`<button type="button" aria-label=${t("ui.remove_what", { what: label })} onClick=${() => onRemove(n)}>
        <svg width="14" height="14" viewBox="0 0 24 24" stroke="currentColor" stroke-width="2.500" aria-hidden="true"><path d="M6 6l12 12M18 6L6 18" /></svg></button>`}
    </li>`;
  })}</ul>`;
}
