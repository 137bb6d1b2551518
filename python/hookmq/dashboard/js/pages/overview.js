// The broker at a glance: what comes and goes, who is there, and what needs a look.
import {
  html, t, format, hasText, href, remembered, useGet, useLive, useSeries, pointsOf,
  Badge, Button, Card, Chart, Empty, Facts, Legend, Loading, Notice, Page, ProblemNotice, Segments, Snippet, Sparkline, Stat,
} from "../kit.js";

const SHOWN = ["received", "sent", "dropped", "bytes_received", "bytes_sent", "clients", "connects", "memory", "cpu"];
const span = remembered("overview.span", 300);

function perSecond(value) {
  return html`${format.compact(value)} <small>${t("overview.per_second")}</small>`;
}

export default function Overview() {
  const feed = useLive("overview");
  const first = useGet("overview");
  const top = useGet("topics", { limit: 5 });
  const recent = useSeries(SHOWN, 300);
  const data = feed.value ?? first.data;
  const problem = feed.problem.value ?? first.problem;
  if (!data) return html`<${Page} title=${t("nav.overview")}>${problem ? html`<${ProblemNotice} problem=${problem} retry=${first.reload} />` : html`<${Loading} />`}<//>`;
  const { rates, totals, latency, alarms } = data;
  const values = (name) => recent?.series[name] ?? [];
  const quiet = totals.clients === 0 && top.data?.items.every(({ topic }) => topic.startsWith("$"));
  return html`<${Page} title=${t("nav.overview")} about=${t("overview.up", { time: format.duration(data.uptime) })}
    actions=${html`<${Button} icon="publish" href=${href("publish")}>${t("overview.publish")}<//>`}>
    ${alarms.length > 0 && html`<section class="stack tight" aria-label=${t("overview.alarms")}>${alarms.map((alarm) => html`
      <${Notice} key=${alarm.code + alarm.message} kind=${alarm.level} actions=${alarm.page && html`<${Button} small href=${alarm.page}>${t("overview.look")}<//>`}>
        ${hasText(`overview.alarm_${alarm.code}`) ? t(`overview.alarm_${alarm.code}`, alarm.params) : alarm.message}<//>`)}</section>`}
    ${quiet && html`<${First} />`}
    <div class="stats">
      <${Stat} label=${t("overview.received")} value=${perSecond(rates.received)}><${Sparkline} wide values=${values("received")} height=${26} /><//>
      <${Stat} label=${t("overview.sent")} value=${perSecond(rates.sent)}><${Sparkline} wide values=${values("sent")} height=${26} token="chart-2" /><//>
      <${Stat} label=${t("overview.clients")} value=${format.compact(totals.clients)} href=${href("clients")}><${Sparkline} wide values=${values("clients")} height=${26} token="chart-4" /><//>
      <${Stat} label=${t("overview.latency")} value=${latency ? format.duration(latency.p99) : "–"}>
        <span class="muted small">${latency ? t("overview.latency_p50", { time: format.duration(latency.p50) }) : t("overview.latency_none")}</span><//>
      <${Stat} label=${t("overview.dropped")} value=${html`<span class=${rates.dropped > 0 ? "bad" : ""}>${perSecond(rates.dropped)}</span>`}>
        ${rates.dropped > 0 ? html`<${Sparkline} wide values=${values("dropped")} height=${26} token="error" />`
    : html`<span><${Badge} kind="ok" icon="check">${t("overview.dropped_none")}<//></span>`}<//>
      <${Stat} label=${t("overview.traffic")} value=${html`${format.bytes(rates.bytes_received + rates.bytes_sent)}<small>/s</small>`}>
        <${Sparkline} wide values=${values("bytes_sent")} height=${26} token="chart-6" /><//>
    </div>
    <${Rates} />
    <div class="grid2">
      <${Card} title=${t("overview.kept")}><div class="counts">
        ${["sessions", "subscriptions", "retained", "queued", "topics", "hooks", "jobs", "rules"].map((name) => html`<${Count} key=${name} name=${name} value=${totals[name]} />`)}
      </div><//>
      <${Broker} recent=${recent} />
    </div>
  <//>`;
}

const PAGE_OF = { sessions: "clients", queued: "clients" };

function Count({ name, value }) {
  return html`<a href=${href(PAGE_OF[name] ?? name)}><strong class="num">${format.compact(value)}</strong><span>${t(`overview.count_${name}`)}</span></a>`;
}

function Rates() {
  const chosen = span.value;
  const data = useSeries(["received", "sent", "dropped"], chosen);
  const series = ["received", "sent", "dropped"].map((name, n) => ({
    label: t(`overview.${name}`), points: pointsOf(data, name), unit: "/s", kind: n === 0 ? "area" : "line", token: ["chart-1", "chart-2", "error"][n],
  }));
  return html`<${Card} title=${t("overview.messages")} actions=${html`<${Segments} label=${t("overview.span")} value=${chosen}
      onChange=${(value) => { span.value = value; }}
      options=${[[300, t("overview.span_300")], [3600, t("overview.span_3600")], [86400, t("overview.span_86400")]]} />`}>
    <${Chart} series=${series} height=${220} min=${0} from=${data ? data.end - chosen : undefined} to=${data?.end} />
    <${Legend} series=${series} />
  <//>`;
}

function Broker({ recent }) {
  const { data, problem, reload } = useGet("broker", {}, { every: 30 });
  const last = (name) => recent?.series[name]?.findLast((each) => each !== null);
  return html`<${Card} title=${t("overview.broker")}>
    <${ProblemNotice} problem=${problem} retry=${reload} />
    ${data && html`<${Facts} items=${[
    [t("overview.version"), `HookMQ ${data.version} · Python ${data.python}`],
    [t("overview.host"), `${data.hostname} · ${data.platform} · PID ${data.pid}`],
    [t("overview.listeners"), html`<ul>${data.listeners.map((each) => html`<li key=${each.url}><code class="break">${each.url}</code>
      <span class="muted small"> ${t("overview.listener_clients", { n: each.clients })}</span></li>`)}</ul>`],
    [t("overview.app"), data.app],
    [t("overview.data"), data.data_dir ? html`<code>${data.data_dir}</code>` : t("overview.data_memory")],
    [t("overview.history"), data.history?.enabled ? t("overview.history_rows", { n: data.history.rows, rows: format.number(data.history.rows) }) : t("overview.history_off")],
    [t("overview.memory"), last("memory") !== undefined ? format.bytes(last("memory")) : undefined],
    [t("overview.cpu"), last("cpu") !== undefined ? `${format.number(last("cpu") * 100, 1)} %` : undefined],
  ]} />`}
  <//>`;
}

function First() {
  const { data } = useGet("broker");
  const port = data?.listeners.find((each) => each.scheme === "mqtt" || each.scheme === "tcp")?.port ?? 1883;
  const host = location.hostname;
  const where = `${host === "127.0.0.1" || host === "localhost" ? "" : ` -h ${host}`}${port === 1883 ? "" : ` --port ${port}`}`;
  return html`<${Card}><${Empty} icon="publish" title=${t("overview.first")}
    actions=${html`<${Button} kind="primary" icon="publish" href=${href("publish", { topic: "tank/1/level", payload: "42" })}>${t("overview.first_here")}<//>`}>
    ${t("overview.first_text")}<//>
    <div class="grid2">
      <div class="stack tight"><h3>${t("overview.first_shell")}</h3><${Snippet} code=${`hookmq pub${where} -t tank/1/level -m 42`} /></div>
      <div class="stack tight"><h3>${t("overview.first_python")}</h3><${Snippet} code=${'broker.publish("tank/1/level", 42)'} /></div>
    </div>
  <//>`;
}
