// Puts what one looks at elsewhere on a dashboard: `pin({topic, path, unit, kind, dashboard})`.
import { Button, Dialog, Field, Form, attempt, get, href, html, language, post, render, t, toast, useEffect, useState } from "../kit.js";
import { loadTexts } from "../core/i18n.js";
import { addTo } from "./board.js";

const KINDS = ["line", "value", "gauge", "area", "bar", "vertical", "horizontal", "tank", "table", "text", "log"];
const NEW = "";

/**
 * Adds a widget for a topic. With the id of a `dashboard` it is done at once; without, a dialog asks which one, and what
 * kind of widget. Gives the id of the dashboard, or null if nothing was added.
 */
export async function pin({ topic, path = "", unit = "", kind = null, dashboard = null, title = "" }) {
  await Promise.all([loadTexts("dashboards"), loadTexts("widgets")]);
  const members = { topic, path, unit, title: title || name(topic, path) };
  if (!dashboard) return ask({ ...members, kind: kind ?? "line" });
  const done = await addTo(dashboard, { ...members, kind: kind ?? "value" });
  return done.id;
}

function name(topic, path) {
  return [topic.split("/").slice(-2).join("/"), path].filter(Boolean).join(" · ").slice(0, 200);
}

function ask(members) {
  return new Promise((resolve) => {
    const place = document.createElement("div");
    document.body.append(place);
    const close = (id) => {
      render(null, place);
      place.remove();
      resolve(id);
    };
    render(html`<${Pin} members=${members} onDone=${close} />`, place);
  });
}

function Pin({ members, onDone }) {
  const [items, setItems] = useState(null);
  const [where, setWhere] = useState(null);
  const [fresh, setFresh] = useState(t("dashboards.first_title"));
  const [kind, setKind] = useState(members.kind);
  const [title, setTitle] = useState(members.title);
  useEffect(() => {
    get("dashboards").then(
      (answer) => {
        setItems(answer.items);
        setWhere(answer.items[0]?.id ?? NEW);
      },
      (problem) => {
        toast(problem.message, "error");
        onDone(null);
      },
    );
  }, [language.value]);
  const add = () => attempt(async () => {
    const id = where || (await post("dashboards", { title: fresh.trim() || t("dashboards.first_title"), widgets: [] })).id;
    const done = await addTo(id, { ...members, kind, title });
    toast(t("dashboards.pinned", { title: done.title }), "ok", { label: t("dashboards.open"), href: href("dashboards", id) });
    onDone(id);
  });
  if (!items) return null;
  return html`<${Dialog} title=${t("dashboards.pin")} onClose=${() => onDone(null)} footer=${html`
    <${Button} onClick=${() => { onDone(null); }}>${t("ui.cancel")}<//><${Button} kind="primary" icon="pin" onClick=${add}>${t("dashboards.pin_do")}<//>`}>
    <${Form} onSubmit=${add}>
      <${Field} label=${t("dashboards.pin_where")} type="select" value=${where} onInput=${setWhere} options=${[...items.map((each) => [each.id, each.title]), [NEW, t("dashboards.new")]]} />
      ${where === NEW && html`<${Field} label=${t("dashboards.name")} value=${fresh} maxlength="200" onInput=${setFresh} />`}
      <${Field} label=${t("dashboards.kind")} type="select" value=${kind} onInput=${setKind} options=${KINDS.map((each) => [each, t(`widgets.kind_${each}`)])} />
      <${Field} label=${t("dashboards.title_of")} value=${title} maxlength="200" onInput=${setTitle} />
      <p class="muted small break"><code>${members.topic}</code>${members.path && html` → <code>${members.path}</code>`}</p>
      <button type="submit" hidden></button>
    <//>
  <//>`;
}
