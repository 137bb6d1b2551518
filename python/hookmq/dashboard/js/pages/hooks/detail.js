// One hook: how it does, the last error with its source, the source itself, and a run by hand.
import {
  html, useGet, path, route, setQuery, t, href, can, Ago, Badge, Button, Card, Empty, Loading, Page, ProblemNotice,
  Stat, Tabs, Sparkline, format,
} from "../../kit.js";
import { Frames, Source } from "../../parts/frames.js";
import { Pause } from "../../parts/pause.js";
import { Run } from "./run.js";

const { compact, duration, number, rate: perSecond } = format;

/** @param {{name: string, hook?: object, known: boolean, rate: {rate: number|null, points: number[]}}} props */
export function Detail({ name, hook, known, rate }) {
  const kinds = useGet("hooks/kinds");
  const chosen = route.value.query.tab;
  const setTab = (tab) => setQuery({ tab });
  const back = html`<${Button} icon="left" href=${href("hooks")}>${t("hooks.title")}<//>`;
  if (!hook) {
    return html`<${Page} title=${name} actions=${back}>
      ${known ? html`<${Card}><${Empty} icon="search" title=${t("hooks.not_found", { name })} /><//>` : html`<${Loading} />`}
    <//>`;
  }
  const kind = (kinds.data?.items ?? kinds.data?.kinds)?.find((one) => one.name === hook.kind);
  const tabs = [
    { id: "traceback", label: t("hooks.tab_traceback"), badge: html`<${Badge} kind="error">${compact(hook.errors)}<//>`, shown: hook.errors > 0 },
    { id: "source", label: t("hooks.tab_source"), shown: true },
    { id: "run", label: t("hooks.tab_run"), shown: can("admin") && isTried(hook, kind) },
  ].filter(({ shown }) => shown);
  const tab = tabs.some(({ id }) => id === chosen) ? chosen : tabs[0].id;
  const about = html`<code>@broker.${hook.kind}</code>${hook.filter && html`${" "}<code class="hook-filter">${hook.filter}</code>`}
    ${" "}<span class="break">${hook.where}</span>`;
  return html`<${Page} title=${name} about=${about} actions=${html`${back}<${Pause} kind="hooks" item=${hook} />`}>
    ${hook.paused && html`<div><${Badge} kind="warning" icon="pause">${t("hooks.paused")}<//></div>`}
    ${kind && html`<p class="muted hook-when">${t(`hooks.when_${kind.name}`)}</p>`}
    <${Figures} hook=${hook} rate=${rate} />
    <${Card} flush>
      <${Tabs} label=${name} tabs=${tabs} value=${tab} onChange=${setTab} />
      <div class="hook-tab" role="tabpanel" aria-label=${tabs.find(({ id }) => id === tab).label}>
        ${tab === "traceback" && html`<${Traceback} hook=${hook} />`}
        ${tab === "source" && html`<${SourceOf} hook=${hook} />`}
        ${tab === "run" && html`<${Run} hook=${hook} />`}
      </div>
    <//>
  <//>`;
}

/** Whether a hook is called with messages, so that it can be tried with one. */
const isTried = (hook, kind) => hook.kind === "on_batch" || Boolean(kind?.payload);

function Figures({ hook, rate }) {
  const called = hook.run_p99 > 0;
  const figure = (name, value, bad = "") => html`<${Stat} label=${t(`hooks.${name}`)}
    value=${bad ? html`<span class=${`is-${bad}`}>${value}</span>` : value} />`;
  const options = [
    hook.condition && `where=${hook.condition}`, hook.priority && `priority=${hook.priority}`,
    hook.overflow && `overflow=${hook.overflow}`, hook.thread,
  ].filter(Boolean);
  return html`
    <div class="stats">
      <${Stat} label=${t("hooks.rate")} value=${perSecond(rate.rate)}><${Sparkline} values=${rate.points} /><//>
      ${figure("calls", compact(hook.calls))}
      ${figure("errors", compact(hook.errors), hook.errors && "error")}
      ${figure("run_p50", called ? duration(hook.run_p50) : "–")}
      ${figure("run_p99", called ? duration(hook.run_p99) : "–")}
      ${figure("wait_p99", called ? duration(hook.wait_p99) : "–")}
      ${figure("queued", compact(hook.queued))}
      ${figure("dropped", compact(hook.dropped), hook.dropped && "error")}
      ${hook.skipped > 0 && figure("skipped", compact(hook.skipped))}
      ${hook.invalid > 0 && figure("invalid", compact(hook.invalid), "warning")}
      ${figure("busy", duration(hook.busy))}
    </div>
    ${options.length > 0 && html`<p class="row hook-options">${options.map((text) => html`<${Badge} key=${text}><span class="mono">${text}</span><//>`)}</p>`}`;
}

function Traceback({ hook }) {
  const found = useGet(`${path("hooks", hook.id)}/traceback`, {}, { every: 3 });
  if (found.problem?.status === 404) return html`<p class="muted">${t("hooks.no_traceback")}</p>`;
  if (found.problem) return html`<${ProblemNotice} problem=${found.problem} retry=${found.reload} />`;
  if (!found.data) return html`<${Loading} />`;
  const { error, at, count, frames, text } = found.data;
  return html`<section class="stack">
    <div class="hook-raised"><strong class="break">${error}</strong>
      <p class="muted"><${Ago} at=${at} /> · ${t("hooks.raised_times", { n: count, count: number(count) })}</p></div>
    <${Frames} frames=${frames} />
    <details class="fold"><summary>${t("hooks.whole_text")}</summary><pre class="trace-text" tabindex="0">${text}</pre></details>
  </section>`;
}

function SourceOf({ hook }) {
  const found = useGet(path("hooks", hook.id));
  if (found.problem) return html`<${ProblemNotice} problem=${found.problem} retry=${found.reload} />`;
  if (!found.data) return html`<${Loading} />`;
  const { source } = found.data;
  if (!source) return html`<p class="muted">${t("hooks.no_source")}</p>`;
  const lines = source.lines.map((line, n) => (Array.isArray(line) ? line : [source.first_line + n, line]));
  return html`<p class="break"><code>${source.file}:${source.line}</code></p><${Source} lines=${lines} marked=${source.line} />`;
}
