// Retained messages: found by filter, looked into, and cleared.
import {
  html, useEffect, useState, useGet, useList, useSettled, get, remove, href, setQuery, t, format, can, attempt, confirm, toast,
  Ago, Badge, Button, Card, Dialog, Empty, Facts, Field, Loading, Page, Payload, ProblemNotice, Search, Table,
} from "../kit.js";

const { bytes, dateTime, number } = format;

const MOST_COUNTED = 50_000;

export default function Retained({ query }) {
  const [filter, setFilter] = useState(query.filter ?? "");
  const [search, setSearch] = useState(query.search ?? "");
  const asked = { filter: useSettled(filter, 400), search: useSettled(search) };
  useEffect(() => { setQuery(asked); }, [asked.filter, asked.search]);
  const list = useList("retained", asked);
  const [shown, setShown] = useState(null);

  async function clear(topic) {
    const sure = await confirm({ title: t("retained.clear_title", { topic }), text: t("retained.clear_text"), action: t("retained.clear") });
    if (!sure || !await attempt(() => remove("retained", { topic }), t("retained.cleared", { topic }))) return;
    setShown(null);
    list.setItems((items) => items.filter((one) => one.topic !== topic));
  }

  async function clearAll() {
    const chosen = asked.filter || "#";
    let total = 0;
    let more = false;
    // Counted anew: what is cleared is what the filter matches now, whatever the list has shown.
    if (!await attempt(async () => { [total, more] = await counted(chosen); })) return;
    const count = more ? `> ${number(total)}` : number(total);
    const sure = await confirm({
      title: t("retained.clear_all_title", { n: total, count }), text: t("retained.clear_all_text", { filter: chosen }),
      action: t("retained.clear_all_now", { n: total, count }),
    });
    if (!sure) return;
    let cleared = 0;
    if (await attempt(async () => { ({ cleared } = await remove("retained", { filter: chosen })); })) {
      toast(t("retained.cleared_all", { n: cleared, count: number(cleared) }));
      list.reload();
    }
  }

  const may = can("operator");
  const empty = asked.filter || asked.search ? html`<${Empty} icon="search" title=${t("retained.none")} />`
    : html`<${Empty} icon="retained" title=${t("retained.empty_title")}
      code=${`hookmq pub -h ${location.hostname} -t demo/state -m on -r`}>${t("retained.empty_text")}<//>`;
  const columns = [
    { key: "topic", label: t("retained.topic"), render: (one) => html`<code title=${one.topic}>${one.topic}</code>` },
    { key: "preview", label: t("retained.payload"), render: (one) => (one.preview === null
      ? html`<${Badge}>${t("retained.binary")}<//>` : html`<code class="muted">${one.preview}</code>`) },
    { key: "bytes", label: t("retained.bytes"), end: true, hide: "sm", render: (one) => bytes(one.bytes) },
    { key: "qos", label: t("retained.qos"), end: true, hide: "md" },
    { key: "at", label: t("retained.at"), hide: "sm", render: (one) => html`<${Ago} at=${one.at} />` },
    { key: "client_id", label: t("retained.client"), hide: "md", render: (one) => one.client_id || "–" },
    may && { key: "act", label: "", end: true, render: (one) => html`
      <${Button} small kind="quiet" icon="trash" label=${`${t("retained.clear")}: ${one.topic}`} onClick=${() => clear(one.topic)} />` },
  ].filter(Boolean);
  return html`<${Page} title=${t("retained.title")}>
    <div class="row">
      <${Field} class="retained-filter" label=${t("retained.filter")} hideLabel mono placeholder=${t("retained.filter_help")} value=${filter} onInput=${setFilter} />
      <${Search} value=${search} placeholder=${t("retained.search")} onInput=${setSearch} />
      <${Button} kind="quiet" icon="refresh" label=${t("retained.refresh")} onClick=${() => { list.reload(); }} />
      ${may && list.items.length > 0 && !asked.search && html`<${Button} kind="danger" icon="trash" onClick=${() => clearAll()}>${t("retained.clear_all")}<//>`}
    </div>
    <${ProblemNotice} problem=${list.problem} retry=${list.reload} />
    <${Card} flush><${Table} label=${t("retained.title")} columns=${columns} rows=${list.items} rowKey=${(one) => one.topic} list=${list}
      onOpen=${(one) => setShown(one.topic)} empty=${empty} /><//>
    ${shown !== null && html`<${Message} topic=${shown} onClear=${may ? () => clear(shown) : null} onClose=${() => setShown(null)} />`}
  <//>`;
}

/** How many messages a filter matches, and whether there are still more. */
async function counted(filter) {
  let total = 0;
  let cursor = null;
  do {
    const page = await get("retained", { filter, cursor, limit: 1000 });
    total += page.items.length;
    cursor = page.next;
    if (page.total !== null) return [page.total, false];
  } while (cursor && total < MOST_COUNTED);
  return [total, cursor !== null];
}

function Message({ topic, onClear, onClose }) {
  const found = useGet("retained/message", { topic });
  const message = found.data;
  const gone = found.problem?.status === 404 ? { message: t("retained.not_found") } : found.problem;
  return html`<${Dialog} wide title=${topic} onClose=${onClose} footer=${html`
    <${Button} icon="topics" href=${href("topics", topic)}>${t("retained.open_topic")}<//>
    ${onClear && message && html`<${Button} kind="danger" icon="trash" onClick=${onClear}>${t("retained.clear")}<//>`}`}>
    <${ProblemNotice} problem=${gone} />
    ${!message && !gone && html`<${Loading} />`}
    ${message && html`<${Payload} message=${message} />
      <${Facts} items=${[
    [t("retained.bytes"), bytes(message.bytes)],
    [t("retained.qos"), String(message.qos)],
    [t("retained.at"), html`${dateTime(message.at)} (<${Ago} at=${message.at} />)`],
    [t("retained.client"), message.client_id || null],
    [t("retained.properties"), Object.keys(message.properties ?? {}).length ? html`<code>${JSON.stringify(message.properties)}</code>` : null],
  ]} />`}
  <//>`;
}
