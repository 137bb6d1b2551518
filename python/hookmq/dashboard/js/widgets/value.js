// One value in large letters, with a line of where it came from.
import { html } from "../core/html.js";
import { language } from "../core/i18n.js";
import { useTrail } from "./trail.js";
import { levelOf, show, showNumber, toNumber, toText } from "./reading.js";

export default function Value({ widget, data, size }) {
  const number = toNumber(data.value);
  const trail = useTrail(number, data.at, data.topic, widget.options?.sparkline !== false);
  const text = number === null ? toText(data.value) : showNumber(number, widget.decimals ?? null, language.value);
  // Letters are about two thirds as wide as tall; those of the unit are smaller.
  const length = Math.max(2.5, text.length * 0.66 + (widget.unit ? widget.unit.length * 0.36 + 0.35 : 0));
  const drawn = trail.length > 2 && size.height > 76 && size.width > 90;
  const room = size.height - (drawn ? Math.min(48, size.height * 0.3) : 0);
  const font = Math.max(14, Math.min(room * 0.62, (size.width - 8) / length, 96));
  return html`<div class="w-value" data-level=${levelOf(number, widget.thresholds)} role="img" aria-label=${show(data.value, widget, language.value)}>
    <div class="w-number" style=${{ fontSize: `${font}px` }} title=${toText(data.value)} aria-hidden="true">
      <span class="w-digits">${text}</span>${widget.unit && html`<span class="w-unit">${widget.unit}</span>`}
    </div>
    ${drawn && html`<${Trail} points=${trail} width=${size.width} height=${Math.min(48, size.height * 0.3)} />`}
  </div>`;
}

/** A line without axes of what the value was before. */
function Trail({ points, width, height }) {
  const values = points.map(([, value]) => value);
  const low = Math.min(...values);
  const high = Math.max(...values);
  const first = points[0][0];
  const span = points.at(-1)[0] - first || 1;
  const x = (at) => Math.round(((at - first) / span) * width * 10) / 10;
  const y = (value) => Math.round((height - 3 - ((value - low) / (high - low || 1)) * (height - 6)) * 10) / 10;
  const line = points.map(([at, value], index) => `${index ? "L" : "M"}${x(at)} ${high === low ? height / 2 : y(value)}`).join("");
  return html`<svg class="w-trail" width=${width} height=${height} aria-hidden="true">
    <path class="w-trail-area" d=${`${line}L${width} ${height}L0 ${height}Z`} /><path class="w-trail-line" d=${line} />
  </svg>`;
}
