// Accounts of people who use this dashboard, and one's own password.
import {
  html, useState, t, can, format, get, patch, path, post, put, remove, session, useList, attempt, confirm, Ago, Badge, Button,
  Card, Dialog, Empty, Field, Notice, ProblemNotice, Table,
} from "../../kit.js";
import { PasswordForm } from "./passwords.js";

const ROLES = ["viewer", "operator", "admin"];

/** The options of a choice of roles. */
export const roleOptions = () => ROLES.map((role) => [role, `${t(`security.role_${role}`)}: ${t(`security.role_${role}_may`)}`]);

export function Accounts() {
  const own = session.value?.user;
  return html`<p class="muted">${t("security.accounts_about")}</p>
    ${own?.via === "session" && html`<${OwnPassword} />`}
    ${can("admin") ? html`<${All} own=${own} />` : html`<${Notice} kind="info">${t("security.admin_only")}<//>`}`;
}

/** Asks again who is there: what was changed may have been one's own account. */
const lookAgain = async () => { session.value = await get("session"); };

function All({ own }) {
  const list = useList("accounts");
  const [open, setOpen] = useState(null);
  const first = list.items.length === 0;
  const saved = () => { setOpen(null); list.reload(); lookAgain(); };
  async function drop({ name }) {
    const sure = await confirm({ title: t("security.account_remove_title", { name }), text: t("security.account_remove_text"), action: t("security.user_remove") });
    if (sure && await attempt(() => remove(path("accounts", name)), t("security.user_removed", { name }))) saved();
  }
  const change = async ({ name }, role) => {
    const done = t("security.role_changed", { name, role: t(`security.role_${role}`) });
    // Also when it was refused: the choice shows what is there.
    await attempt(() => patch(path("accounts", name), { role }), done);
    saved();
  };
  const columns = [
    { key: "name", label: t("security.name"), sort: true, render: (one) => html`<span class="row tight nowrap"><b class="clip">${one.name}</b>
      ${own?.name === one.name && html`<${Badge} kind="accent">${t("security.account_you")}<//>`}</span>` },
    { key: "role", label: t("security.role"), sort: true, render: (one) => html`<${Field} label=${`${t("security.role")}: ${one.name}`} hideLabel type="select"
      value=${one.role} onInput=${(role) => change(one, role)} options=${ROLES.map((role) => [role, t(`security.role_${role}`)])} />` },
    { key: "last_login_at", label: t("security.last_login_at"), sort: true, hide: "sm", render: (one) => (one.last_login_at ? html`<${Ago} at=${one.last_login_at} />` : t("security.never")) },
    { key: "created_at", label: t("security.created_at"), sort: true, hide: "md", render: (one) => format.dateTime(one.created_at) },
    { key: "acts", label: "", end: true, render: (one) => html`<span class="row tight nowrap acts">
      <${Button} small icon="edit" label=${`${t("security.user_password")}: ${one.name}`} onClick=${() => { setOpen({ name: one.name }); }} />
      <${Button} small kind="danger" icon="trash" label=${`${t("security.user_remove")}: ${one.name}`} onClick=${() => drop(one)} /></span>` },
  ];
  const add = html`<${Button} kind="primary" icon="plus" onClick=${() => { setOpen({ name: null }); }}>${t(first ? "security.account_first" : "security.account_add")}<//>`;
  return html`
    ${!first && html`<div>${add}</div>`}
    <${ProblemNotice} problem=${list.problem} retry=${list.reload} />
    <${Card} flush><${Table} label=${t("security.tab_accounts")} columns=${columns} rows=${list.items} rowKey=${(one) => one.name} list=${list} sort="name"
      empty=${html`<${Empty} icon="user" title=${t("security.account_first")} actions=${add}>${t("security.accounts_none")}<//>`} /><//>
    ${open && html`<${AccountDialog} name=${open.name} first=${first} onClose=${() => setOpen(null)} onSaved=${saved} />`}`;
}

function AccountDialog({ name: known, first, onClose, onSaved }) {
  const [name, setName] = useState("");
  const [role, setRole] = useState(first ? "admin" : "viewer");
  const save = async (password) => {
    const work = () => (known ? patch(path("accounts", known), { password }) : post("accounts", { name, password, role }));
    if (await attempt(work, t("security.user_saved", { name: known ?? name }))) onSaved();
  };
  return html`<${Dialog} title=${known ? t("security.user_password_of", { name: known }) : t("security.account_add")} onClose=${onClose}>
    <${PasswordForm} action=${t("security.save")} onSubmit=${save}>
      ${!known && html`<${Field} label=${t("security.name")} value=${name} onInput=${setName} required autocomplete="username" />
        <${Field} label=${t("security.role")} type="select" value=${role} onInput=${setRole} options=${roleOptions().filter(([one]) => !first || one === "admin")} />`}
    <//>
  <//>`;
}

function OwnPassword() {
  const [open, setOpen] = useState(false);
  const [old, setOld] = useState("");
  const save = async (fresh) => {
    if (!await attempt(() => put("session/password", { old, new: fresh }), t("security.password_changed"))) return;
    setOpen(false);
    setOld("");
  };
  return html`<div><${Button} icon="edit" onClick=${() => { setOpen(true); }}>${t("security.own_password")}<//></div>
    ${open && html`<${Dialog} title=${t("security.own_password")} onClose=${() => setOpen(false)}>
      <${PasswordForm} action=${t("security.save")} onSubmit=${save}>
        <${Field} label=${t("security.old_password")} type="password" autocomplete="current-password" value=${old} onInput=${setOld} required />
      <//>
    <//>`}`;
}
