// All dashboards, and how a new one is made.
import { Ago, Badge, Button, Dialog, Empty, Field, Form, Icon, Menu, Page, ProblemNotice, Search, Loading, attempt, can, confirm, get, go, href, html, path, post, put, t, useGet, useState } from "../kit.js";
import { content, removeBoard } from "./board.js";
import { newId } from "../widgets/registry.js";
import { NAMES, widgetsOf } from "./templates.js";
import { Import, downloadOf } from "./transfer.js";

export function BoardList() {
  const { data, problem, reload } = useGet("dashboards", {}, { every: 30 });
  const [asked, ask] = useState(null);
  const [search, setSearch] = useState("");
  const edits = can("operator");
  const items = (data?.items ?? []).filter((each) => each.title.toLowerCase().includes(search.toLowerCase()));

  async function remove(board) {
    const sure = await confirm({ title: t("dashboards.remove"), text: t("dashboards.remove_text", { title: board.title }), action: t("dashboards.remove") });
    if (sure && await attempt(() => removeBoard(board.id), t("dashboards.removed", { title: board.title }))) reload();
  }
  const copy = (board) => attempt(async () => {
    const doc = await get(path("dashboards", board.id));
    await post("dashboards", { ...content(doc), title: t("dashboards.copy_of", { title: doc.title }).slice(0, 200), widgets: doc.widgets.map((each) => ({ ...each, id: newId() })) });
    reload();
  });
  const menu = (board) => [
    edits && { label: t("dashboards.rename"), icon: "edit", onSelect: () => ask({ rename: board }) },
    edits && { label: t("dashboards.duplicate"), icon: "copy", onSelect: () => copy(board) },
    { label: t("dashboards.export"), icon: "download", onSelect: () => attempt(() => downloadOf(board.id)) },
    edits && { label: t("dashboards.remove"), icon: "trash", danger: true, onSelect: () => remove(board) },
  ].filter(Boolean);

  const actions = edits && html`<${Button} icon="upload" onClick=${() => { ask({ import: true }); }}>${t("dashboards.import")}<//>
    <${Button} kind="primary" icon="plus" onClick=${() => { ask({ create: true }); }}>${t("dashboards.new")}<//>`;
  return html`<${Page} title=${t("dashboards.title")} about=${t("dashboards.about")} actions=${actions}>
    <${ProblemNotice} problem=${problem} retry=${reload} />
    ${!data && !problem && html`<${Loading} />`}
    ${data && data.items.length === 0 && html`<${Empty} icon="dashboards" title=${t("dashboards.none")} actions=${edits && html`<${Button} kind="primary" icon="plus" onClick=${() => { ask({ create: true }); }}>${t("dashboards.new")}<//>`}>
      ${edits ? t("dashboards.none_text") : t("dashboards.none_viewer")}<//>`}
    ${data && data.items.length > 6 && html`<div class="row"><${Search} value=${search} onInput=${setSearch} label=${t("dashboards.search")} /></div>`}
    ${items.length > 0 && html`<ul class="boards">${items.map((board) => html`<li class="card" key=${board.id}>
      <a class="board-link" href=${href("dashboards", board.id)}><${Icon} name="dashboards" size=${20} /><strong class="break">${board.title}</strong></a>
      <p class="muted small">${t("dashboards.widgets", { n: board.widgets })} · <${Ago} at=${board.updated_at} />
        ${board.shared && html` <${Badge} icon="link">${t("dashboards.shared")}<//>`}</p>
      <${Menu} label=${t("dashboards.actions_of", { title: board.title })} items=${menu(board)} />
    </li>`)}</ul>`}
    ${asked?.create && html`<${Create} onClose=${() => ask(null)} />`}
    ${asked?.rename && html`<${Rename} board=${asked.rename} onClose=${() => ask(null)} onDone=${() => { ask(null); reload(); }} />`}
    ${asked?.import && html`<${Import} onClose=${() => ask(null)} onDone=${(board) => go("dashboards", board.id)} />`}
  <//>`;
}

function Create({ onClose }) {
  const [title, setTitle] = useState("");
  const [template, setTemplate] = useState("empty");
  const make = () => attempt(async () => {
    const name = title.trim() || t(template === "empty" ? "dashboards.first_title" : `dashboards.template_${template}`);
    const board = await post("dashboards", { title: name, widgets: widgetsOf(template) });
    go("dashboards", board.id, { edit: 1 });
  });
  return html`<${Dialog} wide title=${t("dashboards.new")} onClose=${onClose} footer=${html`
    <${Button} onClick=${() => { onClose(); }}>${t("ui.cancel")}<//><${Button} kind="primary" onClick=${make}>${t("dashboards.create")}<//>`}>
    <${Form} onSubmit=${make}>
      <${Field} label=${t("dashboards.name")} value=${title} maxlength="200" placeholder=${t("dashboards.first_title")} onInput=${setTitle} />
      <fieldset class="templates"><legend>${t("dashboards.begin_with")}</legend>${NAMES.map((name) => html`
        <label key=${name} class="template"><input type="radio" name="template" value=${name} checked=${template === name} onChange=${() => setTemplate(name)} />
          <span><strong>${t(`dashboards.template_${name}`)}</strong><small class="muted">${t(`dashboards.template_${name}_about`)}</small></span></label>`)}</fieldset>
      <button type="submit" hidden></button>
    <//>
  <//>`;
}

function Rename({ board, onClose, onDone }) {
  const [title, setTitle] = useState(board.title);
  const save = async () => {
    if (!title.trim()) return;
    const done = await attempt(async () => {
      const { data, etag } = await get.tagged(path("dashboards", board.id));
      await put(path("dashboards", board.id), content({ ...data, title: title.trim() }), { ifMatch: etag });
    });
    if (done) onDone();
  };
  return html`<${Dialog} title=${t("dashboards.rename")} onClose=${onClose} footer=${html`
    <${Button} onClick=${() => { onClose(); }}>${t("ui.cancel")}<//><${Button} kind="primary" disabled=${!title.trim()} onClick=${save}>${t("dashboards.rename")}<//>`}>
    <${Form} onSubmit=${save}><${Field} label=${t("dashboards.name")} value=${title} maxlength="200" onInput=${setTitle} /><//>
  <//>`;
}
