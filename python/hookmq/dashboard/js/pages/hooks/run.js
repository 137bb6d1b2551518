// A hook on a message, now: what it returned, printed and raised.
import {
  html, useState, path, post, t, Button, ProblemNotice, Check, Field, Form, Segments, Payload, format,
} from "../../kit.js";
import { Frames } from "../../parts/frames.js";

const { duration } = format;

/** @param {{hook: {name: string, filter: string|null}}} props */
export function Run({ hook }) {
  const [source, setSource] = useState("last");
  const [sample, setSample] = useState({
    topic: exampleOf(hook.filter), payload: '{"level": 12}', qos: "0", retain: false, client_id: "",
  });
  const [outcome, setOutcome] = useState(null);
  const [busy, setBusy] = useState(false);
  const put = (name) => (value) => setSample({ ...sample, [name]: value });

  async function run() {
    setBusy(true);
    const { client_id: client, ...rest } = sample;
    const own = { ...rest, qos: Number(sample.qos), ...(client ? { client_id: client } : {}) };
    try {
      setOutcome({ done: await post(`${path("hooks", hook.id)}/run`, source === "last" ? { last: true } : own) });
    } catch (problem) {
      setOutcome({ problem });
    } finally {
      setBusy(false);
    }
  }

  return html`<${Form} onSubmit=${run}>
    <p class="muted">${t("hooks.run_note")}</p>
    <div><${Segments} label=${t("hooks.run_with")} value=${source} onChange=${setSource}
      options=${[["last", t("hooks.run_last")], ["sample", t("hooks.run_sample")]]} /></div>
    ${source === "sample" && html`<div class="hook-sample">
      <${Field} label=${t("hooks.run_topic")} value=${sample.topic} onInput=${put("topic")} mono required />
      <${Field} label=${t("hooks.run_client_id")} value=${sample.client_id} onInput=${put("client_id")} mono />
      <${Field} class="whole" label=${t("hooks.run_payload")} type="textarea" rows="4" value=${sample.payload} onInput=${put("payload")} />
      <${Field} label="QoS" type="select" value=${sample.qos} onInput=${put("qos")} options=${["0", "1", "2"].map((qos) => [qos, qos])} />
      <${Check} label=${t("hooks.run_retain")} checked=${sample.retain} onChange=${put("retain")} />
    </div>`}
    <div><${Button} kind="primary" type="submit" icon="play" disabled=${busy}>${t(busy ? "hooks.running" : "hooks.run_now")}<//></div>
    <div aria-live="polite">${outcome && html`<${Outcome} ...${outcome} />`}</div>
  <//>`;
}

function Outcome({ done, problem }) {
  if (problem) return html`<${ProblemNotice} problem=${problem} />`;
  return html`<section class="stack" aria-label=${t("hooks.outcome")}>
    <p class=${`hook-verdict ${done.error ? "is-error" : "is-ok"}`}>
      <strong>${done.error ? t("hooks.raised", { error: done.error }) : t("hooks.returned")}</strong>
      ${!done.error && html`${" "}<code class="break">${done.result ?? "None"}</code>`}
      ${" "}<span class="muted">${t("hooks.took", { time: duration(done.seconds) })}</span></p>
    ${done.printed && html`<div><h2 class="hook-printed">${t("hooks.printed")}</h2><pre class="trace-text" tabindex="0">${done.printed}</pre></div>`}
    ${done.error && done.frames?.length > 0 && html`<${Frames} frames=${done.frames} />`}
    ${done.message && html`<details class="fold"><summary>${t("hooks.given")} <code>${done.message.topic}</code></summary>
      <${Payload} message=${done.message} /></details>`}
  </section>`;
}

/** A topic that a filter matches. */
export function exampleOf(filter) {
  return (filter ?? "demo").replace(/\{(\w+)\}/gu, "$1").replaceAll("+", "1").replace(/(^|\/)#$/u, "$1demo");
}
