// The actions of a rule, as forms.
import { html, useState, t, Button, Card, Field } from "../../kit.js";
import { KINDS, options, read, written } from "./kinds.js";

const MOST = 32;

/** @param {{actions: object[], onChange: (actions: object[]) => void, readOnly?: boolean}} props */
export function Actions({ actions, onChange, readOnly = false }) {
  const put = (n, action) => onChange(actions.map((one, at) => (at === n ? action : one)));
  return html`<${Card} title=${t("rules.actions")}>
    ${actions.length === 0 && html`<p class="muted">${t("rules.actions_none")}</p>`}
    ${actions.map((action, n) => html`<${Action} key=${n} number=${n + 1} action=${action} readOnly=${readOnly}
      onChange=${(fresh) => put(n, fresh)} onRemove=${() => onChange(actions.filter((_, at) => at !== n))} />`)}
    ${!readOnly && actions.length < MOST && html`<${Field} label=${t("rules.action_add")} hideLabel type="select" value=""
      key=${actions.length} options=${[["", t("rules.action_add")], ...Object.keys(KINDS).map((kind) => [kind, t(`rules.kind_${kind}`)])]}
      onInput=${(kind) => kind && onChange([...actions, { kind }])} />`}
  <//>`;
}

function Action({ number, action, readOnly, onChange, onRemove }) {
  const [main, more] = options(action.kind);
  const set = (key, option) => (text) => {
    const fresh = { ...action };
    const value = read(option, text);
    if (value === undefined) delete fresh[key];
    else fresh[key] = value;
    onChange(fresh);
  };
  const known = new Set([...main, ...more].map(([key]) => key));
  // Options such as `password_env`, which name where a value is, are kept and shown as they are.
  const others = Object.entries(action).filter(([key]) => key !== "kind" && !known.has(key));
  const field = ([key, option]) => html`<${Option} key=${key} name=${key} option=${option} value=${action[key]}
    readOnly=${readOnly} onText=${set(key, option)} />`;
  return html`<fieldset class="action">
    <legend>${number}. ${t(`rules.kind_${action.kind}`)}</legend>
    <p class="muted">${t(`rules.does_${action.kind}`)}</p>
    ${!readOnly && html`<${Button} small kind="quiet" icon="trash" label=${t("rules.action_remove", { number })} onClick=${() => { onRemove(); }} />`}
    ${main.map(field)}
    ${others.map(([key, value]) => html`<${Field} key=${key} label=${key} value=${String(value)} readonly mono />`)}
    ${more.length > 0 && html`<details class="fold" open=${more.some(([key]) => action[key] !== undefined)}>
      <summary>${t("rules.more_options")}</summary><div class="action-more">${more.map(field)}</div></details>`}
  </fieldset>`;
}

function Option({ name, option, value, readOnly, onText }) {
  const [draft, setDraft] = useState(null);
  const label = html`<code>${name}</code>${option.template && html` <abbr title=${t("rules.template")}>${"${}"}</abbr>`}`;
  const choices = option.choices ?? (option.type === "bool" ? ["true", "false"] : null);
  const text = draft ?? written(option, value);
  if (choices) {
    return html`<${Field} label=${label} type="select" value=${text} disabled=${readOnly} onInput=${onText}
      options=${[["", t("rules.by_default")], ...choices.map((one) => [one, one])]} />`;
  }
  const long = option.long || option.type === "templates" || name === "payload";
  const type = long ? "textarea" : option.secret && name !== "url" ? "password" : "text";
  // While somebody types, the text is theirs: "a, " must not become "a" below the fingers.
  return html`<${Field} label=${label} mono type=${type} rows=${long ? Math.min(6, text.split("\n").length + (option.long ? 2 : 0)) : undefined}
    value=${text} placeholder=${option.shown ?? option.example ?? ""} required=${option.required} readonly=${readOnly}
    autocomplete=${type === "password" ? "new-password" : "off"}
    onInput=${(typed) => { setDraft(typed); onText(typed); }} onBlur=${() => setDraft(null)} />`;
}
