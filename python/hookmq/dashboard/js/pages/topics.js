// Topics: the tree of all that was published, live, and the topic that one looks at.
import {
  html, t, format, go, href, useEffect, useList, useSettled, useState,
  Button, Card, Empty, Page, ProblemNotice, Search, Table, setQuery, useLayoutEffect,
} from "../kit.js";
import { chartQuery, readChart } from "../messages/charting.js";
import { Tree, reveal } from "../topics/tree.js";
import { Detail } from "../topics/detail.js";

export default function Topics({ parts, query }) {
  const selected = parts.length ? parts.join("/") : null;
  const [search, setSearch] = useState(query.search ?? "");
  const wanted = useSettled(search.trim());
  const [items, setItems] = useState(null);
  useEffect(() => { if (selected !== null) reveal(selected); }, [selected]);
  const select = (topic) => go("topics", topic);
  // The address says what is charted: a link shows the same, and so does the browser's way back.
  const asked = JSON.stringify([query.chart, query.span, query.zoom]);
  useLayoutEffect(() => {
    if (asked !== JSON.stringify(told())) readChart(query);
  }, [asked]);
  const wish = JSON.stringify(told());
  useEffect(() => { setQuery({ ...chartQuery(), search: wanted }); }, [wish, wanted, selected]);
  const none = items !== null && items.size === 0 && !wanted;
  return html`<${Page} title=${t("nav.topics")}>
    <div class=${selected === null ? "topics" : "topics chosen"}>
      <${Card} flush class="side-card" title=${html`<${Search} value=${search} onInput=${setSearch} placeholder=${t("topics.search")} />`}>
        ${wanted ? html`<${Found} search=${wanted} selected=${selected} onSelect=${select} />`
    : html`<${Tree} selected=${selected} onSelect=${select} onItems=${setItems} />`}
        ${none && html`<${Nothing} />`}
      <//>
      ${selected !== null ? html`<div class="stack">
        <div class="back"><${Button} small icon="left" href=${href("topics")}>${t("topics.back")}<//></div>
        <${Detail} topic=${selected} item=${items?.get(selected)} /></div>`
    : html`<${Card} class="choose"><${Empty} icon="chart" title=${t("topics.choose")}>${t("topics.choose_text")}<//><//>`}
    </div>
  <//>`;
}

// What chartQuery() would write, as it comes back from the address.
function told() {
  const { chart, span, zoom } = chartQuery();
  return [chart, span, zoom].map((each) => (each === "" ? undefined : String(each)));
}

function Found({ search, selected, onSelect }) {
  const list = useList("topics", { search });
  const columns = [
    { key: "topic", label: t("message.topic"), render: (each) => html`<span class="mono">${each.topic}</span>` },
    { key: "preview", label: t("topics.value"), hide: "md", render: (each) => html`<span class="mono muted">${each.preview ?? ""}</span>` },
    { key: "rate", label: t("topics.rate"), end: true, render: (each) => (each.rate ? format.rate(each.rate) : "–") },
  ];
  return html`<${ProblemNotice} problem=${list.problem} retry=${list.reload} />
    <${Table} label=${t("topics.found")} columns=${columns} rows=${list.items} rowKey=${(each) => each.topic} selected=${selected} list=${list}
      onOpen=${(each) => onSelect(each.topic)} height="calc(100vh - 210px)"
      empty=${html`<${Empty} icon="search" title=${t("topics.not_found")}>${t("topics.not_found_text", { search })}<//>`} />`;
}

function Nothing() {
  return html`<${Empty} icon="topics" title=${t("topics.none")} code=${"hookmq pub -t tank/1/level -m 42"}
    actions=${html`<${Button} kind="primary" icon="publish" href=${href("publish", { topic: "tank/1/level", payload: "42" })}>${t("topics.none_publish")}<//>`}>
    ${t("topics.none_text")}<//>`;
}
