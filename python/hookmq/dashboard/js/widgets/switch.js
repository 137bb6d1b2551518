// Switches something on and off by a command topic and shows what its state topic says.
import { html } from "../core/html.js";
import { t } from "../core/i18n.js";
import { CommandNote, useCommand } from "./command.js";
import { isOn } from "./reading.js";

export default function Switch({ widget, data, size, act }) {
  const options = widget.options ?? {};
  const told = isOn(data.value, options);
  const { wanted, pending, problem, send } = useCommand({ widget, data, act, follows: (on) => told === on });
  const on = wanted ?? told;
  const word = on === null ? t("widgets.unknown") : (on ? options.on_label : options.off_label) || t(on ? "widgets.on" : "widgets.off");
  const press = () => send(on ? (options.off || "0") : (options.on || "1"), !on);
  const scale = Math.max(0.7, Math.min(1.7, size.width / 110, (size.height - 26) / 56));
  return html`<div class="w-control">
    <button type="button" class="w-switch" role="switch" aria-checked=${String(on === true)} data-known=${String(on !== null)} aria-label=${widget.title || widget.topic || word}
      aria-busy=${String(pending)} disabled=${!act} onClick=${press} style=${{ "--w-scale": scale }}>
      <span class="w-knob"><svg viewBox="0 0 16 16" aria-hidden="true">
        ${on ? html`<path d="M8 4v8" />` : html`<circle cx="8" cy="8" r="3.4" />`}
      </svg></span>
    </button>
    <span class="w-word">${word}${pending && html`<span class="w-pending">${t("widgets.pending")}</span>`}</span>
    <${CommandNote} problem=${problem} act=${act} />
  </div>`;
}
