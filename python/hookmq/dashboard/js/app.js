// The frame around all pages: who is there, which page the address names, the menu, and the keyboard.
import { html, render, signal, effect, useEffect, useState } from "./core/html.js";
import { get, post } from "./core/api.js";
import { loadTexts, t } from "./core/i18n.js";
import { go, href, route } from "./core/router.js";
import { session } from "./core/store.js";
import { reconnect } from "./core/live.js";
import { pageOf } from "./pages.js";
import { Loading, Page, ProblemNotice, Empty, Button } from "./ui/basics.js";
import { Overlays } from "./ui/overlays.js";
import { Frame } from "./frame.js";
import "./keyboard.js";

// Links to pages are relative to this document, wherever the base of its files is.
document.querySelector("base")?.setAttribute("href", location.pathname);

const failed = signal(null);
const loaded = new Map();

function addStyle(name) {
  return new Promise((resolve) => {
    const link = document.createElement("link");
    link.rel = "stylesheet";
    link.href = new URL(`../css/pages/${name}.css`, import.meta.url);
    link.onload = resolve;
    link.onerror = resolve;
    document.head.append(link);
  });
}

async function load(page) {
  const name = page.module ?? page.name;
  if (!loaded.has(name)) {
    loaded.set(name, Promise.all([
      import(`./pages/${name}.js`), loadTexts(name), page.css ? addStyle(name) : null,
    ]).then(([module]) => module.default));
    loaded.get(name).catch(() => loaded.delete(name));
  }
  return loaded.get(name);
}

function Content({ page, parts, query }) {
  const [shown, setShown] = useState(null);
  useEffect(() => {
    let current = true;
    if (page) {
      load(page).then(
        (component) => { if (current) setShown({ page, component }); },
        (problem) => { if (current) setShown({ page, problem }); },
      );
    }
    return () => { current = false; };
  }, [page]);
  if (!page) {
    return html`<${Page} title=${t("missing.title")}><${Empty} icon="search" title=${t("missing.head")}
      actions=${html`<${Button} href=${href("overview")}>${t("missing.back")}<//>`}>${t("missing.text")}<//><//>`;
  }
  if (shown?.page !== page) return html`<${Loading} />`;
  if (shown.problem) {
    return html`<${Page} title=${t("error.page")}><${ProblemNotice} problem=${{ message: t("error.page"), help: t("error.page_help") }}
      retry=${() => location.reload()} /><//>`;
  }
  return html`<${shown.component} key=${page.name} parts=${parts} query=${query} />`;
}

// The link of the first start carries a token, which is exchanged for a session and leaves the address.
async function enter() {
  const address = new URL(location.href);
  const token = address.searchParams.get("token");
  if (!token) return get("session");
  address.searchParams.delete("token");
  history.replaceState(null, "", address.pathname + address.search + address.hash);
  try {
    const answer = await post("session", { token });
    if (answer.setup) go("login");
    return answer;
  } catch (problem) {
    return { ...await get("session"), linkProblem: problem };
  }
}

async function start() {
  const [, answer] = await Promise.all([loadTexts(), enter().catch((problem) => problem)]);
  if (answer instanceof Error) failed.value = answer;
  else session.value = answer;
}

function App() {
  if (failed.value) {
    return html`<main class="page narrow"><${ProblemNotice} problem=${failed.value} retry=${() => location.reload()} /></main>`;
  }
  const who = session.value;
  if (!who) return html`<${Loading} label="HookMQ" />`;
  const { page: name, parts, query } = route.value;
  const page = pageOf(name);
  const free = page?.name === "shared";
  // Whoever is not logged in sees the login, and afterwards the page whose address they opened.
  if (!who.user && !free) {
    return html`<main><${Content} page=${pageOf("login")} parts=${[]} query=${{}} /></main><${Overlays} />`;
  }
  if (page?.bare) return html`<main><${Content} page=${page} parts=${parts} query=${query} /></main><${Overlays} />`;
  return html`<${Frame}><${Content} page=${page} parts=${parts} query=${query} /><//><${Overlays} />`;
}

let last = null;
effect(() => {
  const user = session.value?.user?.name ?? null;
  if (user !== last) {
    last = user;
    reconnect();
  }
});

await start();
render(html`<${App} />`, document.getElementById("app"));
// For tests and measurements: when the page can be used.
performance.mark("hookmq-ready");
if (location.hash === "" && session.value?.user) go("overview");
