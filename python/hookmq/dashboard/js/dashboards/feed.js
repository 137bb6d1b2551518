// What widgets of a dashboard show: one watch of the live feed for all of them, and the history before it for charts.
import { get, path, signal, watch } from "../kit.js";
import { KINDS } from "../widgets/registry.js";

const LIVE_POINTS = 4000;
const POINTS = 600;
const LIVE_WINDOW = 300;
const SERIES = 20;
const ROWS = 500;

/** The data of one dashboard, by the id of a widget, as signals. `token` is that of a link which shares it. */
export class Feed {
  constructor({ id = null, token = null, onVersion = () => {} }) {
    this.token = token;
    this.onVersion = onVersion;
    this.problem = signal(null);
    this.sources = new Map();
    this.widgets = new Map();
    this.mine = watch("dashboard", token ? { token } : { id });
    this.silence = this.mine.listen((frame) => this.take(frame));
    const before = this.mine.data.peek();
    if (before) this.take({ whole: before });
  }

  /** Takes the widgets as they are now: charts whose topic, path or span is another one begin anew. */
  show(widgets) {
    const before = this.widgets;
    this.widgets = new Map(widgets.map((widget) => [widget.id, widget]));
    for (const widget of widgets) {
      const old = before.get(widget.id);
      if (old && sourceOf(old) === sourceOf(widget)) continue;
      if (old) this.source(widget.id).value = {};
      if (KINDS[widget.kind]?.data === "points" && widget.span > 0 && widget.topic) this.fetch(widget);
    }
    for (const id of before.keys()) if (!this.widgets.has(id)) this.sources.delete(id);
  }

  /** The signal with what a widget shows. */
  source(id) {
    if (!this.sources.has(id)) this.sources.set(id, signal({}));
    return this.sources.get(id);
  }

  stop() {
    this.silence();
    this.mine.stop();
  }

  take(frame) {
    if (frame.error) {
      this.problem.value = frame.error;
      return;
    }
    if (frame.whole) {
      this.problem.value = null;
      if (frame.whole.version !== undefined) this.onVersion(frame.whole.version);
    }
    const items = frame.whole ? (frame.whole.items ?? frame.whole) : (frame.set ?? {});
    for (const [id, item] of Object.entries(items)) {
      if (item !== null && typeof item === "object") this.put(id, item, frame.at, Boolean(frame.whole));
    }
  }

  put(id, item, at, whole) {
    const widget = this.widgets.get(id);
    const source = this.source(id);
    const data = KINDS[widget?.kind]?.data;
    if (item.error && data !== "value") source.value = { ...source.value, error: item.error };
    else if (data === "points") source.value = this.points(source.value, item.points ?? [], widget, at);
    else if (data === "rows" && widget.kind === "log") source.value = { rows: newest(source.value.rows ?? [], item.rows ?? [], whole), at: item.rows?.[0]?.at ?? source.value.at };
    else if (data === "rows") source.value = { rows: item.rows ?? [], at: Math.max(0, ...(item.rows ?? []).map((row) => row.at)) || null };
    else source.value = item;
  }

  points(before, points, widget, at) {
    // How far the broker's clock is from the browser's: charts go on while nothing comes.
    const skew = at ? at - Date.now() / 1000 : (before.skew ?? 0);
    return { series: added(before.series ?? [], points, widget), at: at ?? before.at, skew };
  }

  async fetch(widget) {
    const span = { since: Date.now() / 1000 - widget.span, points: POINTS };
    const asked = sourceOf(widget);
    let answer;
    try {
      answer = this.token
        ? await get(`${path("shared", this.token)}/chart`, { widget: widget.id, ...span })
        : await get("history/chart", { [/[+#]/.test(widget.topic) ? "filter" : "topic"]: widget.topic, path: widget.path, ...span });
    } catch {
      return; // Without a history the chart begins now.
    }
    const now = this.widgets.get(widget.id);
    if (!now || sourceOf(now) !== asked) return;
    const source = this.source(widget.id);
    const live = source.peek().series ?? [];
    const series = answer.series.slice(0, SERIES).map(({ topic, points }) => ({ topic, points: points.map((point) => [...point]) }));
    const last = new Map(series.map((each) => [each.topic, each.points.at(-1)?.[0] ?? 0]));
    const later = live.flatMap(({ topic, points }) => points.filter((point) => point[0] > (last.get(topic) ?? 0)).map((point) => [topic, point[0], point[2]]));
    source.value = { skew: 0, ...source.peek(), series: added(series, later, widget) };
  }
}

function sourceOf({ kind, topic, path: way, span, options }) {
  return JSON.stringify([KINDS[kind]?.data, kind === "log", topic, way, span, options?.widget]);
}

/** The series with new points [[topic, time, number], …], within the window of the widget, in a new list. */
export function added(series, points, widget) {
  const found = new Map(series.map((each) => [each.topic, each]));
  const changed = new Set();
  for (const [topic, time, number] of points) {
    let each = found.get(topic);
    if (!each) {
      if (found.size >= SERIES) continue;
      found.set(topic, (each = { topic, points: [] }));
    }
    if (time <= (each.points.at(-1)?.[0] ?? 0)) continue;
    each.points.push([time, number, number, number, 1]);
    changed.add(each);
  }
  for (const each of changed) trim(each, widget?.span > 0 ? widget.span : LIVE_WINDOW);
  return [...found.values()].sort((a, b) => (a.topic < b.topic ? -1 : 1)).map((each) => (changed.has(each) ? { ...each } : each));
}

// What is older than the window goes, all but one point; where there are too many, two become one.
function trim(series, span) {
  const first = series.points.at(-1)[0] - span;
  const old = series.points.findIndex((point) => point[0] >= first);
  if (old > 64) series.points = series.points.slice(old - 1);
  if (series.points.length <= LIVE_POINTS) return;
  const half = LIVE_POINTS / 2;
  const merged = [];
  for (let index = 0; index < half; index += 2) {
    const [a, b] = [series.points[index], series.points[index + 1]];
    const count = a[4] + b[4];
    merged.push([a[0], Math.min(a[1], b[1]), (a[2] * a[4] + b[2] * b[4]) / count, Math.max(a[3], b[3]), count]);
  }
  series.points = merged.concat(series.points.slice(half));
}

let count = 0;

// Newest first; a whole, after the connection was lost for a while, brings some that are known.
function newest(rows, more, whole) {
  const fresh = more.map((row) => ({ ...row, key: (count += 1) }));
  return whole ? fresh : fresh.concat(rows).slice(0, ROWS);
}
