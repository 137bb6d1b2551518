// What every widget has around it: its title, a sign of its level, how old it is, and what is shown instead of nothing.
import { html, useEffect, useRef, useState } from "../core/html.js";
import { ago, dateTime } from "../core/format.js";
import { t } from "../core/i18n.js";
import { commandTopic } from "./command.js";
import { KINDS, load } from "./registry.js";
import { levelOf, toNumber, worst } from "./reading.js";
import { Level } from "./signs.js";

const OLD = 60;

/**
 * `data` is a signal; `act(topic, payload, options)` publishes, or is null where nothing may be published. While it is
 * arranged, a widget is `inert`, and `tools` are at its title.
 */
export function WidgetFrame({ widget, data: source, live = true, act = null, spec = null, tools = null, inert = false }) {
  const [View, setView] = useState(null);
  const [failed, setFailed] = useState(false);
  const body = useRef(null);
  const size = useSize(body);
  const now = useClock();
  const data = source.value ?? {};
  useEffect(() => {
    let gone = false;
    setFailed(false);
    load(widget.kind).then((component) => !gone && setView(() => component), () => !gone && setFailed(true));
    return () => { gone = true; };
  }, [widget.kind]);

  const level = levelFor(widget, data);
  const old = data.at && now - data.at > OLD;
  const title = widget.title || commandTopic(widget) || widget.topic || t(`widgets.kind_${widget.kind}`);
  return html`<article class="widget" data-kind=${widget.kind} data-id=${widget.id} data-stale=${String(!live)} aria-label=${title}>
    <header class="w-head">
      <h2 class="w-title" title=${widget.topic || title}>${title}</h2>
      ${level && level !== "ok" && html`<${Level} level=${level} />`}
      ${!live && html`<span class="w-age w-cut">${t("widgets.not_live")}</span>`}
      ${live && old && html`<time class="w-age" title=${dateTime(data.at)}>${ago(data.at, now)}</time>`}
      ${tools}
    </header>
    <div class="w-body" ref=${body} inert=${inert}>
      ${size && View && !failed && html`<${Body} View=${View} widget=${widget} data=${data} size=${size} act=${act} spec=${spec} />`}
      ${failed && html`<div class="w-hint" role="alert">${t("widgets.failed")}</div>`}
    </div>
  </article>`;
}

function Body({ View, widget, data, size, act, spec }) {
  const about = KINDS[widget.kind];
  if (data.error) return html`<div class="w-hint w-problem" role="alert"><strong>${t("widgets.problem")}</strong><span>${data.error.message ?? data.error}</span></div>`;
  if (empty(widget, about, data)) return html`<${Nothing} widget=${widget} about=${about} came=${data.value === ""} />`;
  return html`<${View} widget=${widget} data=${data} size=${size} act=${act} spec=${spec} />`;
}

function empty(widget, about, data) {
  if (about.command || widget.kind === "map") return false;
  if (widget.kind === "python") return Boolean(widget.options?.widget) && data.value === undefined;
  if (about.data === "points") return !data.series?.some((each) => each.points.length);
  if (about.data === "rows") return !data.rows?.length;
  if (about.data === "image") return data.value === undefined && data.payload_base64 === undefined;
  return data.value === undefined || data.value === null || data.value === "";
}

/** What is missing, and how it comes. */
function Nothing({ widget, about, came }) {
  if (came) return html`<div class="w-hint" role="note">${t("widgets.empty_payload")}</div>`;
  if (about.topic !== "none" && !widget.topic) return html`<div class="w-hint" role="note">${t("widgets.no_topic")}</div>`;
  return html`<div class="w-hint" role="note"><span>${t(widget.kind === "python" ? "widgets.waiting_python" : "widgets.waiting")}</span>
    ${widget.topic && html`<code class="w-sample">${widget.topic}${widget.path ? ` → ${widget.path}` : ""}</code>`}</div>`;
}

function levelFor(widget, data) {
  if (!widget.thresholds?.length) return "";
  if (data.series) return worst(data.series, widget.thresholds);
  return data.rows ? "" : levelOf(toNumber(data.value), widget.thresholds);
}

/** The size of an element in pixels, as it changes; null before it is known. */
function useSize(ref) {
  const [size, setSize] = useState(null);
  useEffect(() => {
    const watcher = new ResizeObserver(([entry]) => {
      const width = Math.max(20, Math.floor(entry.contentRect.width));
      const height = Math.max(20, Math.floor(entry.contentRect.height));
      setSize((before) => (before?.width === width && before?.height === height ? before : { width, height }));
    });
    watcher.observe(ref.current);
    return () => watcher.disconnect();
  }, []);
  return size;
}

function useClock() {
  const [now, setNow] = useState(Date.now() / 1000);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now() / 1000), 10_000);
    return () => clearInterval(timer);
  }, []);
  return now;
}
