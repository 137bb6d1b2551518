// Messages as they come, newest first; can be held to be read.
import { html, useState } from "../core/html.js";
import { moment } from "../core/format.js";
import { t } from "../core/i18n.js";
import { find, levelOf, toNumber, toText } from "./reading.js";
import { Level } from "./signs.js";

export default function Log({ widget, data }) {
  const [held, setHeld] = useState(null);
  const rows = held ?? data.rows ?? [];
  return html`<div class="w-log">
    <button type="button" class="w-hold" aria-pressed=${String(held !== null)} onClick=${() => setHeld(held ? null : (data.rows ?? []))}>
      ${t(held ? "widgets.resume" : "widgets.hold")}
    </button>
    <ol class="w-scroll" tabindex="0" aria-label=${widget.title || widget.topic}>${rows.slice(0, widget.options?.limit ?? 100).map((row) => {
      const value = find(row.value, widget.path);
      const level = levelOf(toNumber(value), widget.thresholds);
      return html`<li key=${row.key}><time>${moment(row.at)}</time><span class="w-log-topic" title=${row.topic}>${row.topic}</span>
        <span class="w-log-text" title=${toText(value)}>${level && level !== "ok" && html`<${Level} level=${level} /> `}${toText(value).slice(0, 500)}</span></li>`;
    })}</ol>
  </div>`;
}
