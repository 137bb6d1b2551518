// The list of keys that "?" shows.
import { html } from "./core/html.js";
import { t } from "./core/i18n.js";
import { PAGES } from "./pages.js";
import { Dialog } from "./ui/overlays.js";
import { helpOpen } from "./keyboard.js";

export function KeyboardHelp() {
  if (!helpOpen.value) return null;
  const rows = [
    [["/"], t("keys.search")],
    [["?"], t("keys.help")],
    [["↑", "↓"], t("keys.rows")],
    [["←", "→"], t("keys.folders")],
    [["Enter"], t("keys.open")],
    [["Esc"], t("keys.close")],
    ...PAGES.filter(({ key }) => key).map(({ name, key }) => [["g", key], t(`nav.${name}`)]),
  ];
  return html`<${Dialog} title=${t("keys.title")} onClose=${() => { helpOpen.value = false; }}>
    <dl class="facts">${rows.map(([keys, text]) => html`<dt key=${`k${text}`}>${keys.map((each) => html`<kbd key=${each}>${each}</kbd> `)}</dt><dd key=${`t${text}`}>${text}</dd>`)}</dl>
  <//>`;
}
