// Publish and listen: a small client in the page.
import {
  html, t, format, signal, useLive, useRef, useState,
  Badge, Button, Card, Empty, Field, Form, Page, Segments, ProblemNotice,
} from "../kit.js";
import { PublishForm } from "../messages/publishing.js";
import { MessageTable } from "../messages/listing.js";

const KEPT = 1000;

// Listening goes on as one left it when one comes back to the page.
const listening = signal(null);

function wrongFilter(filter) {
  if (!filter) return t("publish.filter_missing");
  const levels = filter.split("/");
  const wrong = levels.some((level, at) => (level.includes("#") && (level !== "#" || at < levels.length - 1)) || (level.includes("+") && level !== "+"));
  return wrong ? t("publish.filter_wrong") : null;
}

export default function Publish({ query }) {
  return html`<${Page} title=${t("nav.publish")} about=${t("publish.about")}><div class="split">
    <${Card} title=${t("publish.send")}><${PublishForm} initial=${{ topic: query.topic ?? "", payload: query.payload ?? "" }} /><//>
    <${Listen} first=${query.filter ?? "#"} />
  </div><//>`;
}

function Listen({ first }) {
  const [filter, setFilter] = useState(listening.value?.filter ?? first);
  const [qos, setQos] = useState(0);
  const [tried, setTried] = useState(false);
  const [paused, setPaused] = useState(false);
  const [, setTurn] = useState(0);
  const rows = useRef({ all: [], count: 0 });
  const now = listening.value;
  const feed = useLive(now ? "messages" : null, now ?? {}, (frame) => {
    const added = frame.add ?? (Array.isArray(frame.whole) ? frame.whole : []);
    if (paused || added.length === 0) return;
    const kept = rows.current;
    for (const each of added) kept.all.unshift({ ...each, key: (kept.count += 1) });
    kept.all.length = Math.min(kept.all.length, KEPT);
    setTurn((turn) => turn + 1);
  });
  const wrong = tried ? wrongFilter(filter) : null;
  const start = () => {
    setTried(true);
    if (wrongFilter(filter)) return;
    rows.current = { all: [], count: 0 };
    setPaused(false);
    listening.value = { filter, qos };
  };
  const kept = rows.current;
  return html`<${Card} flush title=${t("publish.listen")} actions=${now && html`
      <span class="muted small num">${t("publish.count", { n: format.number(kept.count), count: kept.count })}</span>
      ${feed.lost.value > 0 && html`<${Badge} kind="warning">${t("publish.lost", { n: format.number(feed.lost.value), count: feed.lost.value })}<//>`}
      <${Button} small icon=${paused ? "play" : "pause"} onClick=${() => { setPaused(!paused); }}>${paused ? t("publish.resume") : t("publish.pause")}<//>
      <${Button} small icon="trash" label=${t("publish.clear")} onClick=${() => { rows.current = { all: [], count: 0 }; setTurn((turn) => turn + 1); }} />`}>
    <div class="listenform"><${Form} onSubmit=${start} class="row">
      <${Field} label=${t("publish.filter")} hideLabel mono class="grow" value=${filter} onInput=${setFilter} error=${wrong} placeholder="tank/#" />
      <${Segments} label="QoS" value=${qos} onChange=${setQos} options=${[0, 1, 2].map((each) => [each, `QoS ${each}`])} />
      ${now && now.filter === filter && now.qos === qos ? html`<${Button} icon="close" onClick=${() => { listening.value = null; }}>${t("publish.stop")}<//>`
    : html`<${Button} kind="primary" type="submit" icon="play">${t("publish.start")}<//>`}
    <//></div>
    ${feed.problem.value && html`<${ProblemNotice} problem=${feed.problem.value} />`}
    <${MessageTable} rows=${kept.all} height="calc(100vh - 250px)" empty=${now
    ? html`<${Empty} icon="history" title=${t("publish.waiting")}>${t("publish.waiting_text", { filter: now.filter })}<//>`
    : html`<${Empty} icon="subscriptions" title=${t("publish.nothing")}>${t("publish.nothing_text")}<//>`} />
  <//>`;
}
