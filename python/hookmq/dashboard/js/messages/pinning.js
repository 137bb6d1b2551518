// Puts what is looked at onto a dashboard: which one, and as which widget.
import {
  html, t, get, post, put, path, href, useGet, useState, attempt, toast,
  Button, Dialog, Field, Form, Loading, ProblemNotice,
} from "../kit.js";
import { seriesName } from "./charting.js";

export const KINDS = ["value", "line", "area", "bar", "gauge", "vertical", "horizontal", "tank", "text", "table"];
const SIZES = { value: [3, 2], line: [6, 4], area: [6, 4], bar: [6, 4], gauge: [3, 3], vertical: [2, 4], horizontal: [4, 2], tank: [2, 4], text: [3, 2], table: [5, 4] };

/** A widget of that kind below everything that is on the dashboard. */
export function widgetBelow(dashboard, { kind, topic, path: place, unit, title }) {
  const [w, h] = SIZES[kind];
  const ids = new Set(dashboard.widgets.map((each) => each.id));
  let number = dashboard.widgets.length + 1;
  while (ids.has(`w${number}`)) number += 1;
  const y = Math.max(0, ...dashboard.widgets.map((each) => each.y + each.h));
  return {
    id: `w${number}`, kind, title, x: 0, y, w, h, topic, path: place, unit,
    span: ["line", "area", "bar"].includes(kind) ? 3600 : 0, thresholds: [], options: {},
  };
}

async function pin(dashboard, title, widgets) {
  const id = dashboard ?? (await post("dashboards", { title, widgets: [] })).id;
  const { data, etag } = await get.tagged(path("dashboards", id));
  let next = data;
  for (const widget of widgets) next = { ...next, widgets: [...next.widgets, widgetBelow(next, widget)] };
  await put(path("dashboards", id), { title: next.title, columns: next.columns, widgets: next.widgets }, { ifMatch: etag });
  return id;
}

/** The dialog; series [{topic, path, unit}]. */
export function PinDialog({ series, onClose }) {
  const { data, problem, reload } = useGet("dashboards", { limit: 1000 });
  const [chosen, setChosen] = useState(null);
  const [kind, setKind] = useState("line");
  const [name, setName] = useState("");
  const [title, setTitle] = useState(series.length === 1 ? seriesName(series[0]) : "");
  const boards = data?.items ?? [];
  const id = chosen ?? boards[0]?.id ?? "new";
  const submit = async () => {
    let made = null;
    const widgets = series.map((each) => ({ ...each, kind, title: series.length === 1 && title ? title : seriesName(each) }));
    if (await attempt(async () => { made = await pin(id === "new" ? null : id, name || t("message.pin_name"), widgets); })) {
      onClose();
      toast(t("message.pinned"), "ok", { label: t("message.pin_open"), href: href("dashboards", made) });
    }
  };
  return html`<${Dialog} title=${t("message.pin_title")} onClose=${onClose}>
    <${ProblemNotice} problem=${problem} retry=${reload} />
    ${!data && !problem ? html`<${Loading} />` : html`<${Form} onSubmit=${submit}>
      <${Field} label=${t("message.pin_where")} type="select" value=${id} onInput=${setChosen}
        options=${[...boards.map((each) => [each.id, each.title]), ["new", t("message.pin_new")]]} />
      ${id === "new" && html`<${Field} label=${t("message.pin_new_name")} value=${name} onInput=${setName} placeholder=${t("message.pin_name")} />`}
      <${Field} label=${t("message.pin_kind")} type="select" value=${kind} onInput=${setKind}
        options=${KINDS.map((each) => [each, t(`message.kind_${each}`)])} />
      ${series.length === 1 && html`<${Field} label=${t("message.pin_widget_title")} value=${title} onInput=${setTitle} />`}
      <div class="row"><${Button} kind="primary" icon="pin" type="submit">${t("message.pin")}<//></div>
    <//>`}
  <//>`;
}
