// Bridges to other brokers and connectors to services: whether they are up, and what they carry.
import { html, useLive, t, format, Ago, Badge, Card, Empty, Facts, Loading, Notice, Page } from "../kit.js";
import { Pause } from "../parts/pause.js";
import { useRates } from "../parts/rates.js";

const { bytes, compact, duration, rate } = format;

const BRIDGE = `[[bridges]]
name = "plant"
address = "broker.example:1883"
topics = [{ filter = "plant/#", direction = "out", qos = 1 }]`;

const CONNECTOR = `[[connectors]]
name = "measured"
kind = "influxdb"
url = "http://127.0.0.1:8086"`;

const TONE = { connected: "ok", up: "ok", down: "error", waiting: "error", paused: "warning", connecting: "accent", starting: "accent" };
const TROUBLES = [
  "refused_there", "refused_here", "not_taken", "dropped_unmapped", "dropped_too_large", "dropped_too_slow", "loops", "echoes",
];

export default function Bridges() {
  return html`<${Page} title=${t("bridges.title")}>
    <${Listed} view="bridges" counter=${(one) => one.messages_sent + one.messages_received} shown=${Bridge}
      icon="bridges" code=${BRIDGE} />
    <${Listed} view="connectors" counter=${(one) => one.written} shown=${Connector} icon="upload" code=${CONNECTOR} />
  <//>`;
}

function Listed({ view, counter, shown: Shown, icon, code }) {
  const live = useLive(view);
  const items = live.value?.items ? Object.values(live.value.items) : null;
  const rates = useRates(() => Object.fromEntries(
    Object.values(live.data.peek()?.items ?? {}).map((one) => [one.name, counter(one)]),
  ));
  const problem = live.problem.value;
  let body = html`<${Loading} />`;
  if (problem) body = html`<${Notice} kind="error">${problem.message}<//>`;
  else if (items?.length === 0) {
    body = html`<${Card}><${Empty} icon=${icon} title=${t(`bridges.${view}_empty`)} code=${code}>${t(`bridges.${view}_text`)}<//><//>`;
  } else if (items) {
    body = html`<div class="links">${items.map((one) => html`<${Shown} key=${one.name} one=${one} rate=${rates.of(one.name).rate} />`)}</div>`;
  }
  return html`<section class="stack"><h2>${t(`bridges.${view}`)}</h2>${body}</section>`;
}

function State({ one }) {
  return html`<${Badge} kind=${TONE[one.state] ?? ""}>${t(`bridges.state_${one.state}`)}<//> <span class="muted small"><${Ago} at=${one.since} /></span>`;
}

function Bridge({ one, rate: now }) {
  const troubles = TROUBLES.filter((name) => one[name]).map((name) => [t(`bridges.${name}`), compact(one[name])]);
  return html`<${Card} title=${one.name} actions=${html`<${State} one=${one} /><${Pause} kind="bridges" item=${{ name: one.name, paused: one.state === "paused" }} small />`}>
    <${Facts} items=${[
    [t("bridges.address"), one.address ? html`<code>${one.address}</code>${one.protocol && html` MQTT ${one.protocol}`}` : null],
    [t("bridges.sent"), html`${compact(one.messages_sent)} <span class="muted">(${bytes(one.bytes_sent)})</span>`],
    [t("bridges.received"), html`${compact(one.messages_received)} <span class="muted">(${bytes(one.bytes_received)}) · ${rate(now)}</span>`],
    [t("bridges.waiting"), compact(one.waiting)],
    [t("bridges.connects"), html`${compact(one.connects)} <span class="muted">${t("bridges.failures")} ${compact(one.failures)}</span>`],
    ...troubles,
  ]} />
    ${one.reason && html`<${Notice} kind=${one.state === "connected" ? "info" : "warning"} title=${t("bridges.reason")}>${one.reason}<//>`}
  <//>`;
}

function Connector({ one, rate: now }) {
  const bad = (name) => (one[name] ? html`<${Badge} kind="error">${compact(one[name])}<//>` : null);
  return html`<${Card} title=${one.name} actions=${html`<${State} one=${one} />`}>
    <${Facts} items=${[
    [t("bridges.kind"), one.kind],
    [t("bridges.target"), html`<code>${one.target}</code>`],
    [t("bridges.written"), html`${compact(one.written)} <span class="muted">${rate(now)}${one.written > 0 && html` · ${duration(one.write_time / one.written)}`}</span>`],
    [t("bridges.queued"), compact(one.queued)],
    [t("bridges.spooled"), one.spooled ? html`<${Badge} kind="warning">${compact(one.spooled)}<//>` : "0"],
    [t("bridges.retries"), compact(one.retries)],
    [t("bridges.rejected"), bad("rejected")],
    [t("bridges.dropped"), bad("dropped")],
  ]} />
    ${one.reason && html`<${Notice} kind=${one.state === "up" ? "info" : "warning"} title=${t("bridges.reason")}>${one.reason}<//>`}
  <//>`;
}
