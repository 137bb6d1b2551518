// Settings: of this browser, and of the broker with where each comes from.
import {
  html, route, setQuery, useEffect, useState, useGet, useSettled, t, format, language, can, post, attempt, confirm, theme, Badge, Button, Card, Check, Copy,
  Empty, Facts, Loading, Page, ProblemNotice, Search, Segments, Table,
} from "../kit.js";
import { LANGUAGES, setLanguage } from "../core/i18n.js";

const { dateTime, duration, number } = format;

export default function Settings() {
  return html`<${Page} title=${t("settings.title")} actions=${can("admin") && html`<${Button} icon="refresh" onClick=${() => reload()}>${t("settings.reload")}<//>`}>
    <div class="grid2"><${Here} /><${Broker} /></div>
    <${Values} />
  <//>`;
}

async function reload() {
  const sure = await confirm({ title: t("settings.reload_title"), text: t("settings.reload_text"), action: t("settings.reload"), danger: false });
  if (sure) await attempt(() => post("reload"), t("settings.reloaded"));
}

function Here() {
  return html`<${Card} title=${t("settings.here")}>
    <div class="field"><span class="label">${t("settings.language")}</span><div>
      <${Segments} label=${t("settings.language")} value=${language.value} onChange=${setLanguage} options=${Object.entries(LANGUAGES)} /></div></div>
    <div class="field"><span class="label">${t("settings.theme")}</span><div>
      <${Segments} label=${t("settings.theme")} value=${theme.value} onChange=${(value) => { theme.value = value; }}
        options=${["system", "light", "dark"].map((one) => [one, t(`settings.theme_${one}`)])} /></div></div>
  <//>`;
}

function Broker() {
  const found = useGet("broker", {}, { every: 10 });
  const about = found.data;
  if (found.problem) return html`<${ProblemNotice} problem=${found.problem} retry=${found.reload} />`;
  if (!about) return html`<${Card} title=${t("settings.broker")}><${Loading} /><//>`;
  const { history } = about;
  return html`<${Card} title=${t("settings.broker")}><${Facts} items=${[
    [t("settings.version"), `HookMQ ${about.version}`],
    [t("settings.python"), about.python],
    [t("settings.platform"), about.platform],
    [t("settings.hostname"), about.hostname],
    [t("settings.pid"), String(about.pid)],
    [t("settings.started_at"), dateTime(about.started_at)],
    [t("settings.uptime"), duration(about.uptime)],
    [t("settings.app"), about.app],
    [t("settings.data_dir"), about.data_dir ?? t("settings.in_memory")],
    [t("settings.history"), history?.enabled ? html`${history.url && html`<code>${history.url}</code> · `}${t("settings.history_rows", { rows: number(history.rows) })}` : t("settings.history_off")],
    [t("settings.listeners"), html`<ul class="stack tight">${about.listeners.map((one) => html`<li key=${one.url}><code>${one.url}</code>
      ${" "}<span class="muted">${t("settings.clients", { n: one.clients, count: number(one.clients) })}</span></li>`)}</ul>`],
  ]} /><//>`;
}

function Values() {
  const found = useGet("settings", { language: language.value });
  const { query } = route.value;
  const [typed, setTyped] = useState(query.search ?? "");
  const [changed, setChanged] = useState(query.changed === "1");
  const settled = useSettled(typed);
  const search = settled.toLowerCase();
  useEffect(() => { setQuery({ search: settled, changed: changed ? "1" : "" }); }, [settled, changed]);
  if (found.problem) return html`<${ProblemNotice} problem=${found.problem} retry=${found.reload} />`;
  if (!found.data) return html`<${Loading} />`;
  const shown = found.data.items.filter((one) => (!changed || one.origin !== "default")
    && [one.key, one.help].some((text) => text.toLowerCase().includes(search)));
  return html`<section class="stack">
    <h2>${t("settings.values")}</h2><p class="muted">${t("settings.origin_help")}</p>
    <div class="row"><${Search} value=${typed} placeholder=${t("settings.search")} onInput=${setTyped} />
      <${Check} label=${t("settings.only_changed")} checked=${changed} onChange=${setChanged} /></div>
    <${Card} flush><${Table} label=${t("settings.values")} columns=${columns()} rows=${shown} rowKey=${(one) => one.key} sort="key"
      empty=${html`<${Empty} icon="search" title=${t("settings.none")} />`} /><//>
  </section>`;
}

const columns = () => [
  { key: "key", label: t("settings.key"), sort: true, render: (one) => html`<span class="setting-key"><code title=${one.help}>${one.key}</code><${Copy} text=${one.key} /></span>` },
  { key: "value", label: t("settings.value"), render: (one) => shown(one.value) },
  { key: "default", label: t("settings.default"), hide: "md", render: (one) => html`<span class="muted">${shown(one.default)}</span>` },
  { key: "origin", label: t("settings.origin"), sort: true, hide: "sm", render: (one) => html`<${Badge} kind=${one.origin === "default" ? "" : "accent"}>${one.origin}<//>` },
  { key: "help", label: t("settings.help"), hide: "md", render: (one) => html`<span class="muted" title=${one.help}>${one.help}</span>` },
];

function shown(value) {
  if (value === null || value === undefined || value === "") return html`<span class="muted">${t("settings.unset")}</span>`;
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return html`<code title=${text}>${text}</code>`;
}
