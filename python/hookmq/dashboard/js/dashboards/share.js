// The link by which anybody may look at a dashboard, and do nothing else.
import { Button, Copy, Dialog, Notice, attempt, html, path, post, remove, t, useEffect, useState } from "../kit.js";

export function Share({ id, shared, onChange, onClose }) {
  const [link, setLink] = useState(null);
  const [problem, setProblem] = useState(null);
  const make = () => post(path("dashboards", id, "share")).then(
    ({ token }) => {
      setLink(`${location.origin}${location.pathname}#/shared/${encodeURIComponent(token)}`);
      onChange?.(true);
    },
    setProblem,
  );
  // A link that is there is told again.
  useEffect(() => { if (shared) make(); }, []);
  const stop = async () => {
    if (!(await attempt(() => remove(path("dashboards", id, "share")), t("dashboards.share_stopped")))) return;
    onChange?.(false);
    onClose();
  };
  return html`<${Dialog} title=${t("dashboards.share")} onClose=${onClose} footer=${html`
    ${link && html`<${Button} kind="danger" onClick=${stop}>${t("dashboards.share_stop")}<//>`}
    ${link ? html`<${Button} kind="primary" onClick=${() => { onClose(); }}>${t("ui.close")}<//>` : html`<${Button} kind="primary" icon="link" onClick=${make}>${t("dashboards.share_do")}<//>`}`}>
    <p>${t("dashboards.share_text")}</p>
    ${problem && html`<${Notice} kind="error" title=${problem.message}>${problem.help}<//>`}
    ${link && html`<div class="row nowrap"><input class="input mono" readonly value=${link} aria-label=${t("dashboards.share_link")} onFocus=${(event) => event.currentTarget.select()} /><${Copy} text=${link} small=${false} /></div>`}
  <//>`;
}
