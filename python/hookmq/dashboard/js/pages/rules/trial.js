// A rule on samples while it is written: every step, what it selects, and what its actions would do.
import {
  html, useEffect, useRef, useState, post, t, Button, Card, ProblemNotice, Field, Segments,
} from "../../kit.js";
import { pathsOf } from "./sql.js";

const QUIET = 350;

const FIRST = { topic: "sensors/roof/temp", payload: '{"temp": 31}' };

/**
 * @param {{rule: {sql: string, actions: object[]}, onProblem: (problem: object|null) => void,
 *   onPaths: (paths: string[]) => void}} props
 */
export function Trial({ rule, onProblem, onPaths }) {
  const [source, setSource] = useState("last");
  const [samples, setSamples] = useState([FIRST]);
  const [outcome, setOutcome] = useState({ state: "waits" });
  const turn = useRef(0);
  const [again, setAgain] = useState(0);
  const asked = JSON.stringify([rule.sql, rule.actions, source, source === "own" && samples, again]);

  useEffect(() => {
    if (!rule.sql.trim()) {
      setOutcome({ state: "empty" });
      onProblem(null);
      return undefined;
    }
    turn.current += 1;
    const mine = turn.current;
    const timer = setTimeout(async () => {
      const found = await tried(rule, source === "own" ? samples.map(sampleOf) : null);
      if (mine !== turn.current) return;
      setOutcome(found);
      onProblem(found.state === "wrong" ? found.problem : null);
      const seen = found.trials && payloadOf(found.trials[0].sample);
      onPaths(pathsOf(typeof seen === "string" ? parsed(seen) : seen));
    }, QUIET);
    return () => clearTimeout(timer);
  }, [asked]);

  const change = (n, part) => setSamples(samples.map((one, at) => (at === n ? { ...one, ...part } : one)));
  return html`<${Card} title=${t("rules.trial")} actions=${html`
    <${Segments} label=${t("rules.trial_on")} value=${source} onChange=${setSource}
      options=${["last", "own"].map((one) => [one, t(`rules.trial_${one}`)])} />
    <${Button} kind="quiet" icon="refresh" label=${t("rules.trial_again")} onClick=${() => { setAgain(again + 1); }} />`}>
    ${source === "own" && html`
      ${samples.map((sample, n) => html`<${Sample} key=${n} number=${n + 1} sample=${sample} onChange=${(part) => change(n, part)}
        onRemove=${samples.length > 1 ? () => setSamples(samples.filter((_, at) => at !== n)) : null} />`)}
      <div><${Button} small icon="plus" disabled=${samples.length >= 10}
        onClick=${() => { setSamples([...samples, { ...samples.at(-1) }]); }}>${t("rules.sample_add")}<//></div>`}
    <div class="stack" aria-live="polite"><${Outcome} outcome=${outcome} onOwn=${() => { setSource("own"); }} /></div>
  <//>`;
}

function Sample({ number, sample, onChange, onRemove }) {
  const field = (name, more = {}) => html`<${Field} label=${t(`rules.sample_${name}`)} mono value=${sample[name]}
    onInput=${(text) => onChange({ [name]: text })} ...${more} />`;
  return html`<fieldset class="sample">
    <legend>${t("rules.sample", { number })}</legend>
    ${onRemove && html`<${Button} small kind="quiet" icon="close" label=${`${t("rules.sample_remove")} ${number}`} onClick=${() => { onRemove(); }} />`}
    ${field("topic")} ${field("clientid")} ${field("payload", { type: "textarea", rows: "2", class: "whole" })}
  </fieldset>`;
}

