// One dashboard: its widgets live, and in edit mode everything that changes it.
import { Button, Dialog, Empty, Loading, Menu, Notice, Page, ProblemNotice, attempt, can, Field, Form, get, go, href, html, liveState, post, setQuery, t, toast, useEffect, useMemo, useRef, useState } from "../kit.js";
import { WidgetFrame } from "../widgets/frame.js";
import { KINDS, makeWidget } from "../widgets/registry.js";
import { Board, content } from "./board.js";
import { Editor } from "./editor.js";
import { Feed } from "./feed.js";
import { Grid } from "./grid.js";
import { Kiosk, enterKiosk } from "./kiosk.js";
import { Palette } from "./palette.js";
import { Share } from "./share.js";
import { download } from "./transfer.js";

const TURNS = [15, 30, 60];

export function BoardView({ id, query }) {
  const [board, setBoard] = useState(null);
  const [problem, setProblem] = useState(null);
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    let gone = false;
    setBoard(null);
    setProblem(null);
    Board.load(id).then((found) => !gone && setBoard(found), (failed) => !gone && setProblem(failed));
    return () => { gone = true; };
  }, [id, turn]);
  if (problem) {
    return html`<${Page} title=${t("dashboards.title")}><${ProblemNotice} problem=${problem} retry=${() => setTurn(turn + 1)} />
      <div><${Button} icon="left" href=${href("dashboards")}>${t("dashboards.back")}<//></div><//>`;
  }
  return board ? html`<${Opened} key=${id} board=${board} query=${query} />` : html`<${Page} title=${t("dashboards.title")}><${Loading} /><//>`;
}

function Opened({ board, query }) {
  const doc = board.doc.value;
  const edits = can("operator");
  const editing = edits && query.edit === "1";
  const kiosk = query.kiosk === "1";
  const [asked, ask] = useState(null);
  const feed = useFeed({ id: doc.id, widgets: doc.widgets, onVersion: (version) => board.changed(version) });
  const specs = useSpecs(doc.widgets.some((widget) => widget.kind === "python"));

  useEffect(() => {
    const leave = (event) => {
      if (board.state.peek() === "saved") return;
      board.save();
      event.preventDefault();
    };
    const keys = (event) => {
      if (!editing || !(event.ctrlKey || event.metaKey) || event.key !== "z" || event.shiftKey || /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName)) return;
      event.preventDefault();
      board.undo();
    };
    addEventListener("beforeunload", leave);
    addEventListener("keydown", keys);
    return () => {
      removeEventListener("beforeunload", leave);
      removeEventListener("keydown", keys);
    };
  }, [editing]);
  useEffect(() => () => { board.save(); }, []);

  const removeWidget = (widget) => {
    board.removeWidget(widget.id);
    toast(t("dashboards.widget_removed"), "ok", { label: t("dashboards.undo"), onClick: () => board.undo() });
  };
  const act = edits ? publish : null;
  const grid = html`<${Grid} widgets=${doc.widgets} columns=${doc.columns ?? 12} editing=${editing && !kiosk} onPlace=${(places) => board.place(places)}
    onEdit=${(widget) => ask({ edit: widget })} onRemove=${removeWidget}>
    ${(widget, keys) => html`<${WidgetFrame} widget=${widget} data=${feed.source(widget.id)} live=${live()} act=${act} inert=${editing} spec=${specs[widget.options?.widget]}
      tools=${keys && html`<${Tools} widget=${widget} keys=${keys} board=${board} onEdit=${() => ask({ edit: widget })} onRemove=${() => removeWidget(widget)} />`} />`}
  <//>`;
  if (kiosk) return html`<${Kiosk} id=${doc.id} title=${doc.title} seconds=${Number(query.every) || 0}>${grid}<//>`;

  const more = [
    editing && { label: t("dashboards.tidy"), icon: "up", onSelect: () => board.tidy() },
    edits && { label: t("dashboards.rename"), icon: "edit", onSelect: () => ask({ rename: true }) },
    can("admin") && { label: t("dashboards.share"), icon: "link", onSelect: () => ask({ share: true }) },
    { label: t("dashboards.export"), icon: "download", onSelect: () => download(doc) },
    ...TURNS.map((seconds) => ({ label: t("dashboards.rotate", { seconds }), icon: "refresh", onSelect: () => enterKiosk(doc.id, seconds) })),
  ].filter(Boolean);
  const actions = html`
    ${editing && html`<${Saved} board=${board} />
      <${Button} icon="undo" label=${t("dashboards.undo")} disabled=${board.undoable.value === 0} onClick=${() => { board.undo(); }} />
      <${Button} icon="plus" onClick=${() => { ask({ palette: true }); }}>${t("dashboards.add_widget")}<//>`}
    ${edits && html`<${Button} icon=${editing ? "check" : "edit"} kind=${editing ? "primary" : ""} onClick=${() => { setQuery({ edit: editing ? null : "1" }); }}>${t(editing ? "dashboards.done" : "dashboards.edit")}<//>`}
    <${Button} icon="full" label=${t("dashboards.full_screen")} onClick=${() => { enterKiosk(doc.id); }} />
    <${Menu} label=${t("dashboards.more")} kind="" items=${more} />`;
  return html`<${Page} title=${doc.title} actions=${actions} about=${html`<a href=${href("dashboards")}>${t("dashboards.title")}</a>`}>
    ${feed.problem.value && html`<${Notice} kind="warning" title=${t("dashboards.feed_problem")}>${feed.problem.value.message}<//>`}
    ${board.state.value === "failed" && html`<${ProblemNotice} problem=${board.problem.value} retry=${() => board.save()} />`}
    ${editing && html`<p class="muted small board-hint">${t("dashboards.edit_hint")}</p>`}
    ${doc.widgets.length === 0 && html`<${Empty} icon="dashboards" title=${t("dashboards.empty")} actions=${edits && html`
      <${Button} kind="primary" icon="plus" onClick=${() => { setQuery({ edit: "1" }); ask({ palette: true }); }}>${t("dashboards.add_widget")}<//>
      <${Button} icon="topics" href=${href("topics")}>${t("dashboards.to_topics")}<//>`}>${t("dashboards.empty_text")}<//>`}
    ${grid}
    ${asked?.palette && html`<${Palette} onClose=${() => ask(null)} onChoose=${(kind) => ask({ create: makeWidget(kind) })} />`}
    ${asked?.create && html`<${Editor} isNew widget=${asked.create} onClose=${() => ask(null)} onSave=${(widget) => { board.add(sized(widget)); ask(null); }} />`}
    ${asked?.edit && html`<${Editor} widget=${asked.edit} onClose=${() => ask(null)} onSave=${(widget) => { board.replace(widget); ask(null); }} />`}
    ${asked?.rename && html`<${Rename} board=${board} onClose=${() => ask(null)} />`}
    ${asked?.share && html`<${Share} id=${doc.id} shared=${doc.shared} onClose=${() => ask(null)} onChange=${(shared) => { board.doc.value = { ...board.doc.peek(), shared }; }} />`}
    ${board.state.value === "conflict" && html`<${Conflict} board=${board} />`}
  <//>`;
}

