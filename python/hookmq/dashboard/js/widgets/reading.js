// What a widget makes of a payload: paths, numbers, thresholds, on and off. Nothing here knows of the page.

const STEP = /([^.[\]"]+)|\[(-?\d{1,9})\]|\[("(?:[^"\\]|\\.)*")\]/g;
const ON = new Set(["1", "true", "on", "yes"]);

/** What `path` ("a.b[0].c"; "" is the payload itself) finds in a value, undefined if nothing is there. */
export function find(value, path) {
  let found = value;
  for (const [, bare, index, quoted] of String(path ?? "").matchAll(STEP)) {
    if (index !== undefined) {
      found = Array.isArray(found) ? found.at(Number(index)) : undefined;
      continue;
    }
    const name = bare ?? JSON.parse(quoted);
    const object = found !== null && typeof found === "object" && !Array.isArray(found);
    found = object && Object.hasOwn(found, name) ? found[name] : undefined;
  }
  return found;
}

/** A finite number, or null: numbers, booleans, and texts that are nothing but a number. */
export function toNumber(value) {
  if (typeof value === "boolean") return value ? 1 : 0;
  if (typeof value === "string") return value.trim() === "" ? null : toNumber(Number(value));
  return typeof value === "number" && Number.isFinite(value) ? value : null;
}

/** A value as text in one line; objects as JSON. */
export function toText(value) {
  if (value === null || value === undefined) return "";
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

/** The colour of the highest threshold that a number has reached: "ok", "warning", "error", or "" if none. */
export function levelOf(number, thresholds = []) {
  let reached = null;
  if (number === null) return "";
  for (const threshold of thresholds) {
    if (number >= threshold.at && (reached === null || threshold.at >= reached.at)) reached = threshold;
  }
  return reached?.color ?? "";
}

/** The level of the newest value of any series, the worst of them. */
export function worst(series, thresholds) {
  const order = ["", "ok", "warning", "error"];
  return order[Math.max(0, ...series.map(({ points }) => order.indexOf(levelOf(points.at(-1)?.[2] ?? null, thresholds))))];
}

/** The parts of a scale by threshold: [{from, to, color}], only those within it. */
export function zones(min, max, thresholds = []) {
  const sorted = [...thresholds].sort((a, b) => a.at - b.at);
  return sorted
    .map((each, index) => ({ from: Math.max(min, each.at), to: Math.min(max, sorted[index + 1]?.at ?? max), color: each.color }))
    .filter((zone) => zone.to > zone.from);
}

/** The scale of a widget: its min and max, or 0 to 100, widened (never past what was asked) until it is one. */
export function scaleOf(widget) {
  const min = widget.min ?? Math.min(0, (widget.max ?? 100) - 100);
  const max = widget.max ?? Math.max(100, min + 100);
  return max > min ? { min, max } : { min, max: min + 1 };
}

/** Whether a value means "on": as the widget says, or 1, true, on, yes. Null if there is no value. */
export function isOn(value, options = {}) {
  if (value === null || value === undefined) return null;
  const text = toText(value).trim();
  if (options.on) return text === String(options.on).trim();
  if (options.off) return text !== String(options.off).trim();
  return ON.has(text.toLowerCase()) || (toNumber(value) ?? 0) > 0;
}

const formats = new Map();

function formatter(locale, settings) {
  const key = locale + JSON.stringify(settings);
  let format = formats.get(key);
  if (!format) formats.set(key, (format = new Intl.NumberFormat(locale, settings)));
  return format;
}

/** A number for people: with the decimals asked for, or four digits that matter; huge and tiny ones in powers of ten. */
export function showNumber(number, decimals = null, locale = "en") {
  const size = Math.abs(number);
  if (size >= 1e9 || (size > 0 && size < 1e-4 && decimals === null)) {
    const [digits, power] = number.toExponential(decimals === null ? 2 : Math.min(decimals, 4)).split("e");
    return `${formatter(locale, { maximumFractionDigits: 4 }).format(Number(digits))}×10${superscript(Number(power))}`;
  }
  if (decimals !== null) {
    return formatter(locale, { minimumFractionDigits: decimals, maximumFractionDigits: decimals }).format(number);
  }
  const digits = size >= 1000 ? 1 : size >= 100 ? 1 : size >= 1 ? 2 : 4;
  return formatter(locale, { maximumFractionDigits: digits }).format(number);
}

function superscript(number) {
  return [...String(number)].map((digit) => (digit === "-" ? "⁻" : "⁰¹²³⁴⁵⁶⁷⁸⁹"[Number(digit)])).join("");
}

/** A value for people with its unit: a number as `showNumber` has it, anything else as text. */
export function show(value, widget = {}, locale = "en") {
  const number = typeof value === "boolean" ? null : toNumber(value);
  const text = number === null ? toText(value) : showNumber(number, widget.decimals ?? null, locale);
  if (number === null || !widget.unit) return text;
  return /^[%°′″]/.test(widget.unit) && widget.unit.length === 1 ? text + widget.unit : `${text} ${widget.unit}`;
}

/** What of several topics tells them apart: the levels before and after which they differ are left out. */
export function shortNames(topics) {
  if (topics.length < 2) return topics.map((topic) => topic.split("/").slice(-2).join("/"));
  const split = topics.map((topic) => topic.split("/"));
  const shortest = Math.min(...split.map((levels) => levels.length));
  let head = 0;
  while (head < shortest - 1 && split.every((levels) => levels[head] === split[0][head])) head++;
  let tail = 0;
  while (tail < shortest - head - 1 && split.every((levels) => levels.at(-1 - tail) === split[0].at(-1 - tail))) tail++;
  return split.map((levels) => levels.slice(head, levels.length - tail).join("/"));
}

/** A payload to publish from a template: "{value}" is replaced, alone or inside of JSON. */
export function fill(template, value) {
  return template ? template.replaceAll("{value}", String(value)) : String(value);
}
