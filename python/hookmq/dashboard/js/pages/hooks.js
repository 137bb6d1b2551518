// The functions of the user's program: what each is told, how long it takes, and where it goes wrong.
import {
  html, useState, t, useLive, go, route, setQuery, Badge, Button, Card, Empty, Loading, Notice, Page, Field,
  Search, Sparkline, Table, format,
} from "../kit.js";
import { Detail } from "./hooks/detail.js";
import { Pause } from "../parts/pause.js";
import { useRates } from "../parts/rates.js";

const { compact, duration, rate: perSecond } = format;

const EXAMPLE = `# app.py
from hookmq import Broker

broker = Broker()


@broker.on_message_received("tank/{tank}/level")
def watch(msg, tank):
    if msg.json()["level"] < 20:
        broker.publish(f"tank/{tank}/alert", {"low": True}, retain=True)


broker.run()`;

export default function Hooks() {
  const live = useLive("hooks");
  const hooks = live.value?.items ? Object.values(live.value.items) : null;
  const rates = useRates(() => Object.fromEntries(
    Object.values(live.data.peek()?.items ?? {}).map((hook) => [hook.id, hook.calls]),
  ));
  const name = route.value.parts[0];
  if (name === undefined) return html`<${List} hooks=${hooks} rates=${rates} problem=${live.problem.value} />`;
  const hook = hooks?.find((one) => one.id === name);
  return html`<${Detail} key=${name} name=${name} hook=${hook} known=${hooks !== null} rate=${rates.of(name)} />`;
}

function List({ hooks, rates, problem }) {
  const { search = "", kind = "" } = route.value.query;
  if (problem) return html`<${Page} title=${t("hooks.title")}><${Notice} kind="error">${problem.message}<//><//>`;
  if (hooks === null) return html`<${Page} title=${t("hooks.title")}><${Loading} /><//>`;
  if (hooks.length === 0) {
    return html`<${Page} title=${t("hooks.title")}><${Card}>
      <${Empty} icon="hooks" title=${t("hooks.empty_title")} code=${EXAMPLE}>${t("hooks.empty_text")}<//><//><//>`;
  }
  const kinds = [...new Set(hooks.map((hook) => hook.kind))].sort();
  const small = search.toLowerCase();
  const shown = hooks.filter((hook) => (!kind || hook.kind === kind)
    && [hook.name, hook.where, hook.filter ?? ""].some((text) => text.toLowerCase().includes(small)));
  return html`<${Page} title=${t("hooks.title")} about=${t("hooks.about")}>
    <div class="row">
      <${Search} value=${search} placeholder=${t("hooks.search")} onInput=${(text) => setQuery({ search: text })} />
      <${Field} label=${t("hooks.kind")} hideLabel type="select" value=${kind} onInput=${(one) => setQuery({ kind: one })}
        options=${[["", t("hooks.any_kind")], ...kinds.map((one) => [one, one])]} />
    </div>
    <${Card} flush class="hook-list">
      <${Table} label=${t("hooks.title")} columns=${columns(rates)} rows=${shown} rowKey=${(hook) => hook.id} sort="name"
        onOpen=${(hook) => go("hooks", hook.id)} empty=${html`<${Empty} icon="search" title=${t("hooks.none")} />`} />
    <//>
  <//>`;
}

function columns(rates) {
  return [
    { key: "name", label: t("hooks.name"), sort: true, render: (hook) => html`<span class="hook-name"><b class="clip" title=${hook.id}>${hook.id}</b>
      ${hook.paused && html` <${Badge} kind="warning" icon="pause">${t("hooks.paused")}<//>`}</span>` },
    { key: "kind", label: t("hooks.kind"), sort: true, hide: "sm", render: (hook) => html`<code title=${hook.kind}>${hook.kind}</code>` },
    { key: "filter", label: t("hooks.filter"), sort: true, hide: "sm", render: (hook) => (hook.filter ? html`<code title=${hook.filter}>${hook.filter}</code>` : "–") },
    { key: "where", label: t("hooks.where"), sort: true, hide: "md", render: (hook) => html`<code title=${hook.where}>${lastPart(hook.where)}</code>` },
    { key: "rate", label: t("hooks.rate"), end: true, sort: true, sortValue: (hook) => rates.of(hook.id).rate ?? 0, render: (hook) => {
      const { rate, points } = rates.of(hook.id);
      return html`<span class="hook-rate">${perSecond(rate)}<${Sparkline} values=${points} width=${64} height=${18} /></span>`;
    } },
    { key: "run_p50", label: t("hooks.run"), end: true, sort: true, hide: "sm", render: (hook) => (hook.run_p99
      ? html`${duration(hook.run_p50)} <span class="muted">/ ${duration(hook.run_p99)}</span>` : "–") },
    { key: "queued", label: t("hooks.queued"), end: true, sort: true, hide: "md", render: (hook) => compact(hook.queued) },
    { key: "dropped", label: t("hooks.dropped"), end: true, sort: true, hide: "md", render: (hook) => (hook.dropped
      ? html`<${Badge} kind="error">${compact(hook.dropped)}<//>` : "0") },
    { key: "errors", label: t("hooks.errors"), end: true, sort: true, render: (hook) => (hook.errors
      ? html`<${Badge} kind="error" icon="error">${compact(hook.errors)}<//>` : "0") },
    { key: "actions", label: "", end: true, hide: "sm", render: (hook) => html`<${Pause} kind="hooks" item=${hook} small />` },
  ];
}

/** The file without its folders: `app.py:7`. */
const lastPart = (where) => where.split(/[\\/]/u).at(-1);
