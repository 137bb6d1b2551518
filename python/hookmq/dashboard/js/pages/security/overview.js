// What is open, and what is wrong with it.
import { html, t, useGet, Badge, Card, Facts, Loading, Notice, ProblemNotice } from "../../kit.js";

export function Overview() {
  const found = useGet("security", {}, { every: 10 });
  if (found.problem) return html`<${ProblemNotice} problem=${found.problem} retry=${found.reload} />`;
  if (!found.data) return html`<${Loading} />`;
  const { users_file: users, acl_file: acl, anonymous, authenticators, authorizers = [], listeners, problems } = found.data;
  const names = (list) => (list.length ? html`<span class="row tight">${list.map((name) => html`<${Badge} key=${name} kind="accent">${name}<//>`)}</span>` : t("security.none"));
  return html`
    <section class="stack" aria-label=${t("security.problems")}>
      ${problems.length === 0 && html`<${Notice} kind="ok">${t("security.problems_none")}<//>`}
      ${problems.map(({ level, code, url }) => html`
        <${Notice} key=${`${code} ${url}`} kind=${level} title=${t(`security.problem_${code}`, { url })}>${t(`security.help_${code}`)}<//>`)}
    </section>
    <div class="grid2">
      <${Card} title=${t("security.tab_overview")}><${Facts} items=${[
    [t("security.users_file"), users ? html`<code>${users}</code>` : t("security.none")],
    [t("security.acl_file"), acl ? html`<code>${acl}</code>` : t("security.none")],
    [t("security.anonymous"), html`<${Badge} kind=${anonymous ? "warning" : "ok"}>${t(anonymous ? "security.anonymous_yes" : "security.anonymous_no")}<//>`],
    [t("security.authenticators"), names(authenticators)],
    [t("security.authorizers"), names(authorizers)],
  ]} /><//>
      <${Card} title=${t("security.listeners")}><ul class="stack tight">${listeners.map((one) => html`<li key=${one.url} class="row tight">
        <code class="break">${one.url}</code><${Badge} kind=${one.encrypted ? "ok" : ""}>${t(one.encrypted ? "security.tls" : "security.plain")}<//>
        ${one.client_certificates && html`<${Badge} kind="ok">${t("security.certificates")}<//>`}
        ${one.anonymous && html`<${Badge} kind="warning">${t("security.open")}<//>`}</li>`)}</ul><//>
    </div>`;
}
