// A vessel that is filled as far as its number says, with a scale and moving water.
import { html } from "../core/html.js";
import { language } from "../core/i18n.js";
import { levelOf, scaleOf, show, showNumber, toNumber, zones } from "./reading.js";
import { place, round, ticks, wave } from "./shapes.js";
import { NoNumber, OffScale } from "./signs.js";

export default function Tank({ widget, data, size }) {
  const number = toNumber(data.value);
  return number === null ? html`<${NoNumber} value=${data.value} />` : draw(number, widget, size);
}

export function draw(number, widget, size) {
  const { min, max } = scaleOf(widget);
  const marks = ticks(min, max, Math.max(2, Math.min(6, size.height / 44)));
  const labels = marks.map((mark) => showNumber(mark, null, language.value));
  const gutter = size.width < 120 ? 0 : Math.max(...labels.map((label) => label.length)) * 6.6 + 16;
  const [top, bottom] = [8, size.height - 6];
  const wide = Math.max(40, Math.min(size.width - gutter - 12, (bottom - top) * 1.1));
  const left = round((size.width - gutter - wide) / 2);
  const y = (value) => round(bottom - place(value, min, max) * (bottom - top));
  const level = y(number);
  const text = show(number, widget, language.value);
  const font = Math.max(12, Math.min(34, (bottom - top) * 0.3, (wide - 12) / (text.length * 0.58)));
  const swell = number <= min || number >= max ? 0 : Math.min(4, wide / 30);
  const clip = `tank-${widget.id}`;
  return html`<svg class="w-tank" width=${size.width} height=${size.height} data-level=${levelOf(number, widget.thresholds)}
    role="img" aria-label=${`${text} (${min} – ${max})`}>
    <clipPath id=${clip}><rect x="0" y=${top} width=${wide} height=${bottom - top} rx="10" /></clipPath>
    <g transform=${`translate(${left} 0)`}>
      <rect class="w-vessel" x="0" y=${top} width=${wide} height=${bottom - top} rx="10" />
      <g clip-path=${`url(#${clip})`}>
        <g class="w-water" style=${{ transform: `translateY(${level}px)` }}>
          <path class="w-wave w-wave-back" style=${{ "--w-wave": `${-wide}px` }} d=${wave(wide, 0, bottom, -swell)} />
          <path class="w-wave" style=${{ "--w-wave": `${-wide}px` }} d=${wave(wide, 0, bottom, swell)} />
        </g>
      </g>
      <rect class="w-rim" x="0" y=${top} width=${wide} height=${bottom - top} rx="10" />
      ${zones(min, max, widget.thresholds).map(
        (zone) => html`<rect class="w-zone-fill" data-level=${zone.color} x=${wide + 4} y=${y(zone.to)} width="4" height=${y(zone.from) - y(zone.to)} rx="2" />`,
      )}
      ${gutter > 0 && marks.map((mark, index) => html`<g class="w-tick">
        <line x1=${wide + 10} x2=${wide + 15} y1=${y(mark)} y2=${y(mark)} />
        <text x=${wide + 19} y=${Math.min(bottom - 1, Math.max(top + 9, y(mark) + 4))} font-size="11">${labels[index]}</text>
      </g>`)}
      <text class="w-figure w-outlined" x=${wide / 2} y=${(top + bottom) / 2 + font * 0.35} font-size=${font} text-anchor="middle">${text}</text>
      <${OffScale} number=${number} min=${min} max=${max} x=${wide / 2} y=${number > max ? top + 14 : bottom - 14} />
    </g>
  </svg>`;
}
