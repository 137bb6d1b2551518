// The rule language as the editor needs it: where words, texts and comments are, and what may come next.

export const KEYWORDS = [
  "SELECT", "FROM", "WHERE", "GROUP BY", "HAVING", "ABSENT FOR", "THROTTLE", "FOREACH", "DO", "INCASE", "TIMER",
  "AS", "AND", "OR", "NOT", "IN", "BETWEEN", "LIKE", "IS NULL", "IS NOT NULL", "CASE", "WHEN", "THEN", "ELSE",
  "END", "DIV", "NULL", "TRUE", "FALSE",
];

export const FIELDS = [
  "topic", "payload", "clientid", "username", "peerhost", "qos", "retain", "timestamp", "event", "properties",
  "user_properties",
];

export const EVENTS = [
  "client_connected", "client_disconnected", "message_published", "message_delivered", "message_acked",
  "message_dropped", "session_subscribed", "session_unsubscribed",
];

const WORDS = new Set(KEYWORDS.flatMap((keyword) => keyword.split(" ")));

const TOKEN = new RegExp(
  [
    "(?<comment>--[^\\n]*)",
    "(?<text>'(?:[^']|'')*'?)",
    '(?<filter>"[^"\\n]*"?)',
    "(?<quoted>`[^`\\n]*`?)",
    "(?<number>\\b\\d+(?:\\.\\d+)?(?:[eE][+-]?\\d+)?\\b)",
    "(?<word>[A-Za-z_$][\\w$]*)",
    "(?<space>\\s+)",
    "(?<operator>.)",
  ].join("|"),
  "gsu",
);

/**
 * Cut a text into what the editor colours: `[kind, text]`, which put together are the text again.
 * @param {string} text
 * @returns {[string, string][]}
 */
export function tokens(text) {
  const found = [];
  for (const match of text.matchAll(TOKEN)) {
    const [kind] = Object.entries(match.groups).find(([, value]) => value !== undefined);
    found.push([kind === "word" ? kindOfWord(text, match) : kind, match[0]]);
  }
  return found;
}

function kindOfWord(text, match) {
  const before = text[match.index - 1];
  if (before === ".") return "name";
  if (WORDS.has(match[0].toUpperCase())) return "keyword";
  return /^\s*\(/u.test(text.slice(match.index + match[0].length)) ? "function" : "name";
}

/**
 * What may be meant at a place of a text.
 * @param {string} text
 * @param {number} at where the caret is
 * @param {{functions?: object[], paths?: string[], all?: boolean}} known `functions` as the API lists them, `paths`
 *   into the payload as samples have them; `all`: offer also without a letter
 * @returns {{start: number, items: {kind: string, label: string, insert: string, usage?: string, what?: string,
 *   examples?: string[][]}[]}}
 */
export function completions(text, at, { functions = [], paths = [], all = false } = {}) {
  const before = text.slice(0, at);
  const event = /"\$events\/(\w*)$/u.exec(before);
  if (event) return { start: at - event[1].length, items: starting(event[1], EVENTS.map(item("event")), true) };
  const state = inside(before);
  if (state) return { start: at, items: [] };
  const path = /\bpayload\.([\w.[\]]*)$/u.exec(before);
  if (path) return { start: at - path[1].length, items: starting(path[1], paths.map(item("field")), true) };
  const word = /[A-Za-z_]\w*$/u.exec(before)?.[0] ?? "";
  const start = at - word.length;
  if (before[start - 1] === "." || (word.length < 2 && !all)) return { start, items: [] };
  const called = functions.flatMap((one) => [one.name, ...(one.aliases ?? [])].map((name) => ofFunction(one, name)));
  const items = [...FIELDS.map(item("field")), ...KEYWORDS.map(item("keyword")), ...called];
  return { start, items: starting(word, items, all) };
}

function ofFunction(one, name) {
  return { kind: "function", label: name, insert: `${name}(`, usage: one.usage, what: one.what, examples: one.examples };
}

const item = (kind) => (label) => ({ kind, label, insert: label });

function starting(word, items, all) {
  if (!word) return all ? items.slice(0, 60) : [];
  const small = word.toLowerCase();
  const hits = items.filter(({ label }) => label.toLowerCase().startsWith(small));
  const within = items.filter(({ label }) => label.toLowerCase().indexOf(small) > 0);
  const found = [...hits, ...(word.length > 2 ? within : [])];
  const done = found.length === 1 && found[0].label === word && found[0].kind !== "function";
  return done ? [] : found.slice(0, 60);
}

/** Say whether the end of a text is inside a text, a filter or a comment: nothing is offered there. */
function inside(before) {
  const last = tokens(before).at(-1);
  if (!last) return false;
  const [kind, text] = last;
  if (kind === "comment") return true;
  const mark = { text: "'", filter: '"', quoted: "`" }[kind];
  return Boolean(mark) && (text.length === 1 || !text.endsWith(mark));
}

/** The paths of all fields of a value: `a`, `a.b`, `a.list[0]`. */
export function pathsOf(value, prefix = "", found = []) {
  if (found.length >= 200 || value === null || typeof value !== "object") return found;
  for (const [key, inner] of Object.entries(value)) {
    if (!Array.isArray(value) && !/^[A-Za-z_]\w*$/u.test(key)) continue;
    const path = Array.isArray(value) ? `${prefix}[${key}]` : prefix ? `${prefix}.${key}` : key;
    found.push(path);
    pathsOf(inner, path, found);
  }
  return found;
}
