// History: find messages, chart a number of them, export what was found.
import {
  html, t, get, setQuery, signal, useEffect, useGet, useList, useSettled, useState,
  Badge, Button, Card, Chart, Empty, Field, Legend, Loading, Page, ProblemNotice, Tabs, seriesToken,
} from "../kit.js";
import { ExportMenu, MessageTable } from "../messages/listing.js";
import { PinDialog } from "../messages/pinning.js";

const RANGES = ["10m", "1h", "24h", "7d", "all", "own"];
const turn = signal(0);

// What a field of local date and time means, as the API takes it.
const instant = (text) => (text ? new Date(text).getTime() / 1000 : undefined);

function rangeOf({ range, since, until }) {
  if (range === "all") return {};
  if (range === "own") return { since: instant(since), until: instant(until) };
  return { since: range };
}

export default function History({ query }) {
  const [form, setForm] = useState({
    filter: query.filter ?? "", contains: query.contains ?? "", client: query.client ?? "", range: query.range ?? "1h",
    since: query.since ?? "", until: query.until ?? "", order: query.order ?? "desc", path: query.path ?? "",
  });
  const [tab, setTab] = useState(query.tab ?? "table");
  const set = (name) => (value) => setForm((before) => ({ ...before, [name]: value }));
  // What was looked at before a part of it was chosen in the chart.
  const [before, setBefore] = useState(null);
  const zoom = (since, until) => {
    if (since !== null) {
      setBefore(before ?? form);
      setForm({ ...form, range: "own", since: local(since), until: local(until) });
    } else if (before !== null) {
      setBefore(null);
      setForm({ ...form, range: before.range, since: before.since, until: before.until });
    }
  };
  const settled = useSettled(form);
  useEffect(() => setQuery({ ...settled, tab }), [settled, tab]);
  const filters = {
    filter: settled.filter || undefined, contains: settled.contains || undefined, client: settled.client || undefined, ...rangeOf(settled),
  };
  return html`<${Page} title=${t("nav.history")} about=${t("history.about")} actions=${html`
    <${Button} icon="refresh" onClick=${() => { turn.value += 1; }}>${t("history.refresh")}<//><${ExportMenu} query=${{ ...filters, order: settled.order }} />`}>
    <${Card}><div class="queryform">
      <${Field} label=${t("history.filter")} mono value=${form.filter} onInput=${set("filter")} placeholder="tank/+/level" data-search />
      <${Field} label=${t("history.range")} type="select" value=${form.range} onInput=${set("range")} options=${RANGES.map((each) => [each, t(`history.range_${each}`)])} />
      ${form.range === "own" && html`
        <${Field} label=${t("history.since")} type="datetime-local" step=${stepOf(form.since)} value=${form.since} onInput=${set("since")} />
        <${Field} label=${t("history.until")} type="datetime-local" step=${stepOf(form.until)} value=${form.until} onInput=${set("until")} />`}
      <${Field} label=${t("history.contains")} value=${form.contains} onInput=${set("contains")} />
      <${Field} label=${t("history.client")} mono value=${form.client} onInput=${set("client")} />
      ${tab === "table" && html`<${Field} label=${t("history.order")} type="select" value=${form.order} onInput=${set("order")}
        options=${["desc", "asc"].map((each) => [each, t(`history.order_${each}`)])} />`}
    </div><//>
    <${Card} flush>
      <${Tabs} label=${t("nav.history")} value=${tab} onChange=${setTab} tabs=${["table", "plot"].map((id) => ({ id, label: t(`history.${id}`) }))} />
      ${tab === "table" ? html`<${Found} key=${turn.value} query=${{ ...filters, order: settled.order }} />`
    : html`<${Plot} key=${turn.value} filters=${filters} path=${form.path} setPath=${set("path")}
        zoomed=${before !== null} zoom=${zoom} />`}
    <//>
  <//>`;
}

// Milliseconds are asked for where there are some.
const stepOf = (text) => (text.includes(".") ? "0.001" : "1");

function local(at) {
  const date = new Date(at * 1000);
  return new Date(date.getTime() - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 23);
}

function Found({ query }) {
  const list = useList("history", query);
  return html`<${MessageTable} list=${list} height="calc(100vh - 340px)" empty=${list.problem ? html`<span></span>`
    : html`<${Empty} icon="history" title=${t("history.none")}>${t("history.none_text")}<//>`} />`;
}

function Plot({ filters, path, setPath, zoomed, zoom }) {
  const [pinning, setPinning] = useState(false);
  const [paths, setPaths] = useState([]);
  const { data, problem, loading, reload } = useGet("history/chart", {
    filter: filters.filter ?? "#", since: filters.since ?? 0, until: filters.until, path, points: 600,
  });
  const first = data?.series[0]?.topic;
  // Which numbers there are is told of one topic: the first that was found, or the newest message's.
  useEffect(() => {
    let current = true;
    (async () => {
      const topic = first ?? (await get("history", { ...filters, limit: 1 })).items[0]?.topic;
      const found = topic ? (await get("history/paths", { topic })).paths : [];
      if (current) setPaths(found.filter((each) => each.kind === "number").map((each) => each.path));
    })().catch(() => {});
    return () => { current = false; };
  }, [first, JSON.stringify(filters)]);
  const options = [...new Set(["", ...paths, path])].map((each) => [each, each || t("history.path_whole")]);
  const drawn = (data?.series ?? []).filter((each) => each.points.length).map((each, n) => ({
    label: each.path ? `${each.topic} · ${each.path}` : each.topic, points: each.points, token: seriesToken(n),
  }));
  return html`<div class="body stack plot">
    <div class="row"><${Field} label=${t("history.path")} type="select" value=${path} onInput=${setPath} options=${options} />
      ${data?.truncated && html`<${Badge} kind="warning">${t("history.truncated")}<//>`}
      <span class="grow"></span>
      ${zoomed && html`<${Button} small icon="undo" onClick=${() => { zoom(null); }}>${t("history.unzoom")}<//>`}
      ${drawn.length > 0 && html`<${Button} small icon="pin" onClick=${() => { setPinning(true); }}>${t("message.pin")}<//>`}</div>
    <${ProblemNotice} problem=${problem} retry=${reload} />
    ${loading && !data ? html`<${Loading} />` : drawn.length ? html`<${Chart} series=${drawn} height=${380}
        onZoom=${zoom} /><${Legend} series=${drawn} />
        <p class="muted small">${t("message.zoom_hint")}</p>`
    : !problem && html`<${Empty} icon="chart" title=${t("history.plot_none")}>${t("history.plot_none_text")}<//>`}
    ${pinning && html`<${PinDialog} series=${data.series.map((each) => ({ topic: each.topic, path, unit: "" }))} onClose=${() => setPinning(false)} />`}
  </div>`;
}
