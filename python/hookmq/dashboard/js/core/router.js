// Which page the address names: `#/PAGE/PART/PART?name=value`.
import { signal } from "../../vendor/signals.js";

function parse(hash) {
  const [way, search = ""] = hash.replace(/^#\/?/, "").split("?", 2);
  const decoded = way.split("/").map((part) => {
    try {
      return decodeURIComponent(part);
    } catch {
      return part;
    }
  });
  return {
    page: decoded[0] || "overview",
    parts: decoded.slice(1),
    query: Object.fromEntries(new URLSearchParams(search)),
  };
}

/** {page, parts, query} of the address. */
export const route = signal(parse(location.hash));

addEventListener("hashchange", () => { route.value = parse(location.hash); });

/** The address of a page: href("topics", "a/b"), href("history", {filter: "a/#"}) */
export function href(page, ...rest) {
  const query = typeof rest.at(-1) === "object" && rest.at(-1) !== null ? rest.pop() : {};
  const kept = Object.entries(query).filter(([, value]) => value !== null && value !== undefined && value !== "");
  const search = kept.length ? `?${new URLSearchParams(kept)}` : "";
  return `#/${[page, ...rest].map(encodeURIComponent).join("/")}${search}`;
}

/** Goes to a page; arguments as those of href(). */
export function go(...where) {
  location.hash = href(...where);
}

/** Changes the query of the present page without a step in the browser's history. */
export function setQuery(changes) {
  const { page, parts, query } = route.value;
  const next = href(page, ...parts, { ...query, ...changes });
  if (next !== location.hash) {
    history.replaceState(null, "", location.pathname + location.search + next);
    route.value = parse(next);
  }
}
