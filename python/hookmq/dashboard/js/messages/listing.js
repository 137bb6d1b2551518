// Messages in rows, and one of them in full.
import {
  html, t, format, href, address, useState,
  Badge, Button, Dialog, Empty, Facts, Menu, Payload, ProblemNotice, Table,
} from "../kit.js";

/** A payload in one line. */
export function Preview({ message }) {
  const text = message.payload ?? message.preview;
  if (text === null || text === undefined) return html`<span class="muted">${t("message.binary", { size: format.bytes(message.bytes) })}</span>`;
  return html`<span class="mono">${text === "" ? html`<span class="muted">${t("ui.empty_payload")}</span>` : text.slice(0, 200)}</span>`;
}

/** A table of messages; `list` from useList, or `rows`. `topic` false leaves out the column of topics. */
export function MessageTable({ rows, list, topic = true, empty, height, label }) {
  const [open, setOpen] = useState(null);
  const columns = [
    { key: "at", label: t("message.at"), width: "150px", render: (each) => html`<span class="num" title=${format.exact(each.at)}>${
      new Date(each.at * 1000).toDateString() === new Date().toDateString() ? format.clock(each.at, true) : format.dateTime(each.at)}</span>` },
    topic && { key: "topic", label: t("message.topic"), render: (each) => html`<span class="mono">${each.topic}</span><small class="only-sm clip"><${Preview} message=${each} /></small>` },
    { key: "payload", label: t("ui.payload"), hide: topic ? "sm" : undefined, render: (each) => html`<${Preview} message=${each} />` },
    { key: "qos", label: "QoS", hide: "sm", width: "52px", end: true },
    { key: "client_id", label: t("message.client"), hide: "md", render: (each) => html`<span class="mono">${each.client_id || "–"}</span>` },
    { key: "bytes", label: t("message.bytes"), hide: "md", end: true, width: "84px", render: (each) => format.bytes(each.bytes) },
  ].filter(Boolean);
  return html`<${ProblemNotice} problem=${list?.problem} retry=${list?.reload} />
    <${Table} label=${label ?? t("message.messages")} columns=${columns} rows=${rows ?? list.items} list=${list} height=${height}
      rowKey=${(each) => each.number ?? each.key ?? `${each.at} ${each.topic}`} onOpen=${setOpen}
      empty=${empty ?? html`<${Empty} icon="history" title=${t("message.none")} />`} />
    ${open && html`<${MessageDialog} message=${open} onClose=${() => setOpen(null)} />`}`;
}

/** One message in a dialog. */
export function MessageDialog({ message, onClose }) {
  return html`<${Dialog} wide title=${message.topic} onClose=${onClose}
    footer=${html`<${Button} href=${href("topics", message.topic)}>${t("message.to_topic")}<//>`}>
    <${MessageFacts} message=${message} /><${Payload} message=${message} />
  <//>`;
}

/** What is known of a message beside its payload. */
export function MessageFacts({ message }) {
  const properties = Object.entries(message.properties ?? {}).filter(([, value]) => value !== null && value !== undefined);
  return html`<${Facts} items=${[
    [t("message.at"), format.exact(message.at)],
    [t("message.client"), message.client_id ? html`<a class="mono" href=${href("clients", message.client_id)}>${message.client_id}</a>` : null],
    ["QoS", html`${message.qos} ${message.retain && html`<${Badge}>${t("message.retain")}<//>`}`],
    ...properties.map(([name, value]) => [name, html`<span class="mono">${typeof value === "string" ? value : JSON.stringify(value)}</span>`]),
  ]} />`;
}

/** Downloads what a query of the history finds. */
export function ExportMenu({ query, small }) {
  return html`<${Menu} small=${small} kind="" icon="download" label=${t("message.export")} items=${["csv", "jsonl", "parquet"].map((each) => ({
    label: t(`message.export_${each}`), href: address("history/export", { ...query, format: each, ...(each === "csv" && { formulas: "escape" }) }).href, download: "",
  }))}>${t("message.export")}<//>`;
}
