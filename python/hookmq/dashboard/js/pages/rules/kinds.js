// The kinds of actions and their options. tests/ui/test_rules.py holds it to the package's own table.

const DELIVERY = {
  retries: { type: "int" },
  give_up: { type: "duration", shown: "1d" },
  queue_rows: { type: "int", shown: "10000" },
  spool_bytes: { type: "size", shown: "64MiB" },
};

const MESSAGE = {
  topic: { type: "str", template: true, required: true, example: "alarm/${clientid}" },
  payload: { type: "str", template: true, shown: "${.}" },
  qos: { type: "int", choices: ["0", "1", "2"] },
  content_type: { type: "str", template: true },
  response_topic: { type: "str", template: true },
  correlation_data: { type: "str", template: true },
  user_properties: { type: "templates", template: true },
};

export const KINDS = {
  republish: { ...MESSAGE, retain: { type: "bool" } },
  retain: MESSAGE,
  forward: { topic: { ...MESSAGE.topic, example: "copy/${topic}" }, qos: MESSAGE.qos, retain: { type: "bool" } },
  disconnect: { client: { type: "str", template: true, shown: "${clientid}" } },
  log: {
    text: { type: "str", template: true, shown: "${.}" },
    level: { type: "str", choices: ["info", "warning"] },
  },
  webhook: {
    url: { type: "str", template: true, required: true, example: "https://plant.example/doors/${door}" },
    method: { type: "str", choices: ["POST", "GET", "PUT", "PATCH", "DELETE"] },
    body: { type: "str", template: true, shown: "${.}", long: true },
    content_type: { type: "str", shown: "application/json" },
    headers: { type: "templates", template: true, secret: true },
    username: { type: "str" },
    password: { type: "str", secret: true },
    secret: { type: "str", secret: true },
    allow_private: { type: "bool" },
    timeout: { type: "duration", shown: "10s" },
    ca: { type: "file" },
    ...DELIVERY,
  },
  email: {
    server: { type: "str", required: true, example: "mail.example" },
    port: { type: "int" },
    security: { type: "str", choices: ["starttls", "tls", "none"] },
    username: { type: "str" },
    password: { type: "str", secret: true },
    from: { type: "str", required: true, example: "Plant <plant@example.com>" },
    to: { type: "texts", template: true, required: true, example: "shift@example.com" },
    subject: { type: "str", template: true, shown: "${topic}" },
    body: { type: "str", template: true, shown: "${.}", long: true },
    html: { type: "str", template: true, long: true },
    ca: { type: "file" },
    timeout: { type: "duration", shown: "10s" },
    ...DELIVERY,
  },
  store: {
    table: { type: "str", required: true, example: "temperature" },
    url: { type: "str", secret: true, example: "sqlite:///plant.db" },
    timeout: { type: "duration", shown: "10s" },
    ...DELIVERY,
  },
  connector: {
    name: { type: "str", required: true },
    topic: { type: "str", template: true, shown: "${topic}" },
    payload: { type: "str", template: true, shown: "${.}" },
  },
  function: { function: { type: "str", required: true, example: "plant:alarm" }, ...DELIVERY },
};

const HIDDEN = "***";

/** Options that stand open; the others are below "more". */
const MAIN = new Set([
  "topic", "payload", "client", "text", "level", "url", "method", "body", "server", "from", "to", "subject", "table",
  "name", "function",
]);

/** Cut the options of a kind in those that stand open and those below "more": `[[key, option], …]` twice. */
export function options(kind) {
  const all = Object.entries(KINDS[kind] ?? {});
  return [all.filter(([key]) => MAIN.has(key)), all.filter(([key]) => !MAIN.has(key))];
}

/** What an option is as a text in a field. */
export function written(option, value) {
  if (value === undefined || value === null) return "";
  if (typeof value === "string") return value;
  if (option.type === "templates") {
    return Object.entries(value).map(([key, text]) => `${key}: ${text}`).join("\n");
  }
  return Array.isArray(value) ? value.join(", ") : String(value);
}

/** What a text in a field means as an option; undefined if it is left out. What cannot be is left as it is: the broker says so. */
export function read(option, text) {
  if (text.trim() === "") return undefined;
  // What the broker hides stays what it was.
  if (text === HIDDEN) return text;
  if (option.type === "int") return /^\d+$/u.test(text.trim()) ? Number(text) : text;
  if (option.type === "bool") return text === "true";
  if (option.type === "texts") return text.split(",").map((one) => one.trim()).filter(Boolean);
  if (option.type === "templates") {
    const lines = text.split("\n").filter((line) => line.trim());
    return Object.fromEntries(lines.map((line) => {
      const [key, ...rest] = line.split(":");
      return [key.trim(), rest.join(":").trim()];
    }));
  }
  return text;
}
