// Dashboards as files: what is exported is what is imported, and problems are told by member.
import { Button, Dialog, Field, Snippet, get, html, path, post, t, useState } from "../kit.js";
import { content } from "./board.js";

const LARGEST = 1024 * 1024;

/** Hands over a dashboard as a file. */
export function download(doc) {
  const url = URL.createObjectURL(new Blob([`${JSON.stringify(content(doc), null, 2)}\n`], { type: "application/json" }));
  const link = document.createElement("a");
  link.href = url;
  link.download = `${doc.title.replace(/[^\p{L}\p{N}]+/gu, "-").replace(/^-|-$/g, "").slice(0, 60) || "dashboard"}.json`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

export async function downloadOf(id) {
  download(await get(path("dashboards", id)));
}

/** Asks for a file, or its text, and makes a dashboard of it: `onDone(dashboard)`. */
export function Import({ onDone, onClose }) {
  const [text, setText] = useState("");
  const [problem, setProblem] = useState("");
  const [mark, setMark] = useState("");

  async function choose(event) {
    const file = event.currentTarget.files[0];
    if (!file) return;
    if (file.size > LARGEST) return setProblem(t("dashboards.import_large"));
    setProblem("");
    setText(await file.text());
  }
  async function load() {
    setProblem("");
    setMark("");
    let doc;
    try {
      doc = JSON.parse(text.replace(/^\uFEFF/, ""));
    } catch (error) {
      setProblem(t("dashboards.import_json", { reason: error.message }));
      return;
    }
    try {
      onDone(await post("dashboards", doc));
    } catch (refused) {
      setProblem([refused.message, refused.help].filter(Boolean).join(" "));
      setMark(memberAt(doc, refused.message));
    }
  }
  return html`<${Dialog} wide title=${t("dashboards.import")} onClose=${onClose} footer=${html`
    <${Button} onClick=${() => { onClose(); }}>${t("ui.cancel")}<//><${Button} kind="primary" disabled=${!text.trim()} onClick=${load}>${t("dashboards.import_do")}<//>`}>
    <${Field} label=${t("dashboards.import_file")}><input class="input" type="file" accept="application/json,.json" aria-label=${t("dashboards.import_file")} onChange=${choose} /><//>
    <${Field} label=${t("dashboards.import_text")} type="textarea" rows="12" mono value=${text} onInput=${setText} error=${problem} />
    ${mark && html`<${Snippet} code=${mark} />`}
  <//>`;
}

/** The part of a document that a message names, as in "`widgets[3].topic` is …". */
export function memberAt(doc, message) {
  const named = /`([A-Za-z_][\w.[\]]*)`/.exec(message ?? "")?.[1];
  const widget = /^widgets\[(\d+)\]/.exec(named ?? "");
  const found = widget ? doc?.widgets?.[Number(widget[1])] : undefined;
  return found === undefined ? "" : `widgets[${widget[1]}]: ${JSON.stringify(found, null, 2).slice(0, 2000)}`;
}
