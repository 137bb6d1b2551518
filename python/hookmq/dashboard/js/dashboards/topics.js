// Choosing what a widget shows: topics that are live, and the paths that are in their payloads.
import { get, html, t, useEffect, useRef, useSettled, useState } from "../kit.js";

let count = 0;

/** A text field that offers what it could be: `ask(text)` gives [{value, note}, …]. */
export function Choice({ label, help, value, onInput, ask, placeholder, disabled }) {
  const id = useRef(null);
  id.current ??= `choice${(count += 1)}`;
  const [offers, setOffers] = useState([]);
  const [open, setOpen] = useState(false);
  const [at, setAt] = useState(-1);
  const settled = useSettled(value, 200);
  useEffect(() => {
    if (!open) return undefined;
    let gone = false;
    ask(settled ?? "").then((found) => !gone && setOffers(found), () => !gone && setOffers([]));
    return () => { gone = true; };
  }, [settled, open, ask]);

  const take = (offer) => {
    onInput(offer.value);
    setOpen(Boolean(offer.more));
    setAt(-1);
  };
  const keys = (event) => {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      setOpen(true);
      setAt((before) => Math.max(-1, Math.min(offers.length - 1, before + (event.key === "ArrowDown" ? 1 : -1))));
    } else if (event.key === "Enter" && open && at >= 0 && offers[at]) {
      event.preventDefault();
      take(offers[at]);
    } else if (event.key === "Escape" && open) {
      event.preventDefault();
      event.stopPropagation();
      setOpen(false);
    }
  };
  const shown = open && offers.length > 0;
  return html`<div class="field choice">
    <label for=${id.current}>${label}</label>
    <input id=${id.current} class="input mono" role="combobox" aria-expanded=${String(shown)} aria-controls=${`${id.current}l`} aria-autocomplete="list"
      aria-activedescendant=${shown && at >= 0 ? `${id.current}o${at}` : undefined} aria-describedby=${help ? `${id.current}h` : undefined}
      autocomplete="off" spellcheck=${false} value=${value ?? ""} placeholder=${placeholder} disabled=${disabled}
      onInput=${(event) => { onInput(event.currentTarget.value); setOpen(true); setAt(-1); }}
      onFocus=${() => setOpen(true)} onBlur=${() => setOpen(false)} onKeyDown=${keys} />
    <ul class="offers" id=${`${id.current}l`} role="listbox" aria-label=${t("dashboards.offers")} hidden=${!shown}>${offers.map((offer, index) => html`
      <li key=${offer.value} id=${`${id.current}o${index}`} role="option" aria-selected=${String(index === at)}
        onMouseDown=${(event) => { event.preventDefault(); take(offer); }}><span class="clip mono">${offer.value || t("dashboards.whole_payload")}</span>${offer.note && html`<span class="muted clip">${offer.note}</span>`}</li>`)}</ul>
    ${help && html`<span class="help" id=${`${id.current}h`}>${help}</span>`}
  </div>`;
}

/**
 * Topics to choose from: of a text that ends in "/" those of that level, of any other those that contain it. For widgets
 * of many topics the filters that take all of them come first.
 */
export async function offerTopics(text, many) {
  const search = text.replace(/[+#].*$/, "");
  const level = search === "" ? {} : search.endsWith("/") ? { parent: search.slice(0, -1) } : { search };
  const { items } = await get("topics", { ...level, limit: 100 });
  const known = items.filter((each) => search.startsWith("$") || !each.topic.startsWith("$"));
  const offers = known.map((each) => (each.messages > 0
    ? { value: each.topic, note: each.preview ?? "" }
    : { value: `${each.topic}/`, note: t("dashboards.below", { n: each.below_topics ?? each.children }), more: true }));
  const filters = new Set();
  if (many) {
    if (search.endsWith("/")) filters.add(`${search}#`);
    if (known.length > 1) for (const { topic, messages } of known) if (messages > 0 && topic.includes("/")) filters.add(topic.replace(/[^/]*$/, "+"));
    for (const { topic } of known) {
      const levels = topic.split("/");
      if (levels.length > 2) filters.add([...levels.slice(0, -2), "+", levels.at(-1)].join("/"));
    }
  }
  return [...filters].slice(0, 6).map((value) => ({ value, note: t("dashboards.all_of_these") })).concat(offers).slice(0, 40);
}

/** Paths in the payloads of a topic, or of the first one that a filter matches. */
export async function offerPaths(topic, text, numeric) {
  const first = await exampleOf(topic);
  if (!first) return [];
  const { paths } = await get("history/paths", { topic: first });
  const wanted = text.toLowerCase();
  return paths
    .filter((each) => each.path.toLowerCase().includes(wanted) || paths.some((other) => other.path === text))
    .sort((a, b) => (numeric ? (b.kind === "number") - (a.kind === "number") : 0))
    .map((each) => ({ value: each.path, note: String(each.example ?? "") }));
}

/** A topic that a filter matches, "" if none was seen. */
export async function exampleOf(topic) {
  if (!topic || !/[+#]/.test(topic)) return topic ?? "";
  const longest = topic.split(/[+#]/).map((part) => part.replace(/^\/|\/$/g, "")).sort((a, b) => b.length - a.length)[0];
  const { items } = await get("topics", longest ? { search: longest, limit: 200 } : { limit: 200 });
  return items.find((each) => matches(topic, each.topic))?.topic ?? "";
}

/** Whether a topic filter matches a topic. */
export function matches(filter, topic) {
  const [wanted, levels] = [filter.split("/"), topic.split("/")];
  if (topic.startsWith("$") && !filter.startsWith("$")) return false;
  for (let index = 0; index < wanted.length; index++) {
    if (wanted[index] === "#") return true;
    if (index >= levels.length || (wanted[index] !== "+" && wanted[index] !== levels[index])) return false;
  }
  return wanted.length === levels.length;
}
