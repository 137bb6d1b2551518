// Pausing and resuming of hooks, jobs and bridges, for those who may.
import { html, path, post, t, can, Button, attempt, confirm } from "../kit.js";
const DECIDERS = new Set([
  "authenticate", "enhanced_authenticate", "on_connect", "authorize", "on_subscribe", "transform", "on_deliver",
]);

/** @param {{kind: "hooks"|"jobs"|"bridges", item: {name: string, paused: boolean, kind?: string}, small?: boolean,
 *   onDone?: () => void}} props */
export function Pause({ kind, item, small = false, onDone }) {
  if (!can("operator")) return null;
  const { id, name, paused } = item;
  const action = paused ? "resume" : "pause";
  const done = t(`${kind}.was_${paused ? "resumed" : "paused"}`, { name });
  async function act() {
    if (!paused && kind === "hooks" && DECIDERS.has(item.kind)) {
      const text = t("hooks.decider_text");
      if (!await confirm({ title: t("hooks.decider_title", { name }), text, action: t("hooks.pause") })) return;
    }
    if (await attempt(() => post(`${path(kind, id ?? name)}/${action}`), done)) onDone?.();
  }
  const label = t(`${kind}.${action}`);
  return small
    ? html`<${Button} small kind="quiet" icon=${paused ? "play" : "pause"} label=${`${label}: ${name}`} onClick=${act} />`
    : html`<${Button} icon=${paused ? "play" : "pause"} onClick=${act}>${label}<//>`;
}
