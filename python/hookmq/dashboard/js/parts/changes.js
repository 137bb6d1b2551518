// What has changed between two texts: lines with signs.
import { html, useMemo } from "../kit.js";
import { difference } from "./difference.js";

const CLASSES = { "+": "is-added", "-": "is-removed", " ": "" };

/** @param {{before: string, after: string, label: string}} props */
export function Changes({ before, after, label }) {
  const lines = useMemo(() => difference(before, after), [before, after]);
  return html`<pre class="changes" tabindex="0" role="region" aria-label=${label}>${lines.map(({ sign, text }) => html`
    <span class=${CLASSES[sign]}>${sign === "-" ? "−" : sign} ${text}${"\n"}</span>`)}</pre>`;
}