function Outcome({ outcome, onOwn }) {
  if (outcome.state === "waits") return html`<p class="muted">${t("rules.trial_waits")}</p>`;
  if (outcome.state === "empty") return html`<p class="muted">${t("rules.trial_empty")}</p>`;
  if (outcome.state === "wrong") return html`<p class="muted">${t("rules.trial_wrong")}</p>`;
  if (outcome.state === "nothing") {
    return html`<p class="muted">${t("rules.trial_nothing")}</p><div><${Button} small onClick=${onOwn}>${t("rules.trial_own")}<//></div>`;
  }
  if (outcome.state === "failed") return html`<${ProblemNotice} problem=${outcome.problem} />`;
  return outcome.trials.map((trial, n) => html`<${One} key=${n} trial=${trial} number=${outcome.trials.length > 1 ? n + 1 : null} />`);
}

function One({ trial, number }) {
  const { topic, clientid, event } = trial.sample;
  const payload = payloadOf(trial.sample);
  const passed = trial.results.length > 0;
  return html`
    <article class="trial-one">
      <p class="trial-sample">
        ${number && html`<strong>${number}.</strong> `}<code>${topic ?? event ?? t("rules.trial_time")}</code>
        ${payload !== undefined && html` <code class="trial-payload">${short(payload)}</code>`}
        ${clientid && html` <span class="muted">${t("rules.trial_from", { client: clientid })}</span>`}
      </p>
      <ol class="steps">
        ${trial.steps.map((step) => html`
          <li class="step ${sign(step.value)}">
            <b>${step.step}</b><code class="step-text">${step.text}</code>
            <span class="step-value"><span class="sr">${t("rules.gives")}</span><code>${short(step.value)}</code>${step.note && html` <small>${step.note}</small>`}</span>
          </li>`)}
      </ol>
      ${trial.error && html`<pre class="trial-error" role="alert">${trial.error}</pre>`}
      ${!trial.error && html`
        <p class="verdict ${passed ? "is-passed" : "is-stopped"}">${passed ? t("rules.selects", { n: trial.results.length }) : t("rules.selects_nothing")}</p>`}
      ${trial.results.map((result) => html`<pre class="trial-result">${JSON.stringify(result, null, 1)}</pre>`)}
      ${trial.actions.length > 0 && html`
        <h3>${t("rules.would")}</h3>
        <ul class="would">
          ${trial.actions.map(({ number: action, kind, would }) => html`
            <li><b>${action}. ${t(`rules.kind_${kind}`)}</b>
              <dl>${Object.entries(would).map(([key, value]) => html`<div class=${key === "error" ? "is-wrong" : ""}><dt>${key}</dt><dd><code>${short(value)}</code></dd></div>`)}</dl>
            </li>`)}
        </ul>`}
    </article>`;
}

const sign = (value) => (value === true ? "is-true" : value === false || value === null ? "is-false" : "");

const short = (value) => {
  const text = typeof value === "string" ? value : JSON.stringify(value) ?? "";
  return text.length > 600 ? `${text.slice(0, 600)}…` : text;
};

/** The payload of a sample; bytes as the text that they are, if they are one. */
function payloadOf({ payload }) {
  if (typeof payload?.$base64 !== "string") return payload;
  const bytes = Uint8Array.from(atob(payload.$base64), (each) => each.charCodeAt(0));
  return new TextDecoder().decode(bytes);
}

/** A sample as the API takes it: a payload that is JSON is a value, anything else a text. */
export function sampleOf({ topic, payload, clientid }) {
  return { topic, payload: parsed(payload), ...(clientid ? { clientid } : {}) };
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

async function tried(rule, samples) {
  const actions = rule.actions.filter((action) => action.kind);
  try {
    const { trials } = await post("rules/test", {
      rule: { name: rule.name || "rule", sql: rule.sql, actions },
      ...(samples ? { samples } : {}),
    });
    return { state: "tried", trials };
  } catch (error) {
    if (error.line) return { state: "wrong", problem: { line: error.line, column: error.column, length: error.length ?? 1, message: said(error), hint: error.hint } };
    if (error.code === "E709" && !samples) return { state: "nothing" };
    return { state: "failed", problem: error };
  }
}

/** What is wrong without the excerpt, which the editor draws itself. */
export const said = (error) => error.message.split("\n")[0].replace(/^.*?line \d+, column \d+: /u, "");
