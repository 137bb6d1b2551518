// The log as it is written: the newest first.
import {
  html, useEffect, useMemo, useRef, useState, useList, useLive, useSettled, setQuery, t, format, Badge, Button, Card, Copy, Empty,
  Page, ProblemNotice, Search, Field,
} from "../kit.js";

const { clock, dateTime, number } = format;

const LEVELS = ["debug", "info", "warning", "error", "critical"];
const TONE = { warning: "warning", error: "error", critical: "error" };
const MOST = 1000;

const EXAMPLE = `import logging

logging.getLogger("hookmq.app").warning("the tank is low")`;

export default function Logs({ query }) {
  const level = LEVELS.includes(query.level) ? query.level : "info";
  const [typed, setTyped] = useState(query.search ?? "");
  const search = useSettled(typed);
  useEffect(() => { setQuery({ search }); }, [search]);
  const list = useList("logs", { level, search });
  const [fresh, setFresh] = useState([]);
  const [paused, setPaused] = useState(false);
  const key = `${level}\n${search}`;
  useEffect(() => { setFresh([]); }, [key]);
  const small = search.toLowerCase();
  const live = useLive("log", { level }, (frame) => {
    // What is there already comes with the first frame as well: records are known by their numbers.
    const came = (frame.whole ?? frame.add ?? []).filter((one) => one.message.toLowerCase().includes(small));
    if (came.length) setFresh((before) => [...before, ...came].slice(-MOST));
  });

  // While somebody reads, the page stands still; what comes is counted.
  const still = useRef([]);
  const all = useMemo(() => {
    const seen = new Map();
    for (const one of [...fresh].reverse()) seen.set(one.number, one);
    for (const one of list.items) if (!seen.has(one.number)) seen.set(one.number, one);
    return [...seen.values()].sort((a, b) => b.number - a.number);
  }, [fresh, list.items]);
  if (!paused) still.current = all;
  const shown = paused && still.current.length ? all.filter((one) => one.number <= still.current[0].number) : all;
  const waiting = all.length - shown.length;
  const lost = live.lost.value;

  const state = paused
    ? html`<${Badge} kind="warning" icon="pause">${t("logs.paused")}${waiting > 0 && html` · ${t("logs.waiting", { n: waiting, count: number(waiting) })}`}<//>`
    : html`<${Badge} kind="ok"><i class="dot on"></i>${t("logs.live")}<//>`;
  return html`<${Page} title=${t("logs.title")} about=${t("logs.about")} actions=${html`${state}
    <${Button} icon=${paused ? "play" : "pause"} onClick=${() => { setPaused(!paused); }}>${t(paused ? "logs.resume" : "logs.pause")}<//>`}>
    <div class="row">
      <${Search} value=${typed} placeholder=${t("logs.search")} onInput=${setTyped} />
      <${Field} label=${t("logs.level")} hideLabel type="select" value=${level} onInput=${(value) => setQuery({ level: value })}
        options=${LEVELS.map((one) => [one, `${t("logs.level")}: ${t(`logs.level_${one}`)}`])} />
    </div>
    <${ProblemNotice} problem=${list.problem} retry=${list.reload} />
    ${lost > 0 && html`<p class="muted">${t("logs.lost", { n: lost, count: number(lost) })}</p>`}
    <${Card} flush>
      ${shown.length === 0 && !list.loading ? (search
    ? html`<${Empty} icon="search" title=${t("logs.none")} />`
    : html`<${Empty} icon="logs" title=${t("logs.empty_title")} code=${EXAMPLE}>${t("logs.empty_text")}<//>`)
    : html`<ol class="log">${shown.map((one) => html`<${Record} key=${one.number} one=${one} />`)}</ol>`}
      ${list.more && html`<div class="log-older"><${Button} small onClick=${() => { list.loadMore(); }}>${t("logs.older")}<//></div>`}
    <//>
  <//>`;
}

function Record({ one }) {
  const known = LEVELS.includes(one.level);
  return html`<li class=${`log-record is-${one.level}`}>
    <time datetime=${new Date(one.at * 1000).toISOString()} title=${dateTime(one.at)}>${clock(one.at, true)}</time>
    <${Badge} kind=${TONE[one.level] ?? ""}>${known ? t(`logs.level_${one.level}`) : one.level}<//>
    <div class="log-text"><span class="log-logger muted">${one.logger}</span> <span class="log-message">${one.message}</span>
      ${one.traceback && html`<details class="fold" open=${false}><summary>${t("logs.traceback")}</summary>
        <div class="log-trace"><pre tabindex="0">${one.traceback}</pre><${Copy} text=${one.traceback} /></div></details>`}
    </div>
  </li>`;
}
