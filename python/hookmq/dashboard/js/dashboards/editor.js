// The dialog that sets what a widget shows and how, with the widget as it will be beside it.
import { Button, Check, Dialog, Field, Form, get, hasText, html, t, useCallback, useEffect, useState } from "../kit.js";
import { GROUPS, KINDS } from "../widgets/registry.js";
import { Preview } from "./preview.js";
import { Choice, offerPaths, offerTopics } from "./topics.js";

const SPANS = [0, 300, 900, 3600, 6 * 3600, 86400, 7 * 86400, 30 * 86400];
const COLORS = ["ok", "warning", "error"];

export function Editor({ widget, isNew, onSave, onClose }) {
  const [draft, setDraft] = useState(widget);
  const [problem, setProblem] = useState({});
  const about = KINDS[draft.kind];
  const set = (members) => setDraft((before) => ({ ...before, ...members }));
  const setOption = (name, value) => setDraft((before) => {
    const options = { ...before.options, [name]: value };
    if (value === "" || value === null || value === undefined) delete options[name];
    return { ...before, options };
  });
  const has = (name) => about.fields.includes(name);

  function save() {
    const found = check(draft);
    setProblem(found);
    if (Object.keys(found).length === 0) onSave(tidy(draft));
  }
  const many = about.topic === "many";
  const askTopics = useCallback((text) => offerTopics(text, many), [many]);
  const askCommand = useCallback((text) => offerTopics(text, false), []);
  const numeric = !["text", "table", "log", "led"].includes(draft.kind);
  const askPaths = useCallback((text) => offerPaths(draft.topic, text, numeric), [draft.topic, numeric]);
  const kinds = GROUPS.flatMap((group) => Object.keys(KINDS).filter((kind) => KINDS[kind].group === group)).map((kind) => [kind, t(`widgets.kind_${kind}`)]);

  return html`<${Dialog} wide title=${t(isNew ? "dashboards.add_widget" : "dashboards.edit_widget")} onClose=${onClose} footer=${html`
    <${Button} onClick=${() => { onClose(); }}>${t("ui.cancel")}<//><${Button} kind="primary" onClick=${save}>${t(isNew ? "dashboards.add" : "dashboards.apply")}<//>`}>
    <div class="editor">
      <${Form} onSubmit=${save}>
        <div class="pair">
          <${Field} label=${t("dashboards.kind")} type="select" options=${kinds} value=${draft.kind} onInput=${(kind) => set({ kind, options: kept(draft, kind) })} />
          <${Field} label=${t("dashboards.title_of")} value=${draft.title} maxlength="200" onInput=${(title) => set({ title })} />
        </div>
        ${about.topic !== "none" && html`<${Choice} label=${many ? t("dashboards.filter") : t("dashboards.topic")} value=${draft.topic} onInput=${(topic) => set({ topic })} ask=${askTopics}
          placeholder=${many ? "plant/+/temperature" : "plant/1/temperature"} help=${about.command ? t("dashboards.state_help") : many ? t("dashboards.filter_help") : t("dashboards.topic_help")} />`}
        ${problem.topic && html`<span class="wrong" role="alert">${problem.topic}</span>`}
        ${has("path") && html`<${Choice} label=${t("dashboards.path")} value=${draft.path} onInput=${(path) => set({ path })} ask=${askPaths} placeholder=${t("dashboards.whole_payload")} help=${t("dashboards.path_help")} />`}
        ${about.options.map((option) => html`<${Option} key=${option.name} option=${option} value=${draft.options[option.name]} onInput=${(value) => setOption(option.name, value)}
          askCommand=${askCommand} askPaths=${askPaths} problem=${problem[option.name]} />`)}
        ${(has("unit") || has("scale") || has("decimals")) && html`<div class="pair small-fields">
          ${has("unit") && html`<${Field} label=${t("dashboards.unit")} value=${draft.unit} maxlength="32" placeholder="°C" onInput=${(unit) => set({ unit })} />`}
          ${has("scale") && html`<${Field} label=${t("dashboards.min")} type="number" step="any" value=${draft.min} onInput=${(min) => set({ min: numberOf(min) })} error=${problem.scale} />
            <${Field} label=${t("dashboards.max")} type="number" step="any" value=${draft.max} onInput=${(max) => set({ max: numberOf(max) })} />`}
          ${has("decimals") && html`<${Field} label=${t("dashboards.decimals")} type="number" min="0" max="10" value=${draft.decimals} placeholder=${t("dashboards.auto")} onInput=${(text) => set({ decimals: numberOf(text) })} />`}
        </div>`}
        ${has("span") && html`<${Field} label=${t("dashboards.span")} type="select" value=${draft.span} help=${t("dashboards.span_help")}
          options=${spans(draft.span).map((span) => [span, spanText(span)])} onInput=${(span) => set({ span: Number(span) })} />`}
        ${has("thresholds") && html`<${Thresholds} value=${draft.thresholds} onChange=${(thresholds) => set({ thresholds })} />`}
        <button type="submit" hidden></button>
      <//>
      <aside class="preview" aria-label=${t("dashboards.preview")}><${Preview} widget=${draft} /></aside>
    </div>
  <//>`;
}

