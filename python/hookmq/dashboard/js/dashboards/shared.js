// A dashboard by its link: seen without login, and nothing can be done.
import { Empty, Loading, get, html, path, t, useEffect, useSharedToken, useState } from "../kit.js";
import { WidgetFrame } from "../widgets/frame.js";
import { Grid } from "./grid.js";
import { live, useFeed } from "./view.js";

export function SharedBoard({ token }) {
  useSharedToken(token);
  const [doc, setDoc] = useState(null);
  const [problem, setProblem] = useState(null);
  const load = () => get(path("shared", token)).then(setDoc, setProblem);
  useEffect(() => { load(); }, [token]);
  useEffect(() => { if (doc) document.title = `${doc.title} · HookMQ`; }, [doc?.title]);
  if (problem) {
    return html`<div class="page"><${Empty} icon="link" title=${t(problem.status === 404 ? "dashboards.share_gone" : "dashboards.share_problem")}>
      ${problem.status === 404 ? t("dashboards.share_gone_text") : problem.message}<//></div>`;
  }
  return doc ? html`<${Shown} doc=${doc} token=${token} onVersion=${(version) => { if (version !== doc.version) load(); }} />` : html`<${Loading} />`;
}

function Shown({ doc, token, onVersion }) {
  const feed = useFeed({ token, widgets: doc.widgets, onVersion });
  return html`<div class="page shared-page"><header><h1>${doc.title}</h1></header>
    <${Grid} widgets=${doc.widgets} columns=${doc.columns ?? 12} editing=${false}>
      ${(widget) => html`<${WidgetFrame} widget=${widget} data=${feed.source(widget.id)} live=${live()} />`}
    <//>
  </div>`;
}
