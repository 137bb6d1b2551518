// A number on an arc, with the zones of its thresholds and the value in the middle.
import { html } from "../core/html.js";
import { language } from "../core/i18n.js";
import { levelOf, scaleOf, show, showNumber, toNumber, zones } from "./reading.js";
import { arc, onCircle, place } from "./shapes.js";
import { NoNumber, OffScale } from "./signs.js";

export default function Gauge({ widget, data, size }) {
  const number = toNumber(data.value);
  if (number === null) return html`<${NoNumber} value=${data.value} />`;
  return draw(number, widget, size);
}

/** The gauge of a number; the drawing is 200 wide and scaled to what room there is. */
export function draw(number, widget, size) {
  const { min, max } = scaleOf(widget);
  const sweep = widget.options?.sweep === 180 ? 180 : 240;
  const start = -sweep / 2;
  const at = (value) => start + place(value, min, max) * sweep;
  const origin = min < 0 && max > 0 ? at(0) : start;
  const [from, to] = [Math.min(origin, at(number)), Math.max(origin, at(number))];
  const height = sweep === 180 ? 118 : 152;
  const scale = Math.min(size.width / 200, size.height / height);
  // Letters of the scale stay legible where the gauge is small, and unobtrusive where it is large.
  const small = Math.min(16, Math.max(8, 11 / scale));
  const legible = scale > 0.45;
  const text = showNumber(number, widget.decimals ?? null, language.value);
  const font = Math.min(36, 94 / (text.length * 0.56));
  const level = levelOf(number, widget.thresholds);
  const [lowX, lowY] = onCircle(100, 96, 74, start);
  const [highX] = onCircle(100, 96, 74, -start);
  const ends = sweep === 180 ? 113 : lowY + 17;
  return html`<svg class="w-gauge" viewBox=${`0 0 200 ${height}`} width=${size.width} height=${size.height} data-level=${level}
    role="img" aria-label=${`${show(number, widget, language.value)} (${min} – ${max})`}>
    <path class="w-track" d=${arc(100, 96, 74, start, -start)} />
    ${zones(min, max, widget.thresholds).map(
      (zone) => html`<path class="w-zone" data-level=${zone.color} d=${arc(100, 96, 88, at(zone.from), at(zone.to))} />`,
    )}
    ${to - from > 0.5 && html`<path class="w-fill" d=${arc(100, 96, 74, from, to)} />`}
    ${number >= min && number <= max && html`<line class="w-hand" x1=${onCircle(100, 96, 64, at(number))[0]} y1=${onCircle(100, 96, 64, at(number))[1]}
      x2=${onCircle(100, 96, 84, at(number))[0]} y2=${onCircle(100, 96, 84, at(number))[1]} />`}
    <text class="w-figure" x="100" y=${sweep === 180 ? 92 : 102} font-size=${font} text-anchor="middle">${text}</text>
    <text class="w-caption" x="100" y=${sweep === 180 ? 109 : 121} font-size="13" text-anchor="middle">${widget.unit ?? ""}</text>
    ${legible && html`<text class="w-end" x=${lowX} y=${ends} font-size=${small} text-anchor="middle">${showNumber(min, null, language.value)}</text>
      <text class="w-end" x=${highX} y=${ends} font-size=${small} text-anchor="middle">${showNumber(max, null, language.value)}</text>`}
    <${OffScale} number=${number} min=${min} max=${max} x=${100} y=${48} />
  </svg>`;
}
