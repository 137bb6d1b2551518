// What a rule has counted, what it said last, and how its actions do.
import { html, t, Badge, Card, format } from "../../kit.js";

const { compact } = format;
const COUNTED = ["matched", "passed", "results", "failed", "skipped", "loops", "keys", "evicted"];

/** @param {{info: object}} props */
export function Counters({ info }) {
  return html`<${Card} title=${t("rules.counters")}>
    <dl class="counted">${COUNTED.filter((name, n) => n < 4 || info[name]).map((name) => html`
      <div key=${name} class=${name === "failed" && info.failed ? "is-error" : ""}><dt>${t(`rules.${name}`)}</dt><dd>${compact(info[name])}</dd></div>`)}</dl>
    ${info.last_error && html`<div><h3>${t("rules.last_error")}</h3><pre class="rule-pre" tabindex="0">${info.last_error}</pre></div>`}
    ${info.last_result && html`<div><h3>${t("rules.last_result")}</h3><pre class="rule-pre" tabindex="0">${JSON.stringify(info.last_result, null, 1)}</pre></div>`}
    ${info.actions.length > 0 && html`<ul class="stack tight">${info.actions.map((action) => html`<${ActionState} key=${action.number} action=${action} />`)}</ul>`}
  <//>`;
}

function ActionState({ action }) {
  const count = (name, kind) => action[name] > 0 && html`<${Badge} kind=${kind}>${t(`rules.action_${name}`)} ${compact(action[name])}<//>`;
  return html`<li class="action-state">
    <span class="row tight"><b>${action.number}. ${t(`rules.kind_${action.kind}`)}</b> <code class="break">${action.target}</code></span>
    <span class="row tight">${count("done", "ok")}${count("waiting", "warning")}${count("retries", "")}${count("failed", "error")}</span>
    ${action.reason && html`<p class="muted break">${action.reason}</p>`}
    ${action.dead_letters && action.failed > 0 && html`<p class="muted break">${t("rules.dead_letters", { file: action.dead_letters })}</p>`}
  </li>`;
}
