// The newest message of each topic as a row; columns are JSON paths.
import { html, useState } from "../core/html.js";
import { moment } from "../core/format.js";
import { language, t } from "../core/i18n.js";
import { find, levelOf, shortNames, show, toNumber } from "./reading.js";
import { Level } from "./signs.js";

export default function Table({ widget, data }) {
  const rows = data.rows ?? [];
  const columns = columnsOf(widget, rows);
  const [sort, setSort] = useState({ by: "topic", down: false });
  const timed = rows.some((row) => row.at !== null);
  const names = shortNames(rows.map((row) => row.topic));
  const cells = rows.map((row, index) => ({ ...row, name: names[index] }));
  cells.sort((a, b) => compare(key(a, sort.by), key(b, sort.by)) * (sort.down ? -1 : 1));
  const press = (by) => setSort({ by, down: sort.by === by && !sort.down });
  const head = (by, text, numeric = false) => html`<th scope="col" class=${numeric ? "w-numeric" : ""} aria-sort=${sort.by === by ? (sort.down ? "descending" : "ascending") : "none"}>
    <button type="button" onClick=${() => press(by)}>${text}${sort.by === by && html`<span aria-hidden="true">${sort.down ? " ↓" : " ↑"}</span>`}</button>
  </th>`;
  return html`<div class="w-scroll" tabindex="0" role="region" aria-label=${widget.title || widget.topic}><table class="w-table">
    <thead><tr>${head("topic", data.head ?? t("widgets.topic"))}${columns.map((path) => head(`.${path}`, path || t("widgets.value"), rows.some((row) => toNumber(find(row.value, path)) !== null)))}${timed && head("at", t("widgets.time"))}</tr></thead>
    <tbody>${cells.slice(0, widget.options?.limit ?? 100).map((row) => html`<tr key=${row.topic}>
      <th scope="row" title=${row.topic}>${row.name}</th>
      ${columns.map((path) => html`<${Cell} value=${find(row.value, path)} widget=${widget} coloured=${columns.length === 1 || path === widget.path} />`)}
      ${timed && html`<td class="w-time">${moment(row.at)}</td>`}
    </tr>`)}</tbody>
  </table></div>`;
}

function Cell({ value, widget, coloured }) {
  const number = toNumber(value);
  const level = coloured ? levelOf(number, widget.thresholds) : "";
  const text = show(value, coloured ? widget : { decimals: widget.decimals }, language.value);
  return html`<td class=${number === null ? "" : "w-numeric"} data-level=${level} title=${text}>${level && level !== "ok" && html`<${Level} level=${level} /> `}${text}</td>`;
}

/** The paths shown: as the widget says, its path, or the plain members that the rows have. */
export function columnsOf(widget, rows) {
  if (widget.options?.columns?.length) return widget.options.columns;
  if (widget.path) return [widget.path];
  const found = new Set();
  for (const { value } of rows) {
    if (value === null || typeof value !== "object" || Array.isArray(value)) return [""];
    for (const [name, member] of Object.entries(value)) {
      if (found.size < 8 && (member === null || typeof member !== "object") && /^[^.[\]]+$/.test(name)) found.add(name);
    }
  }
  return found.size ? [...found] : [""];
}

function key(row, by) {
  if (by === "topic") return row.name;
  return by === "at" ? row.at : find(row.value, by.slice(1));
}

function compare(a, b) {
  const [left, right] = [toNumber(a), toNumber(b)];
  if (left !== null && right !== null) return left - right;
  return String(a ?? "").localeCompare(String(b ?? ""), undefined, { numeric: true });
}
