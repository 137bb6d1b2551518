// The form that publishes a message, for the Publish page and the dialog of a topic.
import {
  html, t, can, post, remembered, useState, attempt,
  Button, Check, Dialog, Field, Form, Menu, Segments, jsonOf,
} from "../kit.js";

const MOST = 12;

/** What was published last from this browser, newest first: [{topic, payload, qos, retain, properties, kind}] */
export const published = remembered("published", []);

const EMPTY = { topic: "", payload: "", qos: 0, retain: false, kind: "text", properties: {} };

function jsonError(text) {
  try {
    JSON.parse(text);
    return null;
  } catch (error) {
    return error.message;
  }
}

function bytesOf(hex) {
  const bare = hex.replace(/\s+/g, "");
  if (!/^([0-9a-f]{2})*$/i.test(bare)) return null;
  return Uint8Array.from(bare.match(/../g) ?? [], (each) => parseInt(each, 16));
}

const base64 = (data) => btoa(Array.from(data, (each) => String.fromCharCode(each)).join(""));

/** The body of POST publish for what stands in the form. */
export function bodyOf(form) {
  const body = { topic: form.topic, qos: Number(form.qos), retain: form.retain };
  if (form.kind === "hex") body.payload_base64 = base64(bytesOf(form.payload));
  else body.payload = form.payload;
  const properties = {};
  const { content_type, response_topic, correlation_data, expiry, user } = form.properties;
  if (content_type) properties.content_type = content_type;
  if (response_topic) properties.response_topic = response_topic;
  if (correlation_data) properties.correlation_data = base64(new TextEncoder().encode(correlation_data));
  if (expiry) properties.message_expiry_interval = Number(expiry);
  const pairs = (user ?? "").split("\n").filter(Boolean).map((line) => {
    const at = line.indexOf("=");
    return at < 0 ? [line, ""] : [line.slice(0, at).trim(), line.slice(at + 1).trim()];
  });
  if (pairs.length) properties.user_properties = pairs;
  if (Object.keys(properties).length) body.properties = properties;
  return body;
}

function problemOf(form) {
  if (!form.topic) return { topic: t("message.topic_missing") };
  if (/[+#]/.test(form.topic)) return { topic: t("message.topic_wildcard") };
  if (form.topic.startsWith("$")) return { topic: t("message.topic_dollar") };
  if (form.kind === "json" && jsonError(form.payload)) return { payload: t("message.json_wrong", { why: jsonError(form.payload) }) };
  if (form.kind === "hex" && bytesOf(form.payload) === null) return { payload: t("message.hex_wrong") };
  return null;
}

/** The form. `initial` fills it; `onDone()` after each message; `fixed` hides the topic. */
export function PublishForm({ initial = {}, onDone, fixed }) {
  const [form, setForm] = useState({ ...EMPTY, ...initial, kind: initial.kind ?? (jsonLike(initial.payload) ? "json" : "text") });
  const [tried, setTried] = useState(false);
  const [more, setMore] = useState(false);
  const set = (name) => (value) => setForm((before) => ({ ...before, [name]: value }));
  const property = (name) => (value) => setForm((before) => ({ ...before, properties: { ...before.properties, [name]: value } }));
  const wrong = tried ? problemOf(form) : null;
  const send = async () => {
    setTried(true);
    if (problemOf(form)) return;
    if (await attempt(() => post("publish", bodyOf(form)), t("message.sent", { topic: form.topic }))) {
      setTried(false);
      const same = JSON.stringify(form);
      published.value = [form, ...published.value.filter((each) => JSON.stringify(each) !== same)].slice(0, MOST);
      onDone?.();
    }
  };
  const keys = (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      send();
    }
  };
  const pretty = () => set("payload")(JSON.stringify(JSON.parse(form.payload), null, 2));
  const recent = published.value;
  return html`<${Form} onSubmit=${send} onKeyDown=${keys}>
    ${!fixed && html`<${Field} label=${t("message.topic")} value=${form.topic} onInput=${set("topic")} mono placeholder="tank/1/level"
      error=${wrong?.topic} data-search />`}
    <div class="row">
      <${Segments} label=${t("message.kind")} value=${form.kind} onChange=${set("kind")}
        options=${[["text", t("ui.text")], ["json", "JSON"], ["hex", t("ui.hex")]]} />
      <span class="grow"></span>
      ${form.kind === "json" && html`<${Button} small disabled=${jsonError(form.payload) !== null} onClick=${pretty}>${t("message.pretty")}<//>`}
      ${recent.length > 0 && !fixed && html`<${Menu} small kind="" icon="history" label=${t("message.recent")}
        items=${recent.map((each) => ({ label: `${each.topic}  ${each.payload.slice(0, 40)}`, onSelect: () => setForm(each) }))}>${t("message.recent")}<//>`}
    </div>
    <${Field} label=${t("ui.payload")} type="textarea" rows="6" value=${form.payload} onInput=${set("payload")} error=${wrong?.payload}
      placeholder=${form.kind === "json" ? '{"level": 42}' : form.kind === "hex" ? "00 ff 1a" : "42"} />
    <div class="row">
      <${Segments} label="QoS" value=${Number(form.qos)} onChange=${set("qos")} options=${[0, 1, 2].map((each) => [each, `QoS ${each}`])} />
      <${Check} label=${t("message.retain")} checked=${form.retain} onChange=${set("retain")} />
      <span class="grow"></span>
      <${Button} small kind="quiet" icon=${more ? "down" : "right"} aria-expanded=${more} onClick=${() => { setMore(!more); }}>${t("message.properties")}<//>
    </div>
    ${more && html`<div class="grid2">
      <${Field} label=${t("message.content_type")} value=${form.properties.content_type} onInput=${property("content_type")} placeholder="application/json" />
      <${Field} label=${t("message.expiry")} type="number" min="0" value=${form.properties.expiry} onInput=${property("expiry")} />
      <${Field} label=${t("message.response_topic")} value=${form.properties.response_topic} onInput=${property("response_topic")} mono />
      <${Field} label=${t("message.correlation_data")} value=${form.properties.correlation_data} onInput=${property("correlation_data")} mono />
      <${Field} label=${t("message.user_properties")} help=${t("message.user_properties_help")} type="textarea" rows="3"
        value=${form.properties.user} onInput=${property("user")} placeholder="source = dashboard" />
    </div>`}
    <div class="row"><${Button} kind="primary" icon="publish" type="submit" disabled=${!can("operator")}>${t("message.publish")}<//>
      <span class="muted small">${can("operator") ? t("message.publish_keys") : t("message.publish_not")}</span></div>
  <//>`;
}

function jsonLike(text) {
  const value = jsonOf({ payload: text });
  return value !== null && typeof value === "object";
}

/** The same in a dialog, to a topic. */
export function PublishDialog({ topic, message, onClose }) {
  const initial = { topic, payload: message?.payload ?? "", qos: message?.qos ?? 0, retain: message?.retain ?? false };
  return html`<${Dialog} title=${t("message.publish_to", { topic })} onClose=${onClose}>
    <${PublishForm} initial=${initial} fixed onDone=${onClose} />
  <//>`;
}
