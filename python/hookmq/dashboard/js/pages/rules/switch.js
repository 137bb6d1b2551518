// Whether a rule is evaluated.
import { html, attempt, Badge, can, path, post, t } from "../../kit.js";

/** A switch for those who may turn it. */
export function Switch({ rule }) {
  const { name, enabled } = rule;
  if (!can("operator")) return html`<${Badge} kind=${enabled ? "ok" : ""}>${t(enabled ? "rules.on" : "rules.off")}<//>`;
  const turn = () => attempt(
    () => post(`${path("rules", name)}/${enabled ? "disable" : "enable"}`),
    t(enabled ? "rules.was_disabled" : "rules.was_enabled", { name }),
  );
  return html`<button type="button" class="turn" role="switch" aria-checked=${enabled} aria-label=${`${t("rules.enabled")}: ${name}`}
    onClick=${turn}><i></i></button>`;
}
