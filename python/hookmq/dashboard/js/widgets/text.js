// A text, or an object as indented JSON.
import { html } from "../core/html.js";

export default function Text({ widget, data }) {
  const value = data.value;
  const object = value !== null && typeof value === "object";
  const size = widget.options?.size ?? "medium";
  return html`<div class="w-text" data-size=${size} tabindex="0" role="group" aria-label=${widget.title || widget.topic}>
    ${object ? html`<pre>${JSON.stringify(value, null, 2)}</pre>` : String(value ?? "")}
  </div>`;
}