function Option({ option, value, onInput, askCommand, askPaths, problem }) {
  const label = t(`widgets.option_${option.name}`);
  const help = hasText(`widgets.help_${option.name}`) ? t(`widgets.help_${option.name}`) : undefined;
  if (option.type === "boolean") return html`<${Check} label=${label} checked=${value ?? option.initial} onChange=${onInput} />`;
  if (option.type === "topic") return html`<${Choice} label=${label} value=${value} onInput=${onInput} ask=${askCommand} help=${problem ?? help} placeholder="plant/1/pump/set" />`;
  if (option.type === "path") return html`<${Choice} label=${label} value=${value} onInput=${onInput} ask=${askPaths} help=${help} />`;
  if (option.type === "widget") return html`<${PythonChoice} label=${label} help=${help} value=${value} onInput=${onInput} />`;
  if (option.type === "list") {
    return html`<${Field} label=${label} mono value=${(value ?? []).join(", ")} help=${help}
      onInput=${(text) => onInput(text.trim() ? text.split(",").map((part) => part.trim()).filter(Boolean) : null)} />`;
  }
  if (option.type === "select") {
    return html`<${Field} label=${label} type="select" value=${value ?? option.initial} options=${option.choices.map((choice) => [choice, option.name === "qos" ? String(choice) : t(`widgets.${option.name}_${choice}`)])}
      onInput=${(text) => onInput(option.numeric ? Number(text) : text)} />`;
  }
  if (option.type === "number") {
    return html`<${Field} label=${label} type="number" step="any" min=${option.min} max=${option.max} value=${value ?? ""} placeholder=${option.initial ?? t("dashboards.auto")} help=${help} error=${problem}
      onInput=${(text) => onInput(numberOf(text))} />`;
  }
  return html`<${Field} label=${label} value=${value} mono placeholder=${option.sample} help=${help} onInput=${onInput} />`;
}

/** The widgets that the app defines. */
function PythonChoice({ label, help, value, onInput }) {
  const [items, setItems] = useState(null);
  useEffect(() => { get("widgets").then((answer) => setItems(answer.items), () => setItems([])); }, []);
  if (!items?.length) return html`<${Field} label=${label} mono value=${value} onInput=${onInput} help=${items ? t("dashboards.no_python") : help} />`;
  const options = [["", "–"], ...items.map((item) => [item.name, item.title || item.name])];
  if (value && !items.some((item) => item.name === value)) options.push([value, value]);
  return html`<${Field} label=${label} type="select" value=${value ?? ""} options=${options} help=${help} onInput=${onInput} />`;
}

function Thresholds({ value, onChange }) {
  const change = (index, members) => onChange(value.map((each, at) => (at === index ? { ...each, ...members } : each)));
  return html`<fieldset class="thresholds">
    <legend>${t("dashboards.thresholds")}</legend>
    ${value.map((each, index) => html`<div class="row nowrap" key=${index}>
      <span class="muted">≥</span>
      <${Field} hideLabel label=${t("dashboards.threshold_at")} type="number" step="any" value=${each.at} onInput=${(text) => change(index, { at: numberOf(text) ?? 0 })} />
      <${Field} hideLabel label=${t("dashboards.threshold_color")} type="select" value=${each.color} options=${COLORS.map((color) => [color, t(`widgets.level_${color}`)])} onInput=${(color) => change(index, { color })} />
      <${Button} kind="quiet" icon="trash" label=${t("dashboards.threshold_remove")} onClick=${() => { onChange(value.filter((_, at) => at !== index)); }} />
    </div>`)}
    <div><${Button} small icon="plus" onClick=${() => { onChange([...value, { at: (value.at(-1)?.at ?? 0) + (value.length ? 10 : 0), color: COLORS[Math.min(2, value.length)] }]); }}>${t("dashboards.threshold_add")}<//></div>
  </fieldset>`;
}

/** What is wrong with a draft, by field. */
function check(draft) {
  const about = KINDS[draft.kind];
  const found = {};
  if (about.topic !== "none" && !about.command && !draft.topic.trim()) found.topic = t("dashboards.needs_topic");
  if (draft.topic && !validFilter(draft.topic)) found.topic = t("dashboards.bad_filter");
  const command = draft.options.command ?? "";
  if (/[+#]/.test(command)) found.command = t("dashboards.command_wildcard");
  else if (about.command && !command && (!draft.topic || /[+#]/.test(draft.topic))) found.command = t("dashboards.needs_command");
  if (draft.min !== null && draft.max !== null && draft.min >= draft.max) found.scale = t("dashboards.bad_scale");
  return found;
}

function validFilter(filter) {
  return filter.split("/").every((level, index, all) => (level === "#" ? index === all.length - 1 : level === "+" || !/[+#]/.test(level)));
}

/** A draft without what its kind does not have, as of a kind that was chosen before. */
function tidy(draft) {
  const { topic, fields } = KINDS[draft.kind];
  const has = (name) => fields.includes(name);
  return {
    ...draft,
    topic: topic === "none" ? "" : draft.topic.trim(),
    path: has("path") ? draft.path.trim() : "",
    thresholds: has("thresholds") ? draft.thresholds : [],
    span: has("span") ? draft.span : 0,
    options: kept(draft, draft.kind),
  };
}

function kept(draft, kind) {
  const known = new Set(KINDS[kind].options.map((option) => option.name));
  return Object.fromEntries(Object.entries(draft.options).filter(([name]) => known.has(name)));
}

function numberOf(text) {
  return text === "" || text === null || !Number.isFinite(Number(text)) ? null : Number(text);
}

function spans(own) {
  return SPANS.includes(own) ? SPANS : [...SPANS, own].sort((a, b) => a - b);
}

function spanText(span) {
  if (span === 0) return t("dashboards.live_only");
  if (span % 86400 === 0) return t("dashboards.last_days", { n: span / 86400 });
  if (span % 3600 === 0) return t("dashboards.last_hours", { n: span / 3600 });
  return t("dashboards.last_minutes", { n: Math.round(span / 60) });
}
