// Numbers as lengths: the vertical and the horizontal bar, drawn in the pixels there are.
import { html } from "../core/html.js";
import { language } from "../core/i18n.js";
import { levelOf, scaleOf, show, showNumber, zones } from "./reading.js";
import { place, round, ticks } from "./shapes.js";
import { OffScale } from "./signs.js";

/** A column with its scale at the left. */
export function drawVertical(number, widget, size) {
  const { min, max } = scaleOf(widget);
  const { top, bottom, tall } = { top: 34, bottom: size.height - 8, tall: size.height - 42 };
  const y = (value) => round(bottom - place(value, min, max) * tall);
  const marks = ticks(min, max, Math.max(2, Math.min(8, tall / 32)));
  const labels = marks.map((mark) => showNumber(mark, null, language.value));
  const gutter = size.width < 80 ? 0 : Math.min(size.width * 0.4, Math.max(...labels.map((label) => label.length)) * 6.6 + 12);
  const wide = Math.max(14, Math.min(72, (size.width - gutter) * 0.6));
  const x = round(gutter + (size.width - gutter - wide) / 2);
  const zero = min < 0 && max > 0 ? y(0) : bottom;
  const text = show(number, widget, language.value);
  return html`<svg class="w-bar" width=${size.width} height=${size.height} data-level=${levelOf(number, widget.thresholds)}
    role="img" aria-label=${`${text} (${min} – ${max})`}>
    <text class="w-figure" x=${size.width / 2} y="22" font-size=${Math.max(11, Math.min(20, size.width / (text.length * 0.6)))} text-anchor="middle">${text}</text>
    <rect class="w-track-fill" x=${x} y=${top} width=${wide} height=${tall} rx="5" />
    ${zones(min, max, widget.thresholds).map(
      (zone) => html`<rect class="w-zone-fill" data-level=${zone.color} x=${x + wide + 4} y=${y(zone.to)} width="4" height=${y(zone.from) - y(zone.to)} rx="2" />`,
    )}
    <rect class="w-fill-rect" x=${x} y=${Math.min(zero, y(number))} width=${wide} height=${Math.max(2, Math.abs(zero - y(number)))} rx="4" />
    ${gutter > 0 && marks.map((mark, index) => html`<g class="w-tick">
      <line x1=${x - 7} x2=${x - 2} y1=${y(mark)} y2=${y(mark)} />
      <text x=${x - 10} y=${y(mark) + 4} font-size="11" text-anchor="end">${labels[index]}</text>
    </g>`)}
    ${min < 0 && max > 0 && html`<line class="w-zero" x1=${x - 4} x2=${x + wide + 4} y1=${zero} y2=${zero} />`}
    <${OffScale} number=${number} min=${min} max=${max} x=${x + wide / 2} y=${number > max ? top + 12 : bottom - 12} />
  </svg>`;
}

/** A row with its scale below. */
export function drawHorizontal(number, widget, size) {
  const { min, max } = scaleOf(widget);
  const { left, long } = { left: 14, long: size.width - 28 };
  const x = (value) => round(left + place(value, min, max) * long);
  const marks = ticks(min, max, Math.max(2, Math.min(10, long / 70)));
  const scaled = size.height > 70;
  const room = size.height - 32 - (scaled ? 26 : 6);
  const tall = Math.max(10, Math.min(56, room));
  const y = round(32 + (room - tall) / 2);
  const zero = min < 0 && max > 0 ? x(0) : left;
  const text = show(number, widget, language.value);
  return html`<svg class="w-bar" width=${size.width} height=${size.height} data-level=${levelOf(number, widget.thresholds)}
    role="img" aria-label=${`${text} (${min} – ${max})`}>
    <text class="w-figure" x=${size.width / 2} y=${y - 10} font-size=${Math.max(11, Math.min(20, size.width / (text.length * 0.6)))} text-anchor="middle">${text}</text>
    <rect class="w-track-fill" x=${left} y=${y} width=${long} height=${tall} rx="5" />
    ${zones(min, max, widget.thresholds).map(
      (zone) => html`<rect class="w-zone-fill" data-level=${zone.color} x=${x(zone.from)} y=${y + tall + 3} width=${x(zone.to) - x(zone.from)} height="4" rx="2" />`,
    )}
    <rect class="w-fill-rect" x=${Math.min(zero, x(number))} y=${y} width=${Math.max(2, Math.abs(x(number) - zero))} height=${tall} rx="4" />
    ${scaled && marks.map((mark) => html`<g class="w-tick">
      <line x1=${x(mark)} x2=${x(mark)} y1=${y + tall + 9} y2=${y + tall + 13} />
      <text x=${x(mark)} y=${y + tall + 25} font-size="11" text-anchor="middle">${showNumber(mark, null, language.value)}</text>
    </g>`)}
    ${min < 0 && max > 0 && html`<line class="w-zero" x1=${zero} x2=${zero} y1=${y - 3} y2=${y + tall + 3} />`}
    <${OffScale} number=${number} min=${min} max=${max} x=${number > max ? left + long - 10 : left + 10} y=${y + tall / 2} />
  </svg>`;
}
