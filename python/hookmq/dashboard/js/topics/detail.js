// One topic: its newest message beside the one before, and what can be done with it.
import {
  html, t, can, format, get, href, remove, useEffect, useGet, useList, useLive, useRef, useState, attempt, confirm,
  Ago, Badge, Button, Card, Copy, Empty, Loading, Menu, Payload, ProblemNotice, Sparkline, Check, atPath, jsonOf, remembered,
} from "../kit.js";
import { ChartPanel, charted, toggle } from "../messages/charting.js";
import { ExportMenu, MessageFacts, MessageTable } from "../messages/listing.js";
import { PinDialog } from "../messages/pinning.js";
import { PublishDialog } from "../messages/publishing.js";

const KEPT = 60;
const diff = remembered("topics.diff", true);

// The newest message and the one before it, and the numbers of the last ones by path.
function useNewest(topic) {
  // "" is the level above /a: nothing can be published to it.
  const first = useGet(topic === "" ? null : "topics/value", { topic });
  const kept = useRef({ topic, newest: null, before: null, numbers: new Map() });
  const [, setTurn] = useState(0);
  if (kept.current.topic !== topic) kept.current = { topic, newest: null, before: null, numbers: new Map() };
  const take = (message) => {
    const mine = kept.current;
    if (!message || message.topic !== topic || mine.newest?.at === message.at) return;
    if (mine.newest) mine.before = mine.newest;
    mine.newest = { ...mine.newest && { is_retained: mine.newest.is_retained }, ...message };
    const value = jsonOf(message);
    for (const [path, number] of numbersIn(value)) {
      const row = mine.numbers.get(path) ?? [];
      row.push(number);
      if (row.length > KEPT) row.shift();
      mine.numbers.set(path, row);
    }
    setTurn((turn) => turn + 1);
  };
  useEffect(() => { if (first.data) take(first.data); }, [first.data]);
  useLive(topic === "" ? null : "topic", { topic }, (frame) => take(frame.whole));
  return { ...kept.current, problem: kept.current.newest ? null : first.problem, loading: first.loading, reload: first.reload };
}

function numbersIn(value) {
  if (typeof value === "number") return [["", value]];
  if (value === null || typeof value !== "object" || Array.isArray(value)) return [];
  return Object.entries(value).filter(([, each]) => typeof each === "number").slice(0, 12);
}