/** The feed of a dashboard, as long as a component is there; it follows the widgets. */
export function useFeed({ id, token, widgets, onVersion }) {
  const latest = useRef(onVersion);
  latest.current = onVersion;
  const feed = useMemo(() => new Feed({ id, token, onVersion: (version) => latest.current?.(version) }), [id, token]);
  useMemo(() => feed.show(widgets), [feed, widgets]);
  useEffect(() => () => feed.stop(), [feed]);
  return feed;
}

/** Whether what is shown is of now. */
export function live() {
  return liveState.value === "on";
}

async function publish(topic, payload, { qos, retain }) {
  await post("publish", { topic, payload, qos, retain });
}

function useSpecs(wanted) {
  const [specs, setSpecs] = useState({});
  useEffect(() => {
    if (!wanted) return;
    get("widgets").then(({ items }) => setSpecs(Object.fromEntries(items.map((item) => [item.name, item]))), () => {});
  }, [wanted]);
  return specs;
}

function sized(widget) {
  const [w, h] = KINDS[widget.kind].size;
  return { ...widget, w, h };
}

function Tools({ widget, keys, board, onEdit, onRemove }) {
  return html`<div class="w-tools">
    <button type="button" class="w-tool w-grip" aria-label=${t("dashboards.move_of", { title: widget.title || widget.topic })} title=${t("dashboards.move_keys")} aria-description=${t("dashboards.move_keys")} onKeyDown=${keys}>
      <svg viewBox="0 0 16 16" width="14" height="14" aria-hidden="true"><path d="M8 1v14M1 8h14M8 1 6 3M8 1l2 2M8 15l-2-2M8 15l2-2M1 8l2-2M1 8l2 2M15 8l-2-2M15 8l-2 2" /></svg></button>
    <${Button} kind="quiet" small icon="edit" label=${t("dashboards.edit_widget")} onClick=${() => { onEdit(); }} />
    <${Menu} small label=${t("dashboards.widget_actions")} items=${[
      { label: t("dashboards.duplicate"), icon: "copy", onSelect: () => board.duplicate(widget.id) },
      { label: t("dashboards.widget_remove"), icon: "trash", danger: true, onSelect: onRemove },
    ]} />
  </div>`;
}

function Saved({ board }) {
  const state = board.state.value;
  return html`<span class="muted small board-state" role="status">${t(`dashboards.state_${state}`)}</span>`;
}

function Rename({ board, onClose }) {
  const [title, setTitle] = useState(board.doc.peek().title);
  const save = () => {
    if (!title.trim()) return;
    board.rename(title.trim());
    onClose();
  };
  return html`<${Dialog} title=${t("dashboards.rename")} onClose=${onClose} footer=${html`
    <${Button} onClick=${() => { onClose(); }}>${t("ui.cancel")}<//><${Button} kind="primary" disabled=${!title.trim()} onClick=${save}>${t("dashboards.rename")}<//>`}>
    <${Form} onSubmit=${save}><${Field} label=${t("dashboards.name")} value=${title} maxlength="200" onInput=${setTitle} /><//>
  <//>`;
}

/** Somebody else has changed the dashboard: nobody's work is lost without being asked. */
function Conflict({ board }) {
  const copy = () => attempt(async () => {
    const doc = board.doc.peek();
    const made = await post("dashboards", { ...content(doc), title: t("dashboards.copy_of", { title: doc.title }).slice(0, 200) });
    board.state.value = "saved";
    go("dashboards", made.id, { edit: 1 });
  });
  return html`<${Dialog} title=${t("dashboards.conflict")} onClose=${() => {}} footer=${html`
    <${Button} onClick=${() => attempt(() => board.reload())}>${t("dashboards.conflict_theirs")}<//>
    <${Button} onClick=${copy}>${t("dashboards.conflict_copy")}<//>
    <${Button} kind="danger" onClick=${() => board.save({ force: true })}>${t("dashboards.conflict_mine")}<//>`}>
    <p>${t("dashboards.conflict_text")}</p>
  <//>`;
}
