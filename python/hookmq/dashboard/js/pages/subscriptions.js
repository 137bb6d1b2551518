// Subscriptions: all of them, and who would receive a message of a topic.
import {
  html, useEffect, useState, useList, useSettled, href, setQuery, t, format, Badge, Button, Card, Empty, Field, Form, Page,
  ProblemNotice, Search, Table,
} from "../kit.js";

const { number } = format;

export default function Subscriptions({ query }) {
  const [typed, setTyped] = useState(query.search ?? "");
  const search = useSettled(typed);
  useEffect(() => { setQuery({ search }); }, [search]);
  const list = useList("subscriptions", { search, client: query.client });
  const empty = search || query.client ? html`<${Empty} icon="search" title=${t("subscriptions.none")} />`
    : html`<${Empty} icon="subscriptions" title=${t("subscriptions.empty_title")}
      code=${`hookmq sub -h ${location.hostname} -t "demo/#" -v`}>${t("subscriptions.empty_text")}<//>`;
  return html`<${Page} title=${t("subscriptions.title")}>
    <${Receivers} topic=${query.topic ?? ""} />
    <div class="row"><${Search} value=${typed} placeholder=${t("subscriptions.search")} onInput=${setTyped} />
      ${query.client && html`<${Button} small icon="close" onClick=${() => { setQuery({ client: "" }); }}>${t("subscriptions.client")}: ${query.client}<//>`}
      <${Button} kind="quiet" icon="refresh" label=${t("subscriptions.refresh")} onClick=${() => { list.reload(); }} /></div>
    <${ProblemNotice} problem=${list.problem} retry=${list.reload} />
    <${Card} flush title=${t("subscriptions.list")}>
      <${Table} label=${t("subscriptions.list")} columns=${columns()} rows=${list.items} rowKey=${keyOf} list=${list} empty=${empty} />
    <//>
  <//>`;
}

const keyOf = (one) => JSON.stringify([one.client_id, one.shared, one.filter]);

const columns = () => [
  { key: "filter", label: t("subscriptions.filter"), render: (one) => html`<code title=${one.filter}>${one.filter}</code>` },
  { key: "client_id", label: t("subscriptions.client"), render: (one) => html`<${ClientLink} one=${one} />` },
  { key: "qos", label: t("subscriptions.qos"), end: true },
  { key: "options", label: t("subscriptions.options"), hide: "sm", render: (one) => html`<span class="row tight nowrap">
    ${one.shared && html`<${Badge} kind="accent">${t("subscriptions.shared", { name: one.shared })}<//>`}
    ${one.no_local && html`<${Badge}>${t("subscriptions.no_local")}<//>`}
    ${one.identifier && html`<${Badge}>${t("subscriptions.identifier", { number: one.identifier })}<//>`}</span>` },
];

function ClientLink({ one }) {
  const state = t(one.connected ? "subscriptions.connected" : "subscriptions.absent");
  return html`<span class="client-name"><i class=${`dot ${one.connected ? "on" : ""}`} title=${state}></i><span class="sr">${state}</span>
    <a class="clip" href=${href("clients", one.client_id)}>${one.client_id}</a></span>`;
}

function Receivers({ topic }) {
  const [typed, setTyped] = useState(topic);
  const list = useList(topic ? "receivers" : null, { topic });
  const { hooks = [], rules = [], bridges = [] } = list.extra;
  const answered = topic && !list.problem && (list.items.length > 0 || !list.loading);
  const group = (name, found) => found.length > 0 && html`<div class="receivers-group"><h3>${t(`subscriptions.${name}`)}</h3>
    <ul class="row tight">${found.map((one) => html`<li key=${one}><a class="badge accent" href=${href(name, ...(name === "bridges" ? [] : [one]))}>${one}</a></li>`)}</ul></div>`;
  return html`<${Card} title=${t("subscriptions.who")}>
    <p class="muted">${t("subscriptions.who_text")}</p>
    <${Form} class="row receivers-ask" onSubmit=${() => setQuery({ topic: typed })}>
      <${Field} class="grow" label=${t("subscriptions.topic")} hideLabel mono placeholder="plant/north/state" value=${typed} onInput=${setTyped} />
      <${Button} kind="primary" type="submit" disabled=${!typed}>${t("subscriptions.ask")}<//>
    <//>
    <${ProblemNotice} problem=${list.problem} retry=${list.reload} />
    <div class="stack" aria-live="polite">${answered && html`
      <p><strong>${list.items.length === 0 ? t("subscriptions.receivers_none")
        : t("subscriptions.receivers", { n: list.total ?? list.items.length, count: number(list.total ?? list.items.length) })}</strong>
        ${list.items.some((one) => one.shared) && html`${" "}<span class="muted">${t("subscriptions.groups")}</span>`}</p>
      ${list.items.length > 0 && html`<${Table} label=${t("subscriptions.who")} columns=${columns()} rows=${list.items} rowKey=${keyOf} list=${list} height="280px" />`}
      ${group("hooks", hooks)} ${group("rules", rules)} ${group("bridges", bridges)}`}</div>
  <//>`;
}
