// Numbers of payloads over time: what the history has of them, and what comes live.
import {
  html, t, signal, get, watch, useEffect, useRef, useState, format,
  Button, Chart, Legend, Menu, Notice, Segments, seriesToken,
} from "../kit.js";

export const SPANS = [300, 3600, 86400, 604800];
const POINTS = 600;
const REFRESH = 60;

/** The series that are charted, across topics: [{topic, path, unit}] */
export const charted = signal([]);

/** What of time is charted: the last seconds, or between two times. */
export const spanned = signal(300);
export const zoomed = signal(null);

/** The chart as part of an address, so that a link or a reload shows the same: {chart, span, zoom}. */
export function chartQuery() {
  const series = charted.value.map(({ topic, path, unit }) => (unit ? [topic, path, unit] : [topic, path]));
  const some = series.length > 0;
  return { chart: some ? JSON.stringify(series) : "", span: some && spanned.value !== 300 ? spanned.value : "", zoom: some && zoomed.value ? zoomed.value.join("_") : "" };
}

/** Shows the chart that an address asks for; what it does not understand is left out. */
export function readChart({ chart, span, zoom }) {
  if (!chart) return;
  let found;
  try {
    found = JSON.parse(chart);
  } catch {
    return;
  }
  if (!Array.isArray(found)) return;
  const text = (value) => typeof value === "string";
  charted.value = found.filter((each) => Array.isArray(each) && text(each[0]) && text(each[1])).slice(0, 20)
    .map(([topic, path, unit]) => ({ topic, path, unit: text(unit) ? unit : "" }));
  spanned.value = SPANS.includes(Number(span)) ? Number(span) : 300;
  const [from, to] = (zoom ?? "").split("_").map(Number);
  zoomed.value = from > 0 && to > from ? [from, to] : null;
}

export const seriesName = ({ topic, path }) => (path ? `${topic} · ${path}` : topic);

/** Puts a number of a topic's payload into the chart, or takes it out. */
export function toggle(topic, path) {
  const others = charted.value.filter((each) => each.topic !== topic || each.path !== path);
  charted.value = others.length < charted.value.length ? others : [...others, { topic, path, unit: "" }];
}

// One series: what the history answered, then what came since.
class Line {
  constructor() {
    this.past = [];
    this.live = [];
  }

  points(from) {
    const last = this.past.at(-1)?.[0] ?? 0;
    const all = this.past.concat(this.live.filter((point) => point[0] > last));
    const first = all.findIndex((point) => point[0] >= from);
    return first < 0 ? [] : all.slice(Math.max(0, first - 1));
  }
}

/**
 * The points of series [{topic, path}] in the last `span` seconds, or between zoom [from, to]:
 * {lines: [[points], …], from, to, problem, truncated}. Goes on live unless zoomed.
 */
export function usePoints(series, span, zoom) {
  const [state, setState] = useState({ problem: null, turn: 0 });
  const lines = useRef(new Map());
  const key = JSON.stringify(series.map(({ topic, path }) => [topic, path]));
  const window = JSON.stringify([span, zoom]);
  const draw = () => setState((before) => ({ ...before, turn: before.turn + 1 }));

  useEffect(() => {
    const stops = series.map(({ topic, path }) => {
      const name = `${topic}\n${path}`;
      if (!lines.current.has(name)) lines.current.set(name, new Line());
      const line = lines.current.get(name);
      const mine = watch("points", { topics: [topic], path });
      const silence = mine.listen((frame) => {
        for (const [, at, value] of frame.add ?? (Array.isArray(frame.whole) ? frame.whole : [])) line.live.push([at, value, value, value, 1]);
        if (line.live.length > 6000) line.live.splice(0, line.live.length - 6000);
      });
      return () => {
        silence();
        mine.stop();
      };
    });
    const timer = setInterval(draw, 500);
    return () => {
      clearInterval(timer);
      for (const stop of stops) stop();
    };
  }, [key]);

  useEffect(() => {
    const stop = new AbortController();
    const load = async () => {
      try {
        await Promise.all(series.map(async ({ topic, path }) => {
          const range = zoom ? { since: zoom[0], until: zoom[1] } : { since: Date.now() / 1000 - span };
          const { series: [found] } = await get("history/chart", { topic, path, points: POINTS, ...range }, { signal: stop.signal });
          const line = lines.current.get(`${topic}\n${path}`) ?? new Line();
          lines.current.set(`${topic}\n${path}`, line);
          line.past = found?.points ?? [];
        }));
        setState((before) => ({ problem: null, turn: before.turn + 1 }));
      } catch (problem) {
        if (problem.name !== "AbortError") setState((before) => ({ ...before, problem }));
      }
    };
    load();
    const timer = zoom ? 0 : setInterval(() => { if (!document.hidden) load(); }, REFRESH * 1000);
    return () => {
      stop.abort();
      clearInterval(timer);
    };
  }, [key, window]);

  const to = zoom ? zoom[1] : Date.now() / 1000;
  const from = zoom ? zoom[0] : to - span;
  return {
    lines: series.map(({ topic, path }) => (lines.current.get(`${topic}\n${path}`)?.points(from) ?? []).filter((point) => point[0] <= to)),
    from, to, problem: state.problem,
  };
}

/** The chart of the chosen series with its controls. `onPin(series)` offers to pin. */
export function ChartPanel({ series, onRemove, onUnit, onPin, height = 260 }) {
  const span = spanned.value;
  const zoom = zoomed.value;
  const setZoom = (value) => { zoomed.value = value; };
  const { lines, from, to, problem } = usePoints(series, span, zoom);
  const drawn = series.map((each, n) => ({ label: seriesName(each), unit: each.unit, points: lines[n], token: seriesToken(n), wide: true }));
  const onZoom = (first, last) => setZoom(first === null ? null : [first, last]);
  return html`<div class="stack">
    <div class="row">
      <${Segments} label=${t("message.span")} value=${zoom ? null : span} onChange=${(value) => { setZoom(null); spanned.value = value; }}
        options=${SPANS.map((each) => [each, t(`message.span_${each}`)])} />
      ${zoom ? html`<${Button} small icon="undo" onClick=${() => { setZoom(null); }}>${t("message.unzoom")}<//>
        <span class="muted small">${format.dateTime(zoom[0])} – ${format.dateTime(zoom[1])}</span>`: null}
      <span class="grow"></span>
      ${onUnit && html`<${UnitMenu} series=${series} onUnit=${onUnit} />`}
      ${onPin && html`<${Button} small icon="pin" onClick=${() => { onPin(series); }}>${t("message.pin")}<//>`}
    </div>
    ${problem && html`<${Notice} kind="warning" title=${t("message.only_live")}>${problem.message} ${problem.help}<//>`}
    <${Chart} series=${drawn} from=${from} to=${to} onZoom=${onZoom} height=${height} />
    <div class="row"><div class="grow"><${Legend} series=${drawn} onRemove=${onRemove} /></div>
      <span class="muted small">${t("message.zoom_hint")}</span></div>
  </div>`;
}

const UNITS = ["", "°C", "°F", "%", "hPa", "V", "A", "W", "kWh", "m/s", "mm", "m", "l", "m³", "bar", "ppm", "lx", "dB"];

function UnitMenu({ series, onUnit }) {
  return html`<${Menu} small kind="" icon="settings" label=${t("message.unit")} items=${UNITS.map((unit) => ({
    label: unit || t("message.unit_none"), checked: series.every((each) => each.unit === unit), onSelect: () => onUnit(unit),
  }))}>${t("message.unit")}<//>`;
}