/** The right side of the Topics page. `item` is the topic's row in the tree, if it is there. */
export function Detail({ topic, item }) {
  const { newest, before, numbers, problem, loading, reload } = useNewest(topic);
  const [dialog, setDialog] = useState(null);
  const [whole, setWhole] = useState(null);
  useEffect(() => { setDialog(null); setWhole(null); }, [topic]);
  const close = () => setDialog(null);
  const series = charted.value;
  const chosen = new Set(series.filter((each) => each.topic === topic).map((each) => each.path));
  const retained = item?.retained ?? newest?.is_retained;

  const clear = async () => {
    const sure = await confirm({ title: t("topics.clear"), text: t("topics.clear_text", { topic }), action: t("topics.clear") });
    if (sure && await attempt(() => remove("retained", { topic }), t("topics.cleared"))) reload();
  };
  const all = async () => {
    // The tree keeps the beginning of large payloads; the history or the retained message has all of it.
    const found = retained ? await get("retained/message", { topic }) : (await get("history", { topic, limit: 1 })).items[0];
    if (found) setWhole(found);
  };
  const shown = whole && newest && whole.at >= newest.at - 0.001 ? whole : newest;
  const actions = html`
    ${retained && html`<${Badge} kind="accent" icon="retained">${t("topics.retained")}<//>`}
    ${can("operator") && html`<${Button} small icon="publish" onClick=${() => { setDialog("publish"); }}>${t("topics.publish")}<//>`}
    <${Menu} small label=${t("ui.actions")} items=${[
    { label: t("topics.receivers"), icon: "subscriptions", href: href("subscriptions", { topic }) },
    { label: t("topics.in_history"), icon: "history", href: href("history", { filter: item?.children ? `${topic}/#` : topic }) },
    can("operator") && retained && { label: t("topics.clear"), icon: "trash", danger: true, onSelect: clear },
  ]} />`;
  return html`<div class="stack detail">
    <${Card} title=${html`<span class="mono break">${topic}</span> <${Copy} text=${topic} label=${t("topics.copy")} />`} actions=${actions} class="topic">
      ${shown ? html`
        <div class="row muted small facts-line">
          <span><${Ago} at=${shown.at} /></span><span>QoS ${shown.qos}</span>
          ${shown.client_id && html`<a class="mono" href=${href("clients", shown.client_id)}>${shown.client_id}</a>`}
          ${item && html`<span class="num">${t("topics.messages", { n: format.number(item.messages), count: item.messages })}</span>
            <span class="num">${format.rate(item.rate)}</span>`}
          <span class="grow"></span>
          ${before && html`<${Check} label=${t("topics.diff")} checked=${diff.value} onChange=${(on) => { diff.value = on; }} />`}
        </div>
        <${Payload} message=${shown} before=${diff.value ? before : null} chosen=${chosen} height="320px"
          onNumber=${(path) => toggle(topic, path)} />
        ${shown.cut && html`<div class="row"><${Button} small onClick=${all}>${t("topics.whole")}<//></div>`}
        <${Numbers} numbers=${numbers} message=${shown} topic=${topic} chosen=${chosen} />
        ${Object.values(shown.properties ?? {}).some((each) => each !== null) && html`<${MessageFacts} message=${shown} />`}`
    : loading ? html`<${Loading} />`
      : problem && problem.status !== 404 ? html`<${ProblemNotice} problem=${problem} retry=${reload} />`
        : html`<${Empty} icon="topics" title=${item?.children ? t("topics.only_below") : t("topics.nothing")}>${
          item?.children ? t("topics.only_below_text", { n: item.below_topics ?? item.children }) : t("topics.nothing_text")}<//>`}
    <//>
    ${series.length > 0 && html`<${Card} title=${t("topics.chart")} actions=${html`<${Button} small kind="quiet" icon="close"
      label=${t("topics.chart_close")} onClick=${() => { charted.value = []; }} />`}>
      <${ChartPanel} series=${series} onPin=${(each) => setDialog({ pin: each })}
        onRemove=${(n) => { charted.value = series.filter((_, at) => at !== n); }}
        onUnit=${(unit) => { charted.value = series.map((each) => ({ ...each, unit })); }} />
    <//>`}
    ${newest && html`<${Past} topic=${topic} />`}
    ${dialog === "publish" && html`<${PublishDialog} topic=${topic} message=${newest} onClose=${close} />`}
    ${dialog?.pin && html`<${PinDialog} series=${dialog.pin} onClose=${close} />`}
  </div>`;
}

// The numbers of the payload, each with a small line of its last values: a press makes it a chart.
function Numbers({ numbers, message, topic, chosen }) {
  const value = jsonOf(message);
  const paths = [...numbers.keys()].filter((path) => typeof (path === "" ? value : atPath(value, path)) === "number");
  if (paths.length === 0) return null;
  return html`<div class="numbers">${paths.map((path) => html`
    <button key=${path} type="button" class="numberbox" aria-pressed=${chosen.has(path)} title=${t("ui.chart_it")} onClick=${() => toggle(topic, path)}>
      <span class="muted small clip">${path || t("topics.the_value")}</span>
      <strong class="num">${format.number(path === "" ? value : atPath(value, path), 4)}</strong>
      <${Sparkline} values=${numbers.get(path)} width=${110} height=${24} />
    </button>`)}</div>`;
}

function Past({ topic }) {
  const list = useList("history", { topic, order: "desc" });
  return html`<${Card} flush title=${t("topics.history")} actions=${html`
    <${Button} small kind="quiet" icon="refresh" label=${t("topics.refresh")} onClick=${() => { list.reload(); }} />
    <${ExportMenu} small query=${{ topic }} />`}>
    <${MessageTable} list=${list} topic=${false} height="320px" label=${t("topics.history")}
      empty=${list.problem ? html`<span></span>` : html`<${Empty} icon="history" title=${t("topics.no_history")}>${t("topics.no_history_text")}<//>`} />
  <//>`;
}
