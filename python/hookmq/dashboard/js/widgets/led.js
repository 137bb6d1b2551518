// A lamp: on or off, always with a word, so that colour is never the only sign.
import { html } from "../core/html.js";
import { t } from "../core/i18n.js";
import { isOn, levelOf, toNumber } from "./reading.js";

export default function Led({ widget, data, size }) {
  const options = widget.options ?? {};
  const on = isOn(data.value, options);
  const level = levelOf(toNumber(data.value), widget.thresholds) || (on ? (options.color ?? "ok") : "");
  const word = (on ? options.on_label : options.off_label) || t(on ? "widgets.on" : "widgets.off");
  const wide = size.width > size.height * 1.8;
  const lamp = Math.max(18, Math.min(88, size.height * (wide ? 0.6 : 0.52), size.width * (wide ? 0.3 : 0.6)));
  return html`<div class=${wide ? "w-led w-led-wide" : "w-led"} data-on=${String(on)} data-level=${level} role="img" aria-label=${word}>
    <svg viewBox="0 0 100 100" width=${lamp} height=${lamp} aria-hidden="true">
      <circle class="w-lamp-ring" cx="50" cy="50" r="44" />
      <circle class="w-lamp" cx="50" cy="50" r="34" />
      ${on && html`<ellipse class="w-lamp-shine" cx="41" cy="36" rx="15" ry="9" transform="rotate(-28 41 36)" />`}
    </svg>
    <span class="w-word">${word}</span>
  </div>`;
}
