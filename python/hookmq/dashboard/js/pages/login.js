// Logging in, and at the first start making the first account.
import {
  html, t, go, post, session, useRef, useState, Button, Card, Field, Form, Notice, ProblemNotice, useFocus,
} from "../kit.js";
import { LanguageMenu, ThemeMenu } from "../frame.js";

const SHORTEST = 8;

export default function Login() {
  const { user, setup } = session.value;
  const inside = user && setup ? html`<${FirstAccount} />` : setup && !user ? html`<${NoAccount} />` : html`<${Password} />`;
  return html`<div class="login">
    <div class="row brandline"><img src=${icon} alt="" width="34" height="34" /><h1>HookMQ</h1>
      <span class="grow"></span><${LanguageMenu} /><${ThemeMenu} /></div>
    ${inside}
    <p class="muted small">${session.value.hostname} · ${session.value.version}</p>
  </div>`;
}

const icon = new URL("../../icon.svg", import.meta.url).href;

function Password() {
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const [problem, setProblem] = useState(null);
  const [busy, setBusy] = useState(false);
  const first = useRef(null);
  useFocus(first);
  document.title = `${t("login.title")} · HookMQ`;
  const submit = async () => {
    setBusy(true);
    try {
      const answer = await post("session", { name, password });
      if (location.hash.startsWith("#/login")) go("overview");
      session.value = answer;
    } catch (found) {
      setProblem(found);
      setBusy(false);
    }
  };
  return html`<${Card} title=${t("login.title")}><${Form} onSubmit=${submit}>
    <${ProblemNotice} problem=${problem} />
    <${Field} label=${t("login.name")} value=${name} onInput=${setName} autocomplete="username" required ref=${first} />
    <${Field} label=${t("login.password")} type="password" value=${password} onInput=${setPassword} autocomplete="current-password" required />
    <${Button} kind="primary" type="submit" disabled=${busy}>${t("login.submit")}<//>
  <//><//>`;
}

function NoAccount() {
  document.title = `${t("login.closed")} · HookMQ`;
  return html`<${Card} title=${t("login.closed")}>
    ${session.value.linkProblem && html`<${ProblemNotice} problem=${session.value.linkProblem} />`}
    <p>${t("login.closed_text")}</p>
    <p class="mono break">➜ Dashboard  http://127.0.0.1:8080/?token=…</p>
    <p class="muted">${t("login.closed_again")}</p>
  <//>`;
}

function FirstAccount() {
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const [again, setAgain] = useState("");
  const [problem, setProblem] = useState(null);
  const [tried, setTried] = useState(false);
  document.title = `${t("login.first")} · HookMQ`;
  const short = password.length < SHORTEST;
  const differs = password !== again;
  const submit = async () => {
    setTried(true);
    if (!name || short || differs) return;
    try {
      await post("accounts", { name, password, role: "admin" });
      session.value = await post("session", { name, password });
      go("overview");
    } catch (found) {
      setProblem(found);
    }
  };
  return html`<${Card} title=${t("login.first")}><${Form} onSubmit=${submit}>
    <p>${t("login.first_text")}</p>
    <${ProblemNotice} problem=${problem} />
    <${Field} label=${t("login.name")} value=${name} onInput=${setName} autocomplete="username" error=${tried && !name ? t("login.name_missing") : null} />
    <${Field} label=${t("login.password")} type="password" value=${password} onInput=${setPassword} autocomplete="new-password"
      help=${t("login.password_help", { count: SHORTEST })} error=${tried && short ? t("login.password_short", { count: SHORTEST }) : null} />
    <${Field} label=${t("login.again")} type="password" value=${again} onInput=${setAgain} autocomplete="new-password"
      error=${tried && differs ? t("login.differs") : null} />
    <div class="row"><${Button} kind="primary" type="submit">${t("login.create")}<//>
      <${Button} onClick=${() => { go("overview"); }}>${t("login.later")}<//></div>
    <${Notice} kind="info">${t("login.later_text")}<//>
  <//><//>`;
}
