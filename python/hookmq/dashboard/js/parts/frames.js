// A traceback as frames with their source: the user's own stand open, those of libraries are folded.
import { html, t } from "../kit.js";
const FOREIGN = /(?:site-packages|dist-packages|[\\/]lib[\\/]python\d|[\\/]hookmq[\\/](?!examples)[\w\\/]+\.py$|^<frozen|[\\/]\.venv[\\/])/u;

/** @param {{frames: {file: string, line: number, function: string, source: [number, string][]}[]}} props */
export function Frames({ frames }) {
  const last = frames.length - 1;
  return html`
    <ol class="frames">
      ${frames.map((frame, n) => html`<${Frame} key=${n} frame=${frame} open=${isOwn(frame) || n === last} raised=${n === last} />`)}
    </ol>`;
}

/** Say whether a frame is of the user's own code. */
export const isOwn = ({ file }) => !FOREIGN.test(file);

function Frame({ frame, open, raised }) {
  return html`
    <li class=${`frame ${isOwn(frame) ? "is-own" : ""} ${raised ? "is-raised" : ""}`}>
      <details open=${open}>
        <summary><code>${frame.file}<b>:${frame.line}</b></code> <span>${t("hooks.in_function", { name: frame.function })}</span></summary>
        ${frame.source?.length ? html`<${Source} lines=${frame.source} marked=${frame.line} />` : html`<p class="muted">${t("hooks.no_source")}</p>`}
      </details>
    </li>`;
}

/** Numbered lines of a file. @param {{lines: [number, string][], marked?: number, label?: string}} props */
export function Source({ lines, marked, label }) {
  return html`
    <pre class="source" tabindex="0" role="region" aria-label=${label ?? t("hooks.source")}><code>${lines.map(([number, text]) => html`<span class=${number === marked ? "is-marked" : ""}><i>${number}</i>${text}${"\n"}</span>`)}</code></pre>`;
}
