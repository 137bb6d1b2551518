// Texts: `text/LANGUAGE.json` for what all pages share, `text/LANGUAGE/PAGE.json` for each page.
import { batch, signal } from "../../vendor/signals.js";
import { remembered } from "./store.js";

export const LANGUAGES = { en: "English", ja: "日本語" };

/** The language that is shown. */
export const language = remembered("language", null);
if (!(language.value in LANGUAGES)) {
  language.value = navigator.languages?.some((each) => each.startsWith("ja")) ? "ja" : "en";
}

const texts = signal({});
const parts = new Map();

async function fetched(part, name) {
  const url = new URL(`../../text/${name}${part ? `/${part}` : ""}.json`, import.meta.url);
  const answer = await fetch(url);
  return answer.ok ? answer.json() : {};
}

/** Has the texts of a page ("" for those of all pages) loaded. */
export function loadTexts(part = "") {
  if (!parts.has(part)) {
    const chosen = language.value;
    parts.set(part, fetched(part, chosen).then((found) => {
      if (chosen === language.value) texts.value = { ...texts.value, ...found };
    }));
  }
  return parts.get(part);
}

/** Shows the page in another language, without loading it anew. */
export async function setLanguage(name) {
  const all = await Promise.all([...parts.keys()].map((part) => fetched(part, name)));
  batch(() => {
    texts.value = Object.assign({}, ...all);
    language.value = name;
  });
  document.documentElement.lang = name;
}

document.documentElement.lang = language.value;

/**
 * The text of a key with `{name}` replaced by params. A text "one | many" is chosen by params.n.
 * A key without text is shown as it is, in brackets, which the tests look for.
 */
export function t(key, params) {
  let text = texts.value[key];
  if (text === undefined) return `⟦${key}⟧`;
  if (params === undefined) return text;
  if (text.includes(" | ") && params.n !== undefined) {
    const [one, many] = text.split(" | ");
    text = new Intl.PluralRules(language.value).select(Number(params.count ?? params.n)) === "one" ? one : many;
  }
  return text.replace(/\{(\w+)\}/g, (whole, name) => (name in params ? String(params[name]) : whole));
}

/** Whether there is a text of that key, for keys that come from the broker. */
export function hasText(key) {
  return texts.value[key] !== undefined;
}
