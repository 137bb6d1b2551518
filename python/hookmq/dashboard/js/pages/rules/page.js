// One rule: written on the left, tried on the right.
import {
  html, useEffect, useState, useGet, get, path, post, put, remove, t, go, href, can, Badge, Button,
  Card, Empty, Loading, Notice, Page, ProblemNotice, Field, attempt, confirm, Dialog, toast,
} from "../../kit.js";
import { Changes } from "../../parts/changes.js";
import { Editor } from "../../parts/editor.js";
import { Actions } from "./actions.js";
import { Counters } from "./counters.js";
import { completions, tokens } from "./sql.js";
import { Switch } from "./switch.js";
import { said, Trial } from "./trial.js";
import { textOf, Versions } from "./versions.js";

/** The name of the page on which a rule is made: no rule can be called so. */
export const NEW = "+";

export const EXAMPLE = `SELECT payload.temp AS t, clientid
FROM "sensors/+/temp"
WHERE payload.temp > 30`;

const FIRST = {
  name: "", sql: EXAMPLE, description: "", enabled: true,
  actions: [{ kind: "republish", topic: "alarm/${clientid}", payload: "${t} degrees" }],
};

/** @param {{name: string, info?: object}} props `info`: its counters, as they are now */
export function RulePage({ name, info }) {
  const fresh = name === NEW;
  const found = useGet(fresh ? null : path("rules", name));
  const back = html`<${Button} icon="left" href=${href("rules")}>${t("rules.back")}<//>`;
  if (found.problem) {
    const gone = found.problem.status === 404;
    return html`<${Page} title=${name} actions=${back}>${gone
      ? html`<${Card}><${Empty} icon="search" title=${t("rules.not_found", { name })} /><//>
        ${can("admin") && html`<${Gone} name=${name} onBack=${found.reload} />`}`
      : html`<${ProblemNotice} problem=${found.problem} retry=${found.reload} />`}<//>`;
  }
  if (fresh) return html`<${Writing} rule=${begun ?? FIRST} back=${back} />`;
  if (!found.data) return html`<${Page} title=${name} actions=${back}><${Loading} /><//>`;
  return html`<${Writing} rule=${found.data.rule} etag=${found.etag} info=${info ?? found.data.info} back=${back} onSaved=${found.reload} />`;
}

/** What a new rule begins as: like one that is to be copied, or the first one of all. */
let begun = null;

/** The versions of a rule that was removed: one of them can be restored. */
function Gone({ name, onBack }) {
  return html`<${Card} title=${t("rules.versions")}><${Versions} name=${name} now=${0} current=${null} onRestore=${restoring(name, onBack)} /><//>`;
}

const restoring = (name, done) => async ({ version }) => {
  if (await attempt(() => post(`${path("rules", name)}/versions/${version}/restore`), t("rules.restored", { version }))) done();
};

