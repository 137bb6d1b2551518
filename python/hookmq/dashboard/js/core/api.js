// The REST API, as pages call it: JSON in and out, problems as exceptions that say what to do.
import { session } from "./store.js";
import { hasText, t } from "./i18n.js";

// The place of this file says where the API is, whatever a reverse proxy puts in front.
export const API = new URL("../../../api/v1/", import.meta.url);

/** What the API answered instead of what was asked for. */
export class Problem extends Error {
  constructor(status, about) {
    const detail = about.detail || about.title;
    // The broker speaks English: other languages say first what kind of problem it is.
    super(!detail ? t("error.unknown", { status }) : hasText(`error.status_${status}`) ? t(`error.status_${status}`, { detail }) : detail);
    this.status = status;
    this.code = about.code ?? about.error?.code ?? "unknown";
    this.help = about.help ?? (hasText(`error.${this.code}`) ? t(`error.${this.code}`) : null);
    this.line = about.line ?? null;
    this.column = about.column ?? null;
    this.length = about.length ?? null;
    this.hint = about.hint ?? null;
    this.about = about;
  }
}

/** The address of something of the API; members of the query that are null, undefined or "" are left out. */
export function address(path, query = {}) {
  const url = new URL(path, API);
  for (const [name, value] of Object.entries(query)) {
    for (const each of Array.isArray(value) ? value : [value]) {
      if (each !== null && each !== undefined && each !== "") url.searchParams.append(name, each);
    }
  }
  return url;
}

/** A path of the API of parts that may hold anything: path("clients", id, "ban") */
export function path(...parts) {
  return parts.map((part) => encodeURIComponent(part)).join("/");
}

async function call(method, where, { query, body, ifMatch, signal } = {}) {
  const headers = { Accept: "application/json", "X-HookMQ": "1" };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (ifMatch) headers["If-Match"] = ifMatch;
  let answer;
  try {
    answer = await fetch(address(where, query), {
      method, headers, signal, credentials: "same-origin", body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(0, { code: "unreachable", detail: t("error.no_answer") });
  }
  const text = await answer.text();
  let data = null;
  try {
    data = text ? JSON.parse(text) : null;
  } catch {
    if (answer.ok) throw new Problem(answer.status, { code: "unreadable", detail: t("error.not_json") });
  }
  if (!answer.ok) {
    if (answer.status === 401 && session.value?.user && where !== "session") {
      session.value = { ...session.value, user: null };
    }
    throw new Problem(answer.status, data ?? { title: answer.statusText });
  }
  return { data, etag: answer.headers.get("ETag"), status: answer.status };
}

/** GET; `get.tagged` gives {data, etag}. */
export const get = async (where, query, options) => (await call("GET", where, { query, ...options })).data;
get.tagged = (where, query, options) => call("GET", where, { query, ...options });

export const post = async (where, body, options) => (await call("POST", where, { body, ...options })).data;
export const put = async (where, body, options) => (await call("PUT", where, { body, ...options })).data;
put.tagged = (where, body, options) => call("PUT", where, { body, ...options });
export const patch = async (where, body, options) => (await call("PATCH", where, { body, ...options })).data;

/** DELETE, with a query and If-Match. */
export const remove = async (where, query, options) => (await call("DELETE", where, { query, ...options })).data;
