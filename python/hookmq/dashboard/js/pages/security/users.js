// Users of MQTT clients, as the users file has them.
import {
  html, useState, t, path, put, remove, useGet, useList, attempt, confirm, Badge, Button, Card, Dialog, Empty, Field, ProblemNotice, Table,
} from "../../kit.js";
import { PasswordForm } from "./passwords.js";

const SETTING = `[access]
users_file = "users"`;

export function Users() {
  const list = useList("users");
  const file = useGet("security").data?.users_file;
  const [open, setOpen] = useState(null);
  if (list.problem?.status === 409 && !file) {
    return html`<${Card}><${Empty} icon="security" title=${t("security.users_file")} code=${SETTING}>${t("security.users_no_file")}<//><//>`;
  }
  async function drop({ name }) {
    const sure = await confirm({ title: t("security.user_remove_title", { name }), text: t("security.user_remove_text"), action: t("security.user_remove") });
    if (sure && await attempt(() => remove(path("users", name)), t("security.user_removed", { name }))) list.reload();
  }
  const columns = [
    { key: "name", label: t("security.user"), sort: true, render: (user) => html`<b>${user.name}</b>` },
    { key: "methods", label: t("security.methods"), render: (user) => html`<span class="row tight nowrap">${user.methods.map((one) => html`<${Badge} key=${one}>${one}<//>`)}</span>` },
    { key: "acts", label: "", end: true, render: (user) => html`<span class="row tight nowrap acts">
      <${Button} small icon="edit" label=${`${t("security.user_password")}: ${user.name}`} onClick=${() => { setOpen({ name: user.name }); }} />
      <${Button} small kind="danger" icon="trash" label=${`${t("security.user_remove")}: ${user.name}`} onClick=${() => drop(user)} /></span>` },
  ];
  return html`
    <div class="row"><p class="muted grow">${t("security.users_about", { file: file ?? "" })}</p>
      <${Button} kind="primary" icon="plus" onClick=${() => { setOpen({ name: null }); }}>${t("security.user_add")}<//></div>
    <${ProblemNotice} problem=${list.problem} retry=${list.reload} />
    <${Card} flush><${Table} label=${t("security.tab_users")} columns=${columns} rows=${list.items} rowKey=${(user) => user.name} list=${list} sort="name"
      empty=${html`<${Empty} icon="user" title=${t("security.users_none")} />`} /><//>
    ${open && html`<${UserDialog} name=${open.name} onClose=${() => setOpen(null)} onSaved=${() => { setOpen(null); list.reload(); }} />`}`;
}

function UserDialog({ name: known, onClose, onSaved }) {
  const [typed, setTyped] = useState("");
  const name = known ?? typed;
  const title = known ? t("security.user_password_of", { name }) : t("security.user_add");
  const save = async (password) => {
    if (await attempt(() => put(path("users", name), { password }), t("security.user_saved", { name }))) onSaved();
  };
  return html`<${Dialog} title=${title} onClose=${onClose}>
    <${PasswordForm} action=${t("security.save")} onSubmit=${save}>
      ${!known && html`<${Field} label=${t("security.name")} value=${typed} onInput=${setTyped} required />`}
    <//>
  <//>`;
}