function Writing({ rule: stored, etag = null, info = null, back, onSaved }) {
  const fresh = info === null;
  const mayWrite = can("admin") && (fresh || info.source === "api");
  const [rule, setRule] = useState(stored);
  // What is stored as far as this page has seen it: what differs from it was typed here.
  const [base, setBase] = useState(stored);
  const [problem, setProblem] = useState(null);
  const [wrong, setWrong] = useState(null);
  const [paths, setPaths] = useState([]);
  const [conflict, setConflict] = useState(null);
  const [tag, setTag] = useState(etag);
  const functions = useGet("rules/functions", { limit: 1000 });
  const changed = fresh || JSON.stringify(rule) !== JSON.stringify(base);
  // What somebody else stored is taken over, unless it would undo what is typed here.
  const takeOver = (other, version) => { setRule(other); setBase(other); setTag(version); };
  useEffect(() => { if (!changed) takeOver(stored, etag); }, [stored, etag]);
  useEffect(() => {
    if (!changed) return undefined;
    const stay = (event) => event.preventDefault();
    addEventListener("beforeunload", stay);
    return () => removeEventListener("beforeunload", stay);
  }, [changed]);
  const sql = () => rule.sql ?? info?.sql ?? "";
  const known = functions.data?.items;
  const change = (part) => setRule({ ...rule, ...part });

  async function save(over = tag) {
    setWrong(null);
    try {
      if (fresh) {
        await post("rules", rule);
        begun = null;
        toast(t("rules.created", { name: rule.name }));
        return go("rules", rule.name);
      }
      const saved = await put.tagged(path("rules", rule.name), rule, { ifMatch: over });
      takeOver(saved.data.rule, saved.etag);
      setConflict(null);
      toast(t("rules.saved", { name: rule.name }));
      return onSaved();
    } catch (error) {
      if (error.status === 412) return setConflict(await get.tagged(path("rules", rule.name)));
      if (error.line) return setProblem({ line: error.line, column: error.column, length: error.length ?? 1, message: said(error), hint: error.hint });
      return setWrong(error);
    }
  }

  async function drop() {
    const { name } = rule;
    if (!await confirm({ title: t("rules.delete_title", { name }), text: t("rules.delete_text"), action: t("rules.delete") })) return;
    if (!await attempt(() => remove(path("rules", name), {}, { ifMatch: tag }))) return;
    go("rules");
    toast(t("rules.deleted", { name }), "ok", { label: t("rules.undo"), href: href("rules", name) });
  }

  const keys = (event) => {
    if (event.key === "s" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      if (mayWrite && changed) save();
    }
  };
  const copy = () => {
    const { name, ...rest } = rule;
    begun = { ...rest, sql: sql(), name: `${name}-copy` };
    go("rules", NEW);
  };
  const actions = html`${back}
    ${!fresh && can("admin") && html`<${Button} icon="copy" onClick=${() => { copy(); }}>${t("rules.copy")}<//>`}
    ${!fresh && mayWrite && html`<${Button} kind="danger" icon="trash" onClick=${() => { drop(); }}>${t("rules.delete")}<//>`}`;
  const title = fresh ? t("rules.new_title") : rule.name;
  return html`<${Page} title=${title} about=${info && html`<span class="row tight">${t("rules.source")} ${t(`rules.source_${info.source}`)}
    ${info.where && html`<code>${info.where}</code>`} <${Switch} rule=${info} /></span>`} actions=${actions}>
    ${!fresh && info.source !== "api" && can("admin") && html`<${Notice} kind="info">${t("rules.written_elsewhere", { where: info.where })}<//>`}
    ${info?.problem && html`<${Notice} kind="error" title=${t("rules.has_problem")}><pre class="rule-pre" tabindex="0">${info.problem}</pre><//>`}
    <div class="split rule-split" onKeyDown=${keys}>
      <div class="stack">
        <${Card}>
          ${fresh && html`<${Field} label=${t("rules.name")} help=${t("rules.name_help")} value=${rule.name} required mono onInput=${(text) => change({ name: text })} />`}
          ${(mayWrite || rule.description) && html`<${Field} label=${t("rules.description")} value=${rule.description ?? ""} readonly=${!mayWrite} onInput=${(text) => change({ description: text })} />`}
          <${Editor} id="sql" label=${t("rules.sql")} value=${sql()} readOnly=${!mayWrite} problem=${problem}
            placeOf=${(line, column) => t("rules.at_line", { line, column })} tokens=${tokens} help=${t("rules.editor_keys")}
            complete=${(text, at, all) => completions(text, at, { functions: known, paths, all })} offered=${t("rules.offer")}
            kindOf=${(kind) => t(`rules.offer_${kind}`)} onInput=${(text) => change({ sql: text })} />
        <//>
        <${Actions} actions=${rule.actions ?? []} readOnly=${!mayWrite} onChange=${(list) => change({ actions: list })} />
        ${wrong && html`<${ProblemNotice} problem=${wrong} />`}
        ${mayWrite && html`<div class="rule-save row">
          <${Button} kind="primary" icon="check" disabled=${!changed || (fresh && !rule.name)} onClick=${() => save()}>${t(fresh ? "rules.create" : "rules.save")}<//>
          ${!fresh && changed && html`<${Badge} kind="warning">${t("rules.unsaved")}<//>
            <${Button} kind="quiet" onClick=${() => { takeOver(stored, etag); setProblem(null); setWrong(null); }}>${t("rules.discard")}<//>`}
        </div>`}
      </div>
      <div class="stack">
        ${can("operator") && html`<${Trial} rule=${{ ...rule, sql: sql(), actions: rule.actions ?? [] }}
          onProblem=${setProblem} onPaths=${setPaths} />`}
        ${info && html`<${Counters} info=${info} />`}
        ${info?.source === "api" && html`<${Card} title=${t("rules.versions")}>
          <${Versions} name=${rule.name} now=${tag} current=${true} onRestore=${mayWrite ? restoring(rule.name, onSaved) : null} /><//>`}
      </div>
    </div>
    ${conflict && html`<${Conflict} mine=${rule} theirs=${conflict.data.rule} onClose=${() => setConflict(null)}
      onTheirs=${() => { takeOver(conflict.data.rule, conflict.etag); setConflict(null); onSaved(); }}
      onMine=${() => save(conflict.etag)} />`}
  <//>`;
}

function Conflict({ mine, theirs, onClose, onTheirs, onMine }) {
  return html`<${Dialog} wide title=${t("rules.conflict_title")} onClose=${onClose} footer=${html`
    <${Button} onClick=${() => { onTheirs(); }}>${t("rules.conflict_theirs")}<//>
    <${Button} kind="danger" sure onClick=${() => onMine()}>${t("rules.conflict_mine")}<//>`}>
    <p>${t("rules.conflict_text")}</p>
    <${Changes} label=${t("rules.difference")} before=${textOf(theirs)} after=${textOf(mine)} />
  <//>`;
}
