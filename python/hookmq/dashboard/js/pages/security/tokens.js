// API tokens: for programs.
import {
  API, html, useState, t, format, path, post, remove, useList, attempt, confirm, Ago, Badge, Button, Card, Dialog, Empty, Field, Form,
  Notice, ProblemNotice, Snippet, Table,
} from "../../kit.js";
import { roleOptions } from "./accounts.js";

const DAY = 86_400;
const TIMES = { 0: "expires_0", [DAY]: "expires_day", [30 * DAY]: "expires_month", [365 * DAY]: "expires_year" };

export function Tokens() {
  const list = useList("tokens");
  const [open, setOpen] = useState(false);
  async function drop({ id, name }) {
    const sure = await confirm({ title: t("security.token_remove_title", { name }), text: t("security.token_remove_text"), action: t("security.user_remove") });
    if (sure && await attempt(() => remove(path("tokens", id)), t("security.token_removed", { name }))) list.reload();
  }
  const columns = [
    { key: "name", label: t("security.name"), sort: true, render: (one) => html`<b>${one.name}</b>` },
    { key: "role", label: t("security.role"), sort: true, render: (one) => html`<${Badge}>${t(`security.role_${one.role}`)}<//>` },
    { key: "last_used_at", label: t("security.last_used_at"), sort: true, hide: "sm", render: (one) => (one.last_used_at ? html`<${Ago} at=${one.last_used_at} />` : t("security.never")) },
    { key: "expires_at", label: t("security.expires_at"), sort: true, hide: "sm", render: (one) => (one.expires_at ? html`<${Ago} at=${one.expires_at} />` : t("security.never")) },
    { key: "created_at", label: t("security.created_at"), sort: true, hide: "md", render: (one) => format.dateTime(one.created_at) },
    { key: "acts", label: "", end: true, render: (one) => html`
      <${Button} small kind="danger" icon="trash" label=${`${t("security.user_remove")}: ${one.name}`} onClick=${() => drop(one)} />` },
  ];
  const api = new URL("overview", API);
  return html`
    <div class="row"><p class="muted grow">${t("security.tokens_about")}</p>
      <${Button} kind="primary" icon="plus" onClick=${() => { setOpen(true); }}>${t("security.token_add")}<//></div>
    <${ProblemNotice} problem=${list.problem} retry=${list.reload} />
    <${Card} flush><${Table} label=${t("security.tab_tokens")} columns=${columns} rows=${list.items} rowKey=${(one) => one.id} list=${list} sort="name"
      empty=${html`<${Empty} icon="security" title=${t("security.tab_tokens")} code=${`curl -H "Authorization: Bearer hmq_…" ${api}`}>${t("security.tokens_none")}<//>`} /><//>
    ${open && html`<${TokenDialog} onClose=${() => { setOpen(false); list.reload(); }} />`}`;
}

function TokenDialog({ onClose }) {
  const [about, setAbout] = useState({ name: "", role: "viewer", expires: String(30 * DAY) });
  const [token, setToken] = useState(null);
  const put = (name) => (value) => setAbout({ ...about, [name]: value });
  const make = () => attempt(async () => {
    const { name, role, expires } = about;
    const made = await post("tokens", { name, role, ...(Number(expires) ? { expires_in: Number(expires) } : {}) });
    setToken(made.token);
  });
  if (token) {
    return html`<${Dialog} title=${about.name} onClose=${onClose} footer=${html`<${Button} kind="primary" onClick=${() => { onClose(); }}>${t("security.done")}<//>`}>
      <${Notice} kind="warning">${t("security.token_made")}<//><${Snippet} code=${token} /><//>`;
  }
  return html`<${Dialog} title=${t("security.token_add")} onClose=${onClose}>
    <${Form} onSubmit=${make}>
      <${Field} label=${t("security.name")} value=${about.name} onInput=${put("name")} required />
      <${Field} label=${t("security.role")} type="select" value=${about.role} onInput=${put("role")} options=${roleOptions()} />
      <${Field} label=${t("security.expires_in")} type="select" value=${about.expires} onInput=${put("expires")}
        options=${Object.entries(TIMES).map(([seconds, text]) => [seconds, t(`security.${text}`)])} />
      <div class="row"><${Button} kind="primary" type="submit">${t("security.token_add")}<//></div>
    <//>
  <//>`;
}
