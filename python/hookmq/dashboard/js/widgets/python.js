// What a function of the app returned (`@broker.widget`): drawn by its kind, or as what it looks like.
import { html, useState } from "../core/html.js";
import { t } from "../core/i18n.js";
import { path, post } from "../core/api.js";
import { toNumber } from "./reading.js";
import { useTrail } from "./trail.js";
import { CommandNote } from "./command.js";
import Line from "./line.js";
import Table from "./table.js";
import Text from "./text.js";
import Value from "./value.js";

export default function Python({ widget, data, size, act, spec }) {
  if (!widget.options?.widget) return html`<div class="w-hint" role="note">${t("widgets.python_none")}</div>`;
  const inner = { ...size, height: size.height - (spec?.has_action ? 44 : 0) };
  return html`<div class="w-python">
    ${data.value === undefined ? null : html`<${Shown} widget=${widget} data=${data} size=${inner} kind=${spec?.kind} />`}
    ${spec?.has_action && html`<${Action} name=${widget.options.widget} act=${act} />`}
  </div>`;
}

function Shown({ widget, data, size, kind }) {
  const value = data.value;
  const number = typeof value === "boolean" ? null : toNumber(value);
  const trail = useTrail(number, data.at, widget.options.widget, kind === "line" && number !== null);
  const given = { widget: { ...widget, path: "" }, data, size };
  if (kind === "line" && number !== null) return drawLine(given, trail, 0);
  if (isLine(value)) return drawLine(given, value, value.at(-1)[0] - value[0][0] || 1);
  if (kind !== "text" && value !== null && typeof value === "object") {
    return html`<${Table} ...${given} data=${{ rows: rowsOf(value), head: Array.isArray(value) ? "#" : t("widgets.name") }} />`;
  }
  return kind === "value" || number !== null ? html`<${Value} ...${given} />` : html`<${Text} ...${given} />`;
}

/** Whether a value is a list of pairs [time, number], which are drawn as a line. */
function isLine(value) {
  const pair = (each) => Array.isArray(each) && each.length === 2 && each.every((part) => toNumber(part) !== null);
  return Array.isArray(value) && value.length > 1 && value.every(pair);
}

function drawLine({ widget, size, data }, pairs, span) {
  const points = pairs.map(([time, number]) => [Number(time), Number(number), Number(number), Number(number), 1]);
  const series = [{ topic: widget.title || widget.options.widget, points }];
  return html`<${Line} widget=${{ ...widget, span }} size=${size} data=${{ series, at: points.at(-1)?.[0] ?? data.at }} />`;
}

/** A list of objects, or the members of one, as rows. */
export function rowsOf(value) {
  const entries = Array.isArray(value) ? value.map((each, index) => [String(index + 1), each]) : Object.entries(value);
  return entries.slice(0, 200).map(([topic, each]) => ({ topic, value: each, at: null }));
}

function Action({ name, act }) {
  const [typed, setTyped] = useState("");
  const [state, setState] = useState({ busy: false, problem: "" });
  async function send(event) {
    event.preventDefault();
    setState({ busy: true, problem: "" });
    try {
      let value = typed;
      try { value = JSON.parse(typed); } catch { /* plain text is sent as it is */ }
      await post(path("widgets", name), { value: typed === "" ? null : value });
      setState({ busy: false, problem: "" });
    } catch (problem) {
      setState({ busy: false, problem: problem.message });
    }
  }
  return html`<form class="w-entry w-action" onSubmit=${send}>
    <input value=${typed} onInput=${(event) => setTyped(event.currentTarget.value)} aria-label=${t("widgets.action_value", { name })} disabled=${!act} />
    <button type="submit" class="w-apply" aria-busy=${String(state.busy)} disabled=${!act}>${t("widgets.run")}</button>
    <${CommandNote} problem=${state.problem} act=${true} />
  </form>`;
}
