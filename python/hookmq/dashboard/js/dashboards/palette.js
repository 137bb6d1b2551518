// All kinds of widgets, to choose one from.
import { Dialog, Icon, html, t } from "../kit.js";
import { GROUPS, KINDS } from "../widgets/registry.js";

export function Palette({ onChoose, onClose }) {
  return html`<${Dialog} wide title=${t("dashboards.choose_kind")} onClose=${onClose}>
    ${GROUPS.map((group) => html`<section class="palette" key=${group}>
      <h3>${t(`dashboards.group_${group}`)}</h3>
      <div class="kinds">${Object.entries(KINDS).filter(([, about]) => about.group === group).map(([kind, about]) => html`
        <button key=${kind} type="button" class="kind" data-kind=${kind} onClick=${() => onChoose(kind)}>
          <${Icon} name=${about.icon} size=${20} /><span><strong>${t(`widgets.kind_${kind}`)}</strong><small>${t(`widgets.about_${kind}`)}</small></span>
        </button>`)}</div>
    </section>`)}
  <//>`;
}
