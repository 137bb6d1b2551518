// Bars: the newest number of each topic side by side, or, with a span, means over time.
import { html } from "../core/html.js";
import { language } from "../core/i18n.js";
import { Plot } from "./plot.js";
import { levelOf, shortNames, show } from "./reading.js";
import { place } from "./shapes.js";
import { Level } from "./signs.js";

export default function Bar({ widget, data, size }) {
  const series = data.series ?? [];
  if (widget.span > 0) return html`<${Plot} widget=${widget} data=${data} size=${size} style="bar" />`;
  const names = shortNames(series.map((each) => each.topic));
  const values = series.map((each) => each.points.at(-1)?.[2] ?? null);
  // What was seen before keeps the scale from jumping with each message.
  const seen = series.flatMap(({ points }) => points.map((point) => point[2]));
  const parts = Boolean(widget.options?.stacked) && values.every((value) => value === null || value >= 0);
  const sum = values.reduce((all, value) => all + value, 0);
  const low = widget.min ?? seen.reduce((least, value) => Math.min(least, value), 0);
  const high = widget.max ?? (parts ? sum : seen.reduce((most, value) => Math.max(most, value), low < 0 ? 0 : low + 1e-9));
  const at = (value) => place(value, low, high > low ? high : low + 1) * 100;
  let below = 0;
  return html`<ul class="w-bars w-scroll" tabindex="0" aria-label=${widget.title || widget.topic}>${series.map(({ topic }, index) => {
    const value = values[index];
    const level = levelOf(value, widget.thresholds);
    // Stacked, each bar begins where the one above it ends: together they are the whole.
    const zero = at(below);
    const to = at(below + (value ?? 0));
    if (parts) below += value;
    return html`<li key=${topic} data-level=${level}>
      <span class="w-bars-name" title=${topic}>${names[index]}</span>
      <span class="w-bars-track" aria-hidden="true"><i class=${`w-series-${level ? "level" : index % 8}`} style=${{ left: `${Math.min(zero, to)}%`, width: `${Math.max(0.4, Math.abs(to - zero))}%` }}></i></span>
      <span class="w-bars-value">${level && level !== "ok" && html`<${Level} level=${level} /> `}${value === null ? "–" : show(value, widget, language.value)}</span>
    </li>`;
  })}</ul>`;
}
