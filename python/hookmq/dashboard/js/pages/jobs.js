// Jobs: when each runs, how the last run went, and one now.
import {
  html, signal, useEffect, useState, useGet, useLive, href, path, post, t, format, can, attempt, Ago, Badge, Button, Card, Dialog, Empty,
  Loading, Notice, Page, ProblemNotice, Table,
} from "../kit.js";
import { loadTexts } from "../core/i18n.js";
import { Frames } from "../parts/frames.js";
import { Pause } from "../parts/pause.js";

const { dateTime, duration, number } = format;

// What frames of an error are told with.
await loadTexts("hooks");

const EXAMPLE = `from hookmq import Broker, every

broker = Broker()


@broker.schedule(every(10).seconds)
def remind():
    broker.publish("demo/time", "tick")


broker.run()`;

export default function Jobs() {
  const live = useLive("jobs");
  const problem = live.problem.value;
  const jobs = live.value?.items ? Object.values(live.value.items) : null;
  if (problem) return html`<${Page} title=${t("jobs.title")}><${Notice} kind="error">${problem.message}<//><//>`;
  if (jobs === null) return html`<${Page} title=${t("jobs.title")}><${Loading} /><//>`;
  if (jobs.length === 0) {
    return html`<${Page} title=${t("jobs.title")} about=${t("jobs.about")}><${Card}>
      <${Empty} icon="jobs" title=${t("jobs.empty_title")} code=${EXAMPLE}>${t("jobs.empty_text")}<//><//><//>`;
  }
  return html`<${Page} title=${t("jobs.title")} about=${t("jobs.about")}>
    <${Card} flush><${Table} label=${t("jobs.title")} columns=${columns()} rows=${jobs} rowKey=${(job) => job.name} sort="name" /><//>
    ${opened.value !== null && html`<${LastError} name=${opened.value} onClose=${() => { opened.value = null; }} />`}
  <//>`;
}

const columns = () => [
  { key: "name", label: t("jobs.name"), sort: true, render: (job) => html`<span class="row tight nowrap"><b>${job.name}</b>
    ${job.running && html`<${Badge} kind="accent">${t("jobs.running")}<//>`}
    ${job.paused && html`<${Badge} kind="warning" icon="pause">${t("jobs.paused")}<//>`}</span>` },
  { key: "description", label: t("jobs.when"), sort: true, hide: "sm" },
  { key: "where", label: t("jobs.where"), hide: "md", render: (job) => html`<code title=${job.where}>${job.where}</code>` },
  { key: "last", label: t("jobs.last"), sort: true, hide: "sm", sortValue: (job) => job.last_run_at, render: (job) => (job.last_run_at
    ? html`<${Ago} at=${job.last_run_at} />` : t("jobs.never")) },
  { key: "duration", label: t("jobs.took"), end: true, sort: true, hide: "sm", render: (job) => duration(job.duration ?? NaN) },
  { key: "errors", label: t("jobs.result"), sort: true, render: (job) => html`<${Result} job=${job} onOpen=${() => { opened.value = job.name; }} />` },
  { key: "next", label: t("jobs.next"), sort: true, sortValue: (job) => job.next_run_at, render: (job) => (job.paused ? "–"
    : html`<${Until} at=${job.next_run_at} />`) },
  { key: "runs", label: t("jobs.runs"), end: true, sort: true, hide: "md", render: (job) => number(job.runs) },
  { key: "skipped", label: t("jobs.skipped"), end: true, sort: true, hide: "md", render: (job) => html`<span title=${t("jobs.skipped_help")}>${number(job.skipped)}</span>` },
  can("operator") && { key: "acts", label: "", end: true, render: (job) => html`<span class="row tight nowrap job-acts">
    <${Run} job=${job} /><${Pause} kind="jobs" item=${job} small /></span>` },
].filter(Boolean);

/** The last error of a job; as of a hook, whose path it shares. */
const lastError = (name) => `${path("hooks", name)}/traceback`;

function Result({ job, onOpen }) {
  const error = useGet(job.errors > 0 ? lastError(job.name) : null, {}, { every: 5 }).data;
  if (job.errors === 0) return job.runs ? html`<${Badge} kind="ok" icon="check">${t("jobs.well")}<//>` : "–";
  // Errors are counted since the start: the last run may have gone well again.
  const times = t("jobs.failed_times", { n: job.errors, count: number(job.errors) });
  const failed = !error || error.at >= job.last_run_at - 0.001;
  return html`<span class="row tight nowrap"><${Badge} kind=${failed ? "error" : "ok"} icon=${failed ? "error" : "check"}>${t(failed ? "jobs.failed" : "jobs.well")}<//>
    <${Button} small kind="quiet" label=${error?.error} aria-label=${`${times}: ${job.name}`} onClick=${() => { onOpen(); }}>
      <span class="job-times">${times}</span><span class="job-count">${number(job.errors)}</span><//></span>`;
}

/** Which job's last error is shown. */
const opened = signal(null);

function LastError({ name, onClose }) {
  const found = useGet(lastError(name));
  return html`<${Dialog} wide title=${name} onClose=${onClose} footer=${html`
    <${Button} icon="logs" href=${href("logs", { level: "error", search: name })}>${t("jobs.see_log")}<//>`}>
    <${ProblemNotice} problem=${found.problem} />
    ${found.data && html`<p class="break"><strong>${found.data.error}</strong> <span class="muted"><${Ago} at=${found.data.at} /></span></p>
      <${Frames} frames=${found.data.frames} />`}
  <//>`;
}

/** A time that comes nearer. */
function Until({ at }) {
  const [, again] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => again((count) => count + 1), 1000);
    return () => clearInterval(timer);
  }, []);
  if (!at) return "–";
  return html`<time datetime=${new Date(at * 1000).toISOString()} title=${dateTime(at)}>${format.ago(at)}</time>`;
}

function Run({ job }) {
  const run = () => attempt(() => post(`${path("jobs", job.name)}/run`), t("jobs.started", { name: job.name }));
  return html`<${Button} small icon="play" aria-label=${`${t("jobs.run")}: ${job.name}`} onClick=${run}><span class="job-run">${t("jobs.run")}</span><//>`;
}
