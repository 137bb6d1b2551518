// A number that is typed and published.
import { html, useState } from "../core/html.js";
import { language, t } from "../core/i18n.js";
import { CommandNote, useCommand } from "./command.js";
import { fill, show, toNumber } from "./reading.js";

export default function NumberInput({ widget, data, act }) {
  const options = widget.options ?? {};
  const told = toNumber(data.value);
  const [typed, setTyped] = useState(null);
  const { wanted, pending, problem, send } = useCommand({
    widget, data, act, follows: (number) => told !== null && Math.abs(told - number) < 1e-9 * Math.max(1, Math.abs(number)),
  });
  const number = typed === null ? null : toNumber(typed);
  const outside = number !== null && ((widget.min != null && number < widget.min) || (widget.max != null && number > widget.max));
  function set(event) {
    event.preventDefault();
    if (number === null || outside) return;
    setTyped(null);
    send(fill(options.template, number), number);
  }
  const now = wanted ?? told;
  return html`<form class="w-control w-input" onSubmit=${set}>
    <output class="w-set">${now === null ? "–" : show(now, widget, language.value)}${pending && html`<span class="w-pending">${t("widgets.pending")}</span>`}</output>
    <span class="w-entry">
      <input type="number" step=${options.step > 0 ? options.step : "any"} min=${widget.min ?? undefined} max=${widget.max ?? undefined} inputmode="decimal"
        value=${typed ?? ""} placeholder=${now ?? ""} aria-label=${widget.title || widget.topic} aria-invalid=${String(outside)} disabled=${!act}
        onInput=${(event) => setTyped(event.currentTarget.value)} />
      <button type="submit" class="w-apply" disabled=${!act || number === null || outside}>${t("widgets.set")}</button>
    </span>
    ${outside && html`<p class="w-note w-note-problem" role="alert">${t("widgets.outside", { min: widget.min ?? "−∞", max: widget.max ?? "∞" })}</p>`}
    <${CommandNote} problem=${problem} act=${act} />
  </form>`;
}
