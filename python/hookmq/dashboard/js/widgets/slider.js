// A number that is set by dragging, published when it is let go.
import { html, useState } from "../core/html.js";
import { language, t } from "../core/i18n.js";
import { CommandNote, useCommand } from "./command.js";
import { fill, scaleOf, show, showNumber, toNumber } from "./reading.js";

export default function Slider({ widget, data, act }) {
  const options = widget.options ?? {};
  const { min, max } = scaleOf(widget);
  const step = options.step > 0 ? options.step : niceStep(min, max);
  const told = toNumber(data.value);
  const [dragged, setDragged] = useState(null);
  const { wanted, pending, problem, send } = useCommand({
    widget, data, act, follows: (number) => told !== null && Math.abs(told - number) <= step / 2,
  });
  const shown = dragged ?? wanted ?? told;
  const share = shown === null ? 0 : Math.min(100, Math.max(0, ((shown - min) / (max - min)) * 100));
  function commit(event) {
    const number = Number(event.currentTarget.value);
    setDragged(null);
    send(fill(options.template, number), number);
  }
  return html`<div class="w-control w-slider" aria-busy=${String(pending)}>
    <output class="w-set">${shown === null ? "–" : show(shown, widget, language.value)}${pending && html`<span class="w-pending">${t("widgets.pending")}</span>`}</output>
    <input type="range" min=${min} max=${max} step=${step} value=${shown ?? min} disabled=${!act} aria-label=${widget.title || widget.topic}
      aria-valuetext=${shown === null ? t("widgets.unknown") : show(shown, widget, language.value)} style=${{ "--w-share": `${share}%` }}
      onInput=${(event) => setDragged(Number(event.currentTarget.value))} onChange=${commit} />
    <span class="w-ends" aria-hidden="true"><span>${showNumber(min, null, language.value)}</span><span>${showNumber(max, null, language.value)}</span></span>
    <${CommandNote} problem=${problem} act=${act} />
  </div>`;
}

/** A step that divides a scale into at least a hundred parts, as 1, 2 or 5 times a power of ten. */
export function niceStep(min, max) {
  const power = 10 ** Math.floor(Math.log10((max - min) / 100));
  return Number(power.toPrecision(1));
}
