// One client: its connection, its session, what it has subscribed to, and its Will.
import {
  html, useGet, href, go, t, format, can, Ago, Badge, Button, Card, Empty, Facts, Loading, Page, ProblemNotice, Stat,
} from "../../kit.js";
import { ban, BanDialog, disconnect, endSession } from "./acts.js";
import { lastQuery } from "./list.js";

const { bytes, compact, dateTime, duration } = format;

export function Detail({ id }) {
  const found = useGet(path(id), {}, { every: 2 });
  const client = found.data;
  const back = html`<${Button} icon="left" href=${href("clients", lastQuery)}>${t("clients.title")}<//>`;
  if (found.problem?.status === 404) {
    return html`<${Page} title=${id} actions=${back}><${Card}><${Empty} icon="search" title=${t("clients.not_found", { client: id })} /><//><//>`;
  }
  if (!client) {
    return html`<${Page} title=${id} actions=${back}>${found.problem
      ? html`<${ProblemNotice} problem=${found.problem} retry=${found.reload} />` : html`<${Loading} />`}<//>`;
  }
  const acts = can("operator") && html`
    ${client.connected && html`<${Button} icon="logout" onClick=${() => disconnect(id, found.reload)}>${t("clients.disconnect")}<//>`}
    <${Button} kind="danger" icon="trash" onClick=${() => endSession(client, () => go("clients", lastQuery))}>${t("clients.end")}<//>
    <${Button} kind="danger" icon="ban" onClick=${() => { ban("client", id, found.reload); }}>${t("clients.ban")}<//>`;
  const state = html`<${Badge} kind=${client.connected ? "ok" : ""}>${t(client.connected ? "clients.connected" : "clients.absent")}<//>
    ${" "}<${Ago} at=${client.connected ? client.connected_at : client.disconnected_at} />`;
  return html`<${Page} title=${id} about=${state} actions=${html`${back}${acts}`}>
    <${ProblemNotice} problem=${found.problem} retry=${found.reload} />
    <div class="stats">
      <${Stat} label=${t("clients.received")} value=${compact(client.received)} />
      <${Stat} label=${t("clients.sent")} value=${compact(client.sent)} />
      <${Stat} label=${t("clients.queued")} value=${compact(client.queued)} unit=${client.queued_bytes ? bytes(client.queued_bytes) : null} />
      <${Stat} label=${t("clients.inflight")} value=${compact(client.inflight)} />
      <${Stat} label=${t("clients.subscriptions")} value=${compact(client.subscriptions)} />
    </div>
    <div class="grid2">
      <${Card} title=${t("clients.session")}><${Facts} items=${facts(client)} /><//>
      <${Card} title=${t("clients.will")}>${client.will ? html`<${Will} will=${client.will} />`
        : html`<p class="muted">${t("clients.will_none")}</p>`}<//>
    </div>
    <${Card} title=${t("clients.filters")} flush><${Filters} filters=${client.filters ?? []} /><//>
    <${BanDialog} />
  <//>`;
}

const path = (id) => `clients/${encodeURIComponent(id)}`;

const facts = (client) => [
  [t("clients.username"), client.username ?? t("clients.anonymous")],
  [t("clients.principal"), client.principal && client.principal !== client.username ? client.principal : null],
  [t("clients.address"), client.connected ? html`<a href=${href("clients", { address: client.address })}>${client.address}</a>:${client.port}` : null],
  [t("clients.listener"), client.listener],
  [t("clients.version"), client.version],
  [t("clients.keep_alive"), client.connected ? duration(client.keep_alive) : null],
  [t("clients.clean_start"), client.clean_start === undefined ? null : t(client.clean_start ? "clients.yes" : "clients.no")],
  [t("clients.connected_at"), client.connected_at ? dateTime(client.connected_at) : null],
  [t("clients.disconnected_at"), !client.connected && client.disconnected_at ? dateTime(client.disconnected_at) : null],
  [t("clients.expires_at"), client.expires_at ? dateTime(client.expires_at) : client.connected ? null : t("clients.never")],
];

function Will({ will }) {
  return html`<p><code class="break">${will.topic}</code></p><div class="row tight"><${Badge}>QoS ${will.qos}<//>
    ${will.retain && html`<${Badge} kind="accent">${t("clients.retain")}<//>`}
    ${will.delay > 0 && html`<${Badge}>${t("clients.will_delay", { time: duration(will.delay) })}<//>`}</div>`;
}

function Filters({ filters }) {
  if (filters.length === 0) return html`<${Empty} icon="subscriptions" title=${t("clients.filters_none")} />`;
  return html`<ul class="client-filters">${filters.map((one) => html`<li key=${`${one.shared ?? ""} ${one.filter}`}>
    <code class="break">${one.filter}</code>
    <span class="row tight"><${Badge}>QoS ${one.qos}<//>${one.shared && html`<${Badge} kind="accent">${t("clients.shared", { name: one.shared })}<//>`}
      ${one.no_local && html`<${Badge}>no local<//>`}${one.retain_as_published && html`<${Badge}>retain as published<//>`}
      ${one.identifier && html`<${Badge}>id ${one.identifier}<//>`}</span></li>`)}</ul>`;
}
