// A widget that is being edited, with what comes now.
import { html, path, get, signal, useEffect, useMemo, useSettled, watch } from "../kit.js";
import { WidgetFrame } from "../widgets/frame.js";
import { KINDS } from "../widgets/registry.js";
import { added } from "./feed.js";

const nothing = async () => {};

export function Preview({ widget }) {
  const source = useMemo(() => signal({}), []);
  const { kind, topic, path: way, span, options } = useSettled(widget, 400);
  const data = KINDS[kind].data;
  useEffect(() => {
    source.value = {};
    if (kind === "python") return options.widget ? onceOf(options.widget, source) : undefined;
    if (!topic || KINDS[kind].topic === "none") return undefined;
    const [view, asked] = data === "points" ? ["points", { filter: topic, path: way }]
      : kind === "log" || data === "image" ? ["messages", { filter: topic }]
        : ["values", { topic, path: data === "rows" ? "" : way }];
    const mine = watch(view, asked);
    const silence = mine.listen(() => { source.value = shown(kind, mine.data.peek(), source.peek(), { span }); });
    return () => {
      silence();
      mine.stop();
    };
  }, [data, kind, topic, way, span, options.widget]);
  return html`<${WidgetFrame} widget=${{ ...widget, id: "preview" }} data=${source} act=${nothing} inert />`;
}

function onceOf(name, source) {
  let gone = false;
  get(path("widgets", name)).then((answer) => { if (!gone) source.value = answer; }, (problem) => { if (!gone) source.value = { error: problem.message }; });
  return () => { gone = true; };
}

// What the view has, in the shape in which the dashboard's feed hands it over.
function shown(kind, found, before, widget) {
  const data = KINDS[kind].data;
  if (data === "points") return { series: added([], found ?? [], widget), at: (found ?? []).at(-1)?.[1] ?? before.at };
  if (data === "image") {
    const last = (found ?? []).at(-1);
    return last ? { payload_base64: last.payload_base64, value: last.payload, at: last.at, topic: last.topic } : before;
  }
  if (kind === "log") return { rows: (found ?? []).map((each) => ({ topic: each.topic, value: read(each.payload), at: each.at, key: each.number ?? each.at })).reverse() };
  const rows = Object.entries(found?.items ?? {}).map(([topic, each]) => ({ topic, ...each }));
  if (data === "rows") return { rows: rows.map((row) => ({ ...row, value: read(row.value) })), at: Math.max(...rows.map((row) => row.at)) };
  return rows.reduce((newest, row) => (row.at >= (newest.at ?? 0) ? row : newest), {});
}

function read(text) {
  try {
    return typeof text === "string" ? JSON.parse(text) : text;
  } catch {
    return text;
  }
}
