// Rules: which there are, and one to write, to try and to go back in.
import {
  html, path, post, t, useLive, go, href, route, setQuery, can, Badge, Button, Card, Empty, Loading, Notice,
  Page, Search, attempt, Table, format,
} from "../kit.js";
import { useRates } from "../parts/rates.js";
import { EXAMPLE, NEW, RulePage } from "./rules/page.js";
import { Switch } from "./rules/switch.js";

const { compact, rate: perSecond } = format;

export default function Rules() {
  const live = useLive("rules");
  const rules = live.value?.items ? Object.values(live.value.items) : null;
  const rates = useRates(() => Object.fromEntries(
    Object.values(live.data.peek()?.items ?? {}).map((rule) => [rule.name, rule.matched]),
  ));
  const name = route.value.parts[0];
  if (name === undefined) return html`<${List} rules=${rules} rates=${rates} problem=${live.problem.value} />`;
  return html`<${RulePage} key=${name} name=${name} info=${rules?.find((one) => one.name === name)} />`;
}

function List({ rules, rates, problem }) {
  const { search = "" } = route.value.query;
  const create = can("admin") && html`<${Button} kind="primary" icon="plus" href=${href("rules", NEW)}>${t("rules.new")}<//>`;
  if (problem) return html`<${Page} title=${t("rules.title")}><${Notice} kind="error">${problem.message}<//><//>`;
  if (rules === null) return html`<${Page} title=${t("rules.title")}><${Loading} /><//>`;
  if (rules.length === 0) {
    const begin = can("admin") && html`<${Button} kind="primary" icon="plus" href=${href("rules", NEW)}>${t("rules.empty_begin")}<//>`;
    return html`<${Page} title=${t("rules.title")} about=${t("rules.about")}><${Card}>
      <${Empty} icon="rules" title=${t("rules.empty_title")} code=${EXAMPLE} actions=${begin}>${t("rules.empty_text")}<//><//><//>`;
  }
  const small = search.toLowerCase();
  const shown = rules.filter((rule) => [rule.name, rule.description, ...rule.reads].some((text) => text.toLowerCase().includes(small)));
  return html`<${Page} title=${t("rules.title")} about=${t("rules.about")} actions=${create}>
    <div class="row"><${Search} value=${search} placeholder=${t("rules.search")} onInput=${(text) => setQuery({ search: text })} /></div>
    <${Card} flush>
      <${Table} label=${t("rules.title")} columns=${columns(rates)} rows=${shown} rowKey=${(rule) => rule.name} sort="name"
        onOpen=${(rule) => go("rules", rule.name)} empty=${html`<${Empty} icon="search" title=${t("rules.none")} />`} />
    <//>
  <//>`;
}

function columns(rates) {
  return [
    { key: "name", label: t("rules.name"), sort: true, render: (rule) => html`<span class="rule-name"><b>${rule.name}</b>
      ${rule.problem && html` <${Badge} kind="error" icon="warning" title=${t("rules.has_problem")}>${t("rules.failed")}<//>`}</span>` },
    { key: "enabled", label: t("rules.enabled"), sort: true, render: (rule) => html`<${Switch} rule=${rule} />` },
    { key: "reads", label: t("rules.reads"), hide: "sm", render: (rule) => html`<code title=${rule.reads.join(", ")}>${rule.reads.join(", ")}</code>` },
    { key: "actions", label: t("rules.actions_column"), hide: "md", render: (rule) => html`<${ActionBadges} rule=${rule} />` },
    { key: "rate", label: t("rules.rate"), end: true, sort: true, hide: "sm", sortValue: (rule) => rates.of(rule.name).rate ?? 0,
      render: (rule) => perSecond(rates.of(rule.name).rate) },
    { key: "matched", label: t("rules.matched"), end: true, sort: true, hide: "md", render: (rule) => compact(rule.matched) },
    { key: "results", label: t("rules.results"), end: true, sort: true, render: (rule) => compact(rule.results) },
    { key: "failed", label: t("rules.failed"), end: true, sort: true, hide: "sm", render: (rule) => (rule.failed
      ? html`<${Badge} kind="error" icon="error">${compact(rule.failed)}<//>` : "0") },
    { key: "source", label: t("rules.source"), sort: true, hide: "md", render: (rule) => html`<span class="muted">${t(`rules.source_${rule.source}`)}</span>` },
  ];
}

function ActionBadges({ rule }) {
  if (rule.actions.length === 0) return "–";
  return html`<span class="row tight nowrap">${rule.actions.map((action) => html`<${Badge} key=${action.number}
    kind=${action.failed ? "error" : action.state === "down" ? "warning" : ""} title=${action.reason || action.target}>
    ${t(`rules.kind_${action.kind}`)}<//>`)}</span>`;
}
