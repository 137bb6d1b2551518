// The list of clients: searched, filtered and sorted by the broker, page by page, and live where it is looked at.
import {
  html, useEffect, useMemo, useState, useList, useLive, useSettled, go, setQuery, t, format, can, Ago, Badge, Button,
  Card, Empty, Field, Menu, ProblemNotice, Search, Segments, Table,
} from "../../kit.js";
import { ban, disconnect, endSession } from "./acts.js";

const { compact, number } = format;

const PAGE = 100;
const WATCHED = 200;
const EXACT = ["username", "address", "listener"];

/** The query of the list that was looked at last: the way back from a client leads there. */
export let lastQuery = {};

/** @param {{query: object}} props what the address asks for */
export function List({ query }) {
  const { search = "", connected = "", version = "", sort = "client_id" } = query;
  const [typed, setTyped] = useState(search);
  const settled = useSettled(typed);
  useEffect(() => { setQuery({ search: settled }); }, [settled]);
  useEffect(() => { lastQuery = query; }, [query]);
  const exact = Object.fromEntries(EXACT.map((name) => [name, query[name]]));
  const list = useList("clients", { search: settled, connected, version, sort, ...exact });
  const items = useFresh(list);
  const acts = can("operator");
  const filtered = Boolean(settled || connected || version || EXACT.some((name) => query[name]));

  const empty = filtered ? html`<${Empty} icon="search" title=${t("clients.none")} />`
    : html`<${Empty} icon="clients" title=${t("clients.empty_title")} code=${example()}>${t("clients.empty_text")}<//>`;
  return html`
    <div class="row">
      <${Search} value=${typed} placeholder=${t("clients.search")} onInput=${setTyped} />
      <${Segments} label=${t("clients.connected_filter")} value=${connected} onChange=${(value) => setQuery({ connected: value })}
        options=${[["", t("clients.any")], ["true", t("clients.only_connected")], ["false", t("clients.only_absent")]]} />
      <${Field} label=${t("clients.version_filter")} hideLabel type="select" value=${version} onInput=${(value) => setQuery({ version: value })}
        options=${[["", `${t("clients.version")}: ${t("clients.any")}`], ...["5.0", "3.1.1", "3.1"].map((one) => [one, `MQTT ${one}`])]} />
      ${EXACT.filter((name) => query[name]).map((name) => html`<${Button} key=${name} small icon="close"
        onClick=${() => { setQuery({ [name]: "" }); }}>${t(`clients.${name}`)}: ${query[name]}<//>`)}
    </div>
    <${ProblemNotice} problem=${list.problem} retry=${list.reload} />
    <${Card} flush>
      <${Table} label=${t("clients.title")} columns=${columns(acts, list)} rows=${items} rowKey=${(client) => client.client_id}
        sort=${sort} onSort=${(value) => setQuery({ sort: value })} list=${list} onOpen=${(client) => go("clients", client.client_id)} empty=${empty} />
    <//>`;
}

/** The items of a list as they are now, as far as the feed tells; and the list anew when clients come and go. */
function useFresh(list) {
  const ids = list.items.slice(0, WATCHED).map((client) => client.client_id);
  const live = useLive(ids.length ? "clients" : null, { ids });
  const totals = useLive("overview").value?.totals;
  const count = useSettled(totals ? `${totals.clients} ${totals.sessions}` : "", 1000);
  useEffect(() => {
    // Also the first time: somebody may have come since the list was made. Further pages would be lost: whoever has
    // scrolled there looks at what was there.
    if (count && list.items.length <= PAGE) list.reload();
  }, [count]);
  const now = live.value?.items;
  return useMemo(() => (now ? list.items.map((client) => ({ ...client, ...now[client.client_id] })) : list.items), [list.items, now]);
}

function columns(acts, list) {
  return [
    { key: "client_id", label: t("clients.client_id"), sort: true, render: (client) => html`<span class="client-name">
      <i class=${`dot ${client.connected ? "on" : ""}`} title=${t(client.connected ? "clients.connected" : "clients.absent")}></i>
      <span class="sr">${t(client.connected ? "clients.connected" : "clients.absent")}</span>
      <span class="clip" title=${client.client_id}>${client.client_id}</span></span>` },
    { key: "username", label: t("clients.username"), hide: "sm", render: (client) => client.username
      ?? html`<span class="muted">${t("clients.anonymous")}</span>` },
    { key: "address", label: t("clients.address"), hide: "md", render: (client) => (client.connected
      ? html`<span class="num" title=${`${client.address}:${client.port}`}>${client.address}</span>` : "–") },
    { key: "version", label: t("clients.version"), hide: "sm", render: (client) => html`<${Badge}>${client.version}<//>` },
    { key: "connected_at", label: t("clients.connected_at"), sort: true, hide: "sm",
      render: (client) => html`<${Ago} at=${client.connected ? client.connected_at : client.disconnected_at} />` },
    { key: "subscriptions", label: t("clients.subscriptions"), end: true, hide: "md", render: (client) => number(client.subscriptions) },
    { key: "queued", label: t("clients.queued"), end: true, sort: true, hide: "sm", render: (client) => (client.queued
      ? html`<${Badge} kind="warning">${compact(client.queued)}<//>` : "0") },
    { key: "received", label: t("clients.received"), end: true, sort: true, hide: "sm", render: (client) => compact(client.received) },
    { key: "sent", label: t("clients.sent"), end: true, sort: true, hide: "sm", render: (client) => compact(client.sent) },
    acts && { key: "acts", label: "", end: true, render: (client) => html`<${Menu} small label=${`${t("clients.actions")}: ${client.client_id}`} items=${[
      client.connected && { label: t("clients.disconnect"), icon: "logout", onSelect: () => disconnect(client.client_id, list.reload) },
      { label: t("clients.end"), icon: "trash", danger: true, onSelect: () => endSession(client, list.reload) },
      { label: t("clients.ban"), icon: "ban", danger: true, onSelect: () => ban("client", client.client_id, list.reload) },
    ]} />` },
  ].filter(Boolean);
}

const example = () => `hookmq sub -h ${location.hostname} -t "demo/#" -v`;
