// Dashboards: the list of them, one of them, or one by a link that was shared.
import { html, route } from "../kit.js";
import { loadTexts } from "../core/i18n.js";
import { BoardList } from "../dashboards/list.js";
import { SharedBoard } from "../dashboards/shared.js";
import { BoardView } from "../dashboards/view.js";

function addStyle(file) {
  return new Promise((resolve) => {
    const link = document.createElement("link");
    link.rel = "stylesheet";
    link.href = new URL(`../../${file}`, import.meta.url);
    link.onload = link.onerror = resolve;
    document.head.append(link);
  });
}

await Promise.all([loadTexts("widgets"), addStyle("vendor/gridstack.css"), addStyle("css/widgets.css")]);

export default function Dashboards({ parts, query }) {
  if (route.value.page === "shared") return html`<${SharedBoard} key=${parts[0]} token=${parts[0] ?? ""} />`;
  return parts[0] ? html`<${BoardView} key=${parts[0]} id=${parts[0]} query=${query} />` : html`<${BoardList} />`;
}
