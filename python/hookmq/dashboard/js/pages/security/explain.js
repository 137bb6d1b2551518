// May somebody do something, and who says so?
import { html, useState, t, can, href, post, setQuery, Badge, Button, Card, Field, Form, Icon, ProblemNotice } from "../../kit.js";

/** @param {{query: object}} props what the address asks */
export function Explain({ query }) {
  const [asked, setAsked] = useState({
    user: query.user ?? "", client_id: query.client ?? "", address: query.address ?? "",
    action: query.action === "subscribe" ? "subscribe" : "publish", topic: query.topic ?? "",
  });
  const [answer, setAnswer] = useState(null);
  const [problem, setProblem] = useState(null);
  const put = (name) => (value) => { setAsked({ ...asked, [name]: value }); setAnswer(null); };
  async function ask() {
    setProblem(null);
    setQuery({ user: asked.user, client: asked.client_id, address: asked.address, action: asked.action, topic: asked.topic });
    try {
      const { user, address, ...rest } = asked;
      setAnswer(await post("security/explain", { ...rest, user: user || null, address: address || null }));
    } catch (error) {
      setAnswer(null);
      setProblem(error);
    }
  }
  const text = (name, label, more = {}) => html`<${Field} label=${label} value=${asked[name]} onInput=${put(name)} mono ...${more} />`;
  return html`
    <p class="muted">${t("security.explain_about")}</p>
    <${Card}>
      <${Form} class="explain" onSubmit=${ask}>
        ${text("user", t("security.explain_user"))}
        ${text("client_id", t("security.explain_client"))}
        ${text("address", t("security.explain_address"))}
        <${Field} label=${t("security.explain_action")} type="select" value=${asked.action} onInput=${put("action")}
          options=${["publish", "subscribe"].map((one) => [one, t(`security.action_${one}`)])} />
        ${text("topic", t("security.explain_topic"), { required: true })}
        <${Button} kind="primary" type="submit">${t("security.explain_ask")}<//>
      <//>
    <//>
    <div class="stack" aria-live="polite">
      <${ProblemNotice} problem=${problem} />
      ${answer && html`<${Answer} answer=${answer} />`}
    </div>`;
}

function Answer({ answer: { allowed, line, rule, reason, asked } }) {
  return html`<${Card}>
    <p class=${`explain-verdict ${allowed ? "is-ok" : "is-error"}`}><${Icon} name=${allowed ? "ok" : "ban"} size=${24} />
      <strong>${t(allowed ? "security.allowed" : "security.denied")}</strong>
      ${line && html`<span>${t("security.by_line", { line })}</span>`}</p>
    ${rule ? html`<div class="row"><code class="explain-rule break grow">${rule}</code>
      ${can("admin") && html`<${Button} small icon="right" href=${href("security", { tab: "acl", line })}>${t("security.show_line")}<//>`}</div>`
    : html`<p class="break">${reason}</p>`}
    ${asked.length > 0 && html`<div><h2>${t("security.asked")}</h2><ol class="explain-asked">${asked.map((one, n) => html`<li key=${n}>
      <code class="break">${one.by}</code> <${Badge} kind=${TONE[one.answer] ?? ""}>${one.answer}<//></li>`)}</ol></div>`}
  <//>`;
}

const TONE = { allow: "ok", deny: "error", error: "error" };
