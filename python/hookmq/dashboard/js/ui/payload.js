// What is in a message: JSON as a tree whose numbers can be chosen, text, or bytes.
import { html, useMemo, useState } from "../core/html.js";
import { t } from "../core/i18n.js";
import { bytes } from "../core/format.js";
import { Copy } from "./basics.js";
import { Segments } from "./forms.js";

const FOLDED = 100;

/** The bytes of a message of the API. */
export function payloadBytes(message) {
  if (message.payload !== null && message.payload !== undefined) return new TextEncoder().encode(message.payload);
  return Uint8Array.from(atob(message.payload_base64 ?? ""), (each) => each.charCodeAt(0));
}

/** The value of a payload that is JSON; undefined if it is none. */
export function jsonOf(message) {
  if (typeof message?.payload !== "string") return undefined;
  try {
    return JSON.parse(message.payload);
  } catch {
    return undefined;
  }
}

/** The path of a member below another path: join("a", "b") "a.b", join("a", 0) "a[0]", join("", "b c") '["b c"]'. */
export function joinPath(path, member) {
  if (typeof member === "number") return `${path}[${member}]`;
  if (!/^[\p{L}_$][\p{L}\p{N}_$-]*$/u.test(member)) return `${path}[${JSON.stringify(member)}]`;
  return path ? `${path}.${member}` : member;
}

/** What a path means in a value; undefined if nothing. */
export function atPath(value, path) {
  let found = value;
  for (const [, bare, index, quoted] of path.matchAll(/([^.[\]"]+)|\[(\d+)\]|\[("(?:[^"\\]|\\.)*")\]/g)) {
    if (found === null || typeof found !== "object") return undefined;
    const member = bare ?? (index !== undefined ? Number(index) : JSON.parse(quoted));
    if (!Object.hasOwn(found, member)) return undefined;
    found = found[member];
  }
  return found;
}

/**
 * A message's payload. `onNumber(path, value)` makes numbers buttons; `chosen` is the set of paths that are pressed;
 * `before` is the message it is compared with: what differs is marked, with the old value beside it.
 */
export function Payload({ message, before, onNumber, chosen, view, height }) {
  const value = useMemo(() => jsonOf(message), [message.payload]);
  const old = useMemo(() => (before ? jsonOf(before) : undefined), [before?.payload]);
  const binary = message.payload === null || message.payload === undefined;
  const [own, setOwn] = useState(null);
  const kinds = [value !== undefined && ["json", "JSON"], !binary && ["text", t("ui.text")], ["hex", t("ui.hex")]].filter(Boolean);
  const wanted = own ?? view;
  const kind = kinds.some(([each]) => each === wanted) ? wanted : kinds[0][0];
  const style = height ? { maxHeight: height } : undefined;
  return html`<div class="stack tight">
    <div class="row">
      <${Segments} label=${t("ui.show_as")} options=${kinds} value=${kind} onChange=${setOwn} />
      <span class="muted small grow">${bytes(message.bytes ?? 0)}${message.cut ? ` · ${t("ui.cut")}` : ""}</span>
      ${!binary && html`<${Copy} text=${message.payload} />`}
    </div>
    <div class="payload" style=${style} tabindex="0" role="region" aria-label=${t("ui.payload")}>${
      kind === "json" ? html`<${Tree} value=${value} path="" old=${before ? { value: old } : null} onNumber=${onNumber} chosen=${chosen} />`
        : kind === "text" ? message.payload || html`<span class="muted">${t("ui.empty_payload")}</span>`
          : hexDump(payloadBytes(message))}</div>
  </div>`;
}

function Tree({ value, path, old, onNumber, chosen }) {
  if (value !== null && typeof value === "object") {
    return html`<${Branch} value=${value} path=${path} old=${old} onNumber=${onNumber} chosen=${chosen} />`;
  }
  // Values are compared where both are simple; a member that is new is marked as well.
  const differs = old && old.value !== value;
  const was = differs && old.value !== undefined && (old.value === null || typeof old.value !== "object")
    ? html`<span class="was">${JSON.stringify(old.value)}</span>` : null;
  let shown;
  if (typeof value === "number" && onNumber) {
    shown = html`<button type="button" class="number" aria-pressed=${chosen ? chosen.has(path) : undefined}
      title=${t("ui.chart_it")} onClick=${() => onNumber(path, value)}>${String(value)}</button>`;
  } else if (typeof value === "string") shown = html`<span class="text">${JSON.stringify(value)}</span>`;
  else shown = html`<span class="word">${String(value)}</span>`;
  return html`<span class=${differs ? "changed" : undefined}>${shown}</span>${was}`;
}

function Branch({ value, path, old, onNumber, chosen }) {
  const list = Array.isArray(value);
  const members = list ? value.map((each, at) => [at, each]) : Object.entries(value);
  const [open, setOpen] = useState(members.length <= FOLDED);
  const ends = list ? "[]" : "{}";
  if (members.length === 0) return html`<span class="muted">${ends}</span>`;
  const fold = html`<button type="button" class="fold" aria-expanded=${open}
    aria-label=${path || t("ui.payload")} onClick=${() => setOpen(!open)}>${open ? "▾" : "▸"}</button>`;
  if (!open) {
    return html`<span style=${{ paddingLeft: "14px" }}>${fold}<span class="muted">${ends[0]}${t("ui.members", { n: members.length })}${ends[1]}</span></span>`;
  }
  return html`<span style=${{ paddingLeft: "14px" }}>${fold}<span class="muted">${ends[0]}</span></span>
    <ul>${members.slice(0, 2000).map(([name, member]) => {
    const before = old ? { value: old.value !== null && typeof old.value === "object" && Object.hasOwn(old.value, name) ? old.value[name] : undefined } : null;
    return html`<li key=${name}>${list ? html`<span class="muted">${name} </span>` : html`<span class="key">${name}</span><span class="muted">: </span>`}<${Tree}
        value=${member} path=${joinPath(path, name)} old=${before} onNumber=${onNumber} chosen=${chosen} /></li>`;
  })}</ul><span class="muted">${ends[1]}</span>`;
}

function hexDump(data) {
  const lines = [];
  const most = Math.min(data.length, 8192);
  for (let at = 0; at < most; at += 16) {
    const part = data.subarray(at, Math.min(at + 16, most));
    const hex = [...part].map((each) => each.toString(16).padStart(2, "0")).join(" ");
    const text = [...part].map((each) => (each >= 32 && each < 127 ? String.fromCharCode(each) : "·")).join("");
    lines.push(`${at.toString(16).padStart(6, "0")}  ${hex.padEnd(47)}  ${text}`);
  }
  if (data.length > most) lines.push("…");
  return html`<pre>${lines.join("\n")}</pre>`;
}
