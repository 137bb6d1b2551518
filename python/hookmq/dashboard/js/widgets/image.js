// A payload that is a picture: PNG, JPEG, GIF, WebP or SVG, as bytes, base64 or a data: URL. SVG is shown as an
// image only, so nothing in it runs.
import { html, useEffect, useState } from "../core/html.js";
import { moment } from "../core/format.js";
import { t } from "../core/i18n.js";

const MAGIC = [
  ["image/png", [0x89, 0x50, 0x4e, 0x47]],
  ["image/jpeg", [0xff, 0xd8, 0xff]],
  ["image/gif", [0x47, 0x49, 0x46, 0x38]],
];

export default function Image({ widget, data }) {
  const [shown, setShown] = useState({ url: "", problem: false });
  const source = data.payload_base64 ?? data.value;
  useEffect(() => {
    const blob = pictureOf(data);
    if (!blob) return setShown({ url: "", problem: true });
    const url = URL.createObjectURL(blob);
    setShown({ url, problem: false });
    return () => setTimeout(() => URL.revokeObjectURL(url), 1000);
  }, [source, data.at]);
  if (shown.problem) return html`<div class="w-hint" role="note">${t("widgets.no_picture")}</div>`;
  if (!shown.url) return null;
  return html`<img class="w-image" data-fit=${widget.options?.fit ?? "contain"} src=${shown.url} onError=${() => setShown({ url: "", problem: true })}
    alt=${t("widgets.picture_of", { topic: data.topic ?? widget.topic, time: moment(data.at) })} />`;
}

/** The picture of what came, or null if it is none. */
export function pictureOf({ payload_base64: base64, value }) {
  let bytes = base64 ? fromBase64(base64) : typeof value === "string" ? new TextEncoder().encode(value) : null;
  if (bytes && !typeOf(bytes)) bytes = inner(new TextDecoder().decode(bytes));
  const type = bytes && typeOf(bytes);
  return type ? new Blob([bytes], { type }) : null;
}

/** What a text of base64, or a data: URL, contains. */
function inner(text) {
  return fromBase64(/^\s*data:image\/[a-z0-9.+-]+;base64,(.+)$/is.exec(text)?.[1] ?? text);
}

function fromBase64(text) {
  try {
    const plain = text.replace(/\s+/g, "").replace(/-/g, "+").replace(/_/g, "/");
    return Uint8Array.from(atob(plain), (letter) => letter.charCodeAt(0));
  } catch {
    return null;
  }
}

/** The type that the first bytes of a picture tell, whatever was said about it; "" if it is none. */
export function typeOf(bytes) {
  for (const [type, magic] of MAGIC) if (magic.every((byte, index) => bytes[index] === byte)) return type;
  const head = new TextDecoder().decode(bytes.subarray(0, 512));
  if (head.startsWith("RIFF") && head.includes("WEBP")) return "image/webp";
  return /^\s*(<\?xml[^>]*>\s*|<!--[\s\S]*?-->\s*|<!DOCTYPE svg[^>]*>\s*)*<svg[\s>]/i.test(head) ? "image/svg+xml" : "";
}
