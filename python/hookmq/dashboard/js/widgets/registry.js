// Which widgets there are: what each is called, how large it begins, what can be set, and the module that draws it.

const CHART = { group: "chart", size: [6, 4], least: [3, 2], data: "points", fields: ["path", "unit", "scale", "decimals", "thresholds", "span"] };
const SCALE = { group: "scale", data: "value", fields: ["path", "unit", "scale", "decimals", "thresholds"] };
const CONTROL = { group: "control", data: "value", command: true };
const LIST = { group: "list", data: "rows" };

const QOS = { name: "qos", type: "select", choices: [0, 1, 2], initial: 0, numeric: true };
const RETAIN = { name: "retain", type: "boolean", initial: false };
const TIMEOUT = { name: "timeout", type: "number", min: 1, max: 60, initial: 5 };
const COMMAND = { name: "command", type: "topic" };
const TEMPLATE = { name: "template", type: "text", sample: '{"set": {value}}' };
const STEP = { name: "step", type: "number", min: 0 };
const NAMES = { name: "names", type: "select", choices: ["short", "topic"], initial: "short" };
const LEGEND = { name: "legend", type: "boolean", initial: true };
const STACKED = { name: "stacked", type: "boolean", initial: false };
const WORDS = [{ name: "on_label", type: "text" }, { name: "off_label", type: "text" }];
const limit = (most, initial) => ({ name: "limit", type: "number", min: 1, max: most, initial });

/**
 * `data` says what the live feed hands over; `topic` is "one" (the newest of a filter), "many", or "none".
 * `fields` are members of the widget itself, `options` those of its options.
 */
export const KINDS = {
  value: { ...SCALE, group: "value", topic: "one", icon: "info", size: [3, 2], least: [1, 1], fields: ["path", "unit", "decimals", "thresholds"], options: [{ name: "sparkline", type: "boolean", initial: true }], load: () => import("./value.js") },
  line: { ...CHART, topic: "many", icon: "chart", options: [STACKED, LEGEND, NAMES], load: () => import("./line.js") },
  area: { ...CHART, topic: "many", icon: "chart", options: [STACKED, LEGEND, NAMES], load: () => import("./area.js") },
  bar: { ...CHART, topic: "many", icon: "rules", options: [STACKED, LEGEND, NAMES], load: () => import("./bar.js") },
  gauge: { ...SCALE, topic: "one", icon: "overview", size: [3, 3], least: [2, 2], options: [{ name: "sweep", type: "select", choices: [240, 180], initial: 240, numeric: true }], load: () => import("./gauge.js") },
  vertical: { ...SCALE, topic: "one", icon: "up", size: [2, 4], least: [1, 3], options: [], load: () => import("./vertical.js") },
  horizontal: { ...SCALE, topic: "one", icon: "right", size: [4, 2], least: [2, 2], options: [], load: () => import("./horizontal.js") },
  tank: { ...SCALE, topic: "one", icon: "retained", size: [3, 4], least: [2, 2], options: [], load: () => import("./tank.js") },
  led: { group: "value", data: "value", topic: "one", icon: "sun", size: [2, 2], least: [1, 1], fields: ["path", "thresholds"],
    options: [{ name: "on", type: "text" }, { name: "off", type: "text" }, ...WORDS], load: () => import("./led.js") },
  switch: { ...CONTROL, topic: "one", icon: "play", size: [2, 2], least: [2, 2], fields: ["path"],
    options: [COMMAND, { name: "on", type: "text", sample: "1" }, { name: "off", type: "text", sample: "0" }, ...WORDS, QOS, RETAIN, TIMEOUT], load: () => import("./switch.js") },
  button: { ...CONTROL, topic: "none", icon: "publish", size: [2, 2], least: [1, 1], fields: [],
    options: [COMMAND, { name: "payload", type: "text" }, { name: "label", type: "text" }, { name: "confirm", type: "boolean", initial: false }, QOS, RETAIN], load: () => import("./button.js") },
  slider: { ...CONTROL, topic: "one", icon: "settings", size: [4, 2], least: [2, 2], fields: ["path", "unit", "scale", "decimals"],
    options: [COMMAND, STEP, TEMPLATE, QOS, RETAIN, TIMEOUT], load: () => import("./slider.js") },
  text: { group: "value", data: "value", topic: "one", icon: "logs", size: [4, 2], least: [1, 1], fields: ["path"],
    options: [{ name: "size", type: "select", choices: ["small", "medium", "large"], initial: "medium" }], load: () => import("./text.js") },
  number: { ...CONTROL, topic: "one", icon: "keyboard", size: [3, 2], least: [2, 2], fields: ["path", "unit", "scale", "decimals"],
    options: [COMMAND, STEP, TEMPLATE, QOS, RETAIN, TIMEOUT], load: () => import("./number.js") },
  table: { ...LIST, topic: "many", icon: "table", size: [6, 4], least: [3, 2], fields: ["path", "unit", "decimals", "thresholds"], options: [{ name: "columns", type: "list" }, limit(200, 100)], load: () => import("./table.js") },
  log: { ...LIST, topic: "many", icon: "logs", size: [6, 4], least: [3, 2], fields: ["path", "thresholds"], options: [limit(500, 100)], load: () => import("./log.js") },
  map: { ...LIST, topic: "many", icon: "map", size: [6, 5], least: [3, 3], fields: ["thresholds"],
    options: [{ name: "latitude", type: "path" }, { name: "longitude", type: "path" }, { name: "label", type: "path" }, { name: "trail", type: "boolean", initial: true }], load: () => import("./map.js") },
  image: { group: "value", data: "image", topic: "one", icon: "image", size: [4, 4], least: [2, 2], fields: [], options: [{ name: "fit", type: "select", choices: ["contain", "cover"], initial: "contain" }], load: () => import("./image.js") },
  python: { group: "value", data: "value", topic: "none", icon: "code", size: [4, 3], least: [2, 2], fields: ["unit", "decimals"], options: [{ name: "widget", type: "widget" }], load: () => import("./python.js") },
};

export const GROUPS = ["value", "chart", "scale", "control", "list"];

const loaded = new Map();

/** The component that draws a kind. */
export function load(kind) {
  if (!loaded.has(kind)) loaded.set(kind, KINDS[kind].load().then((module) => module.default));
  return loaded.get(kind);
}

/** A new widget of a kind, with what is usual. */
export function makeWidget(kind, members = {}) {
  const [w, h] = KINDS[kind].size;
  return {
    id: newId(), kind, title: "", x: 0, y: 0, w, h, topic: "", path: "", unit: "", min: null, max: null, decimals: null,
    thresholds: [], span: 0, options: {}, ...members,
  };
}

/** A name for a widget that no other has. */
export function newId() {
  return `w${[...crypto.getRandomValues(new Uint8Array(6))].map((byte) => byte.toString(36).padStart(2, "0")).join("")}`;
}
