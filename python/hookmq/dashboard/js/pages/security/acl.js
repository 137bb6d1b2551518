// The access list: its text, with what is wrong where it is.
import {
  html, useEffect, useState, t, get, put, useGet, can, toast, Badge, Button, Card, Dialog, Empty, Loading, ProblemNotice,
} from "../../kit.js";
import { Changes } from "../../parts/changes.js";
import { Editor } from "../../parts/editor.js";

const SETTING = `[access]
acl_file = "acl"`;

const TOKEN = /(?<comment>#[^\n]*(?:\n|$))|(?<keyword>\b(?:allow|deny)\b)|(?<function>\b(?:publish|subscribe|subscribe-only|receive|all)\b(?=[\s,]))|(?<operator>\b(?:user|client|address|anonymous|any)\b)|(?<text>"(?:[^"\\\n]|\\.)*"?)|(?<name>[^\s"]+|\s+)/gu;

/** Cut an access list into what the editor colours. A `#` begins a comment only where a line begins. */
export function tokens(text) {
  return text.split(/(?<=\n)/u).flatMap((line) => {
    if (/^\s*#/u.test(line)) return [["comment", line]];
    return [...line.matchAll(TOKEN)].map((match) => {
      const [kind] = Object.entries(match.groups).find(([, value]) => value !== undefined);
      return [kind === "comment" ? "name" : kind, match[0]];
    });
  });
}

/** @param {{query: {line?: string}}} props `line` is to be shown */
export function AccessList({ query }) {
  const found = useGet("acl");
  const [text, setText] = useState(null);
  const [tag, setTag] = useState(null);
  const [problem, setProblem] = useState(null);
  const [wrong, setWrong] = useState(null);
  const [conflict, setConflict] = useState(null);
  const stored = found.data?.text;
  useEffect(() => { if (stored !== undefined) { setText(stored); setTag(found.etag); } }, [stored, found.etag]);
  useEffect(() => {
    if (!query.line || text === null) return;
    const area = document.getElementById("acl");
    const lines = text.split("\n");
    const start = lines.slice(0, query.line - 1).join("\n").length + (query.line > 1 ? 1 : 0);
    area?.focus();
    area?.setSelectionRange(start, start + (lines[query.line - 1]?.length ?? 0));
  }, [query.line, text === null]);
  if (found.problem?.status === 409 && found.data === null) {
    return html`<${Card}><${Empty} icon="security" title=${t("security.acl_file")} code=${SETTING}>${t("security.acl_no_file")}<//><//>`;
  }
  if (found.problem) return html`<${ProblemNotice} problem=${found.problem} retry=${found.reload} />`;
  if (text === null) return html`<${Loading} />`;
  const changed = text !== stored;

  async function save(over = tag) {
    setWrong(null);
    setProblem(null);
    try {
      const { data, etag } = await put.tagged("acl", { text }, { ifMatch: over });
      setConflict(null);
      found.setData(data, etag);
      toast(t("security.acl_saved"));
    } catch (error) {
      if (error.status === 412) setConflict(await get.tagged("acl"));
      else if (error.line) setProblem({ line: error.line, message: error.message });
      else setWrong(error);
    }
  }

  return html`
    <p class="muted">${t("security.acl_about")}</p>
    <${Card} title=${html`<code>${found.data.path}</code>`} actions=${changed && html`<${Badge} kind="warning">${t("security.unsaved")}<//>`}>
      <${Editor} id="acl" label=${t("security.acl_text")} value=${text} readOnly=${!can("admin")} problem=${problem} tokens=${tokens}
        placeOf=${(line) => t("security.line", { line })} onInput=${(typed) => { setText(typed); setProblem(null); }} />
      <${ProblemNotice} problem=${wrong} />
      <div class="row">
        <${Button} kind="primary" icon="check" disabled=${!changed} onClick=${() => save()}>${t("security.acl_save")}<//>
        ${changed && html`<${Button} kind="quiet" onClick=${() => { setText(stored); setProblem(null); }}>${t("security.acl_discard")}<//>`}
      </div>
    <//>
    ${conflict && html`<${Dialog} wide title=${t("security.acl_conflict_title")} onClose=${() => setConflict(null)} footer=${html`
      <${Button} onClick=${() => { found.setData(conflict.data, conflict.etag); setText(conflict.data.text); setConflict(null); }}>${t("security.acl_theirs")}<//>
      <${Button} kind="danger" sure onClick=${() => save(conflict.etag)}>${t("security.acl_mine")}<//>`}>
      <p>${t("security.acl_conflict_text")}</p>
      <${Changes} label=${t("security.acl_conflict_title")} before=${conflict.data.text} after=${text} />
    <//>`}`;
}
