// Jobs: when each runs, how the last run went, and one now.
import {
  html, useEffect, useState, useLive, href, path, post, t, format, can, attempt, Ago, Badge, Button, Card, Empty, Loading,
  Notice, Page, Table,
} from "../kit.js";
import { Pause } from "../parts/pause.js";

const { dateTime, duration, number } = format;

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
  <//>`;
}

const columns = () => [
  { key: "name", label: t("jobs.name"), sort: true, render: (job) => html`<span class="row tight nowrap"><b>${job.name}</b>
    ${job.running && html`<${Badge} kind="accent">${t("jobs.running")}<//>`}
    ${job.paused && html`<${Badge} kind="warning" icon="pause">${t("jobs.paused")}<//>`}</span>` },
  { key: "description", label: t("jobs.when"), sort: true },
  { key: "where", label: t("jobs.where"), hide: "md", render: (job) => html`<code title=${job.where}>${job.where}</code>` },
  { key: "last", label: t("jobs.last"), sort: true, hide: "sm", sortValue: (job) => timeOf(job.last_run), render: (job) => (timeOf(job.last_run)
    ? html`<${Ago} at=${timeOf(job.last_run)} />` : t("jobs.never")) },
  { key: "duration", label: t("jobs.took"), end: true, sort: true, hide: "sm", render: (job) => duration(job.duration ?? NaN) },
  { key: "errors", label: t("jobs.result"), sort: true, render: (job) => html`<${Result} job=${job} />` },
  { key: "next", label: t("jobs.next"), sort: true, sortValue: (job) => timeOf(job.next_run), render: (job) => (job.paused ? "–"
    : html`<${Until} at=${timeOf(job.next_run)} />`) },
  { key: "runs", label: t("jobs.runs"), end: true, sort: true, hide: "md", render: (job) => number(job.runs) },
  { key: "skipped", label: t("jobs.skipped"), end: true, sort: true, hide: "md", render: (job) => html`<span title=${t("jobs.skipped_help")}>${number(job.skipped)}</span>` },
  can("operator") && { key: "acts", label: "", end: true, render: (job) => html`<span class="row tight nowrap job-acts">
    <${Run} job=${job} /><${Pause} kind="jobs" item=${job} small /></span>` },
].filter(Boolean);

/** Seconds since the epoch, of a number or of a time that is written out. */
const timeOf = (at) => (at === null || at === undefined ? null : typeof at === "number" ? at : Date.parse(at) / 1000);

function Result({ job }) {
  if (job.errors === 0) return job.runs ? html`<${Badge} kind="ok" icon="check">${t("jobs.well")}<//>` : "–";
  return html`<a href=${href("logs", { level: "ERROR", search: job.name })} title=${t("jobs.see_log")}>
    <${Badge} kind="error" icon="error">${t("jobs.failed_times", { n: job.errors, count: number(job.errors) })}<//></a>`;
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
  return html`<${Button} small icon="play" label=${`${t("jobs.run")}: ${job.name}`} onClick=${run}><span class="job-run">${t("jobs.run")}</span><//>`;
}
