// The menu at the side, what stands at its foot, and the bar of narrow screens.
import { html, signal, useEffect, useRef } from "./core/html.js";
import { remove } from "./core/api.js";
import { LANGUAGES, language, setLanguage, t } from "./core/i18n.js";
import { liveState } from "./core/live.js";
import { href, route } from "./core/router.js";
import { session } from "./core/store.js";
import { theme } from "./core/theme.js";
import { GROUPS, PAGES } from "./pages.js";
import { Button } from "./ui/basics.js";
import { Icon } from "./ui/icons.js";
import { Menu, attempt } from "./ui/overlays.js";
import { helpOpen } from "./keyboard.js";
import { KeyboardHelp } from "./keyboard_help.js";

const menuOpen = signal(false);

const THEME_ICONS = { system: "system", light: "sun", dark: "moon" };

/** The menu of themes, and that of languages: for the foot of the menu and the login. */
export function ThemeMenu() {
  return html`<${Menu} small label=${t("app.theme")} icon=${THEME_ICONS[theme.value] ?? "system"}
    items=${Object.keys(THEME_ICONS).map((name) => ({
    label: t(`app.theme_${name}`), icon: THEME_ICONS[name], checked: theme.value === name,
    onSelect: () => { theme.value = name; },
  }))} />`;
}

export function LanguageMenu() {
  return html`<${Menu} small label=${t("app.language")} icon="language"
    items=${Object.entries(LANGUAGES).map(([name, label]) => ({
    label, checked: language.value === name, onSelect: () => { setLanguage(name); },
  }))} />`;
}

function UserMenu() {
  const { user, setup } = session.value;
  return html`<${Menu} small label=${user.name} icon="user" items=${[
    setup && { label: t("app.create_account"), icon: "plus", href: href("login") },
    { label: t("app.keyboard"), icon: "keyboard", onSelect: () => { helpOpen.value = true; } },
    { label: t("app.logout"), icon: "logout", onSelect: () => attempt(async () => {
      await remove("session");
      session.value = { ...session.value, user: null };
    }) },
  ]}><span class="clip">${user.name}</span><//>`;
}

function Side() {
  const current = route.value.page;
  const ref = useRef(null);
  useEffect(() => { menuOpen.value = false; }, [route.value]);
  const state = liveState.value;
  return html`
    ${menuOpen.value && html`<div class="scrim" onClick=${() => { menuOpen.value = false; }}></div>`}
    <div class=${menuOpen.value ? "side open" : "side"} ref=${ref} onKeyDown=${(event) => {
    if (event.key === "Escape") menuOpen.value = false;
  }}>
      <nav aria-label=${t("app.pages")}>
        <a class="brand" href=${href("overview")}><img src=${icon} alt="" />HookMQ</a>
        ${GROUPS.map((group) => html`<section key=${group}><h2>${t(`app.group_${group}`)}</h2>
          ${PAGES.filter((page) => page.group === group).map(({ name }) => html`<a key=${name} href=${href(name)}
            aria-current=${name === current ? "page" : undefined}><${Icon} name=${name} />${t(`nav.${name}`)}</a>`)}</section>`)}
      </nav>
      <footer>
        <div class="row"><${UserMenu} /><div class="row tight nowrap"><${LanguageMenu} /><${ThemeMenu} /></div></div>
        <div class="row small muted nowrap" title=${session.value.hostname}>
          <span class="clip">${session.value.version}</span>
          ${(state === "on" || state === "off") && html`<span class="row tight nowrap"><span class=${`dot ${state}`}></span>${t(`app.live_${state}`)}</span>`}
        </div>
      </footer>
    </div>`;
}

const icon = new URL("../icon.svg", import.meta.url).href;

/** The frame with a page in it. */
export function Frame({ children }) {
  return html`<a class="skip" href="#main" onClick=${(event) => {
    event.preventDefault();
    document.querySelector("main h1")?.focus();
  }}>${t("app.skip")}</a>
  <div class="app">
    <${Side} />
    <div class="main">
      <header class="top">
        <${Button} kind="quiet" icon="menu" label=${t("app.menu")} aria-expanded=${menuOpen.value}
          onClick=${() => { menuOpen.value = !menuOpen.value; }} />
        <a class="brand" href=${href("overview")}><img src=${icon} alt="" />HookMQ</a>
        ${liveState.value === "off" && html`<span class="dot off" title=${t("app.live_off")}></span>`}
      </header>
      ${liveState.value === "off" && html`<div class="offline" role="status">${t("app.offline")}</div>`}
      <main id="main">${children}</main>
    </div>
  </div>
  <${KeyboardHelp} />`;
}
