// The live feed: one WebSocket, on which any number of views are watched.
import { signal, useSignal, useSignalEffect } from "../../vendor/signals.js";
import { useEffect, useMemo } from "../../vendor/hooks.js";
import { API } from "./api.js";
import { session } from "./store.js";

const HIDDEN_FOR = 10_000;
const PING_EVERY = 25_000;
/** Without a word for so long behind a ping, the network is gone, whatever the socket says. */
const SILENCE = 10_000;
/** When a view that the broker could not show is asked for again. */
const AGAIN = 10_000;
const KEEP = 500;

/** "on", "off" (not connected, will be), "idle" (nothing to watch, or the tab is hidden), "refused". */
export const liveState = signal("idle");

const watches = new Map();
let socket = null;
let count = 0;
let attempt = 0;
let timer = 0;
let heard = 0;
let hiddenTimer = 0;
let shared = null;

function url() {
  const made = new URL("live", API);
  made.protocol = made.protocol === "https:" ? "wss:" : "ws:";
  if (shared) made.searchParams.set("token", shared);
  return made;
}

/** Has the feed used by a link that shares a dashboard, by somebody who is not logged in. */
export function useSharedToken(token) {
  if (shared === token) return;
  shared = token;
  reconnect();
}

/** Sends a frame, and says whether there was a connection. */
function send(frame) {
  if (socket?.readyState !== WebSocket.OPEN) return false;
  socket.send(JSON.stringify(frame));
  return true;
}

function ask(watch) {
  send({ do: "watch", id: watch.id, view: watch.view, with: watch.with });
}

function open() {
  clearTimeout(timer);
  if (socket || watches.size === 0 || document.hidden) return;
  if (!session.peek()?.user && !shared) return;
  const mine = new WebSocket(url());
  socket = mine;
  mine.onopen = () => {
    attempt = 0;
    liveState.value = "on";
    for (const watch of watches.values()) ask(watch);
  };
  mine.onmessage = (event) => {
    heard = performance.now();
    const frame = JSON.parse(event.data);
    if (frame.id !== undefined) watches.get(frame.id)?.take(frame);
  };
  mine.onclose = (event) => {
    if (socket !== mine) return;
    socket = null;
    if (event.code === 4401 && !shared) {
      liveState.value = "refused";
      if (session.value?.user) session.value = { ...session.value, user: null };
      return;
    }
    liveState.value = "off";
    // A little chance, so that many pages do not come back in the same moment.
    const wait = Math.min(15_000, 500 * 2 ** attempt) * (0.7 + 0.6 * Math.random());
    attempt += 1;
    timer = setTimeout(open, wait);
  };
}

function close(state) {
  clearTimeout(timer);
  const mine = socket;
  socket = null;
  mine?.close(1000);
  liveState.value = state;
}

/** Connects anew, for example after a login. */
export function reconnect() {
  close("idle");
  attempt = 0;
  open();
}

document.addEventListener("visibilitychange", () => {
  clearTimeout(hiddenTimer);
  if (document.hidden) hiddenTimer = setTimeout(() => close("idle"), HIDDEN_FOR);
  else {
    attempt = 0;
    open();
  }
});
setInterval(() => {
  const mine = socket;
  if (!send({ do: "ping" })) return;
  const asked = performance.now();
  setTimeout(() => { if (socket === mine && heard < asked) reconnect(); }, SILENCE);
}, PING_EVERY);
addEventListener("online", () => { if (liveState.peek() !== "refused") reconnect(); });

class Watch {
  constructor(view, options) {
    this.id = `w${(count += 1)}`;
    this.view = view;
    this.with = options;
    this.users = 0;
    /** The view's newest whole: an object, or for streams the newest items, oldest first. */
    this.data = signal(null);
    this.problem = signal(null);
    this.lost = signal(0);
    this.at = 0;
    this.listeners = new Set();
  }

  take(frame) {
    if (frame.at) this.at = frame.at;
    if (frame.error) {
      this.problem.value = frame.error;
      if (frame.error.code === "internal") setTimeout(() => { if (watches.get(this.id) === this) ask(this); }, AGAIN);
      return;
    }
    if ("whole" in frame) {
      this.problem.value = null;
      this.data.value = frame.whole;
    } else if (frame.set || frame.gone) {
      const before = this.data.peek() ?? {};
      const keyed = before.items && !Array.isArray(before.items) ? before.items : null;
      const items = { ...(keyed ?? before), ...frame.set };
      for (const key of frame.gone ?? []) delete items[key];
      this.data.value = keyed ? { ...before, items } : items;
    } else if (frame.add) {
      if (frame.lost) this.lost.value += frame.lost;
      const before = this.data.peek();
      if (before === null || Array.isArray(before)) {
        const all = (before ?? []).concat(frame.add);
        this.data.value = all.length > KEEP ? all.slice(-KEEP) : all;
      }
    }
    for (const listener of this.listeners) listener(frame);
  }
}

/**
 * Watches a view until `stop()`: {data, problem, lost, listen(fn), stop()}, all but the functions signals.
 * The same view with the same options is watched once, however many ask for it.
 */
export function watch(view, options = {}) {
  const key = JSON.stringify([view, options]);
  let found = [...watches.values()].find((each) => each.key === key);
  if (!found) {
    found = new Watch(view, options);
    found.key = key;
    watches.set(found.id, found);
    ask(found);
    open();
  } else if (view === "series") {
    // Who comes later needs the numbers of before as well: they are told again.
    ask(found);
  }
  found.users += 1;
  let stopped = false;
  return {
    data: found.data,
    problem: found.problem,
    lost: found.lost,
    listen(listener) {
      found.listeners.add(listener);
      return () => found.listeners.delete(listener);
    },
    stop() {
      if (stopped) return;
      stopped = true;
      found.users -= 1;
      if (found.users === 0) {
        watches.delete(found.id);
        send({ do: "unwatch", id: found.id });
      }
    },
  };
}

/**
 * A view in a component: a signal with its data, which stays (the last data) while options change.
 * `view` null watches nothing. `listener`, if given, gets every frame: {whole} | {set, gone} | {add, lost}.
 */
export function useLive(view, options = {}, listener = null) {
  const key = JSON.stringify([view, options]);
  const data = useSignal(null);
  const problem = useSignal(null);
  const lost = useSignal(0);
  const current = useSignal(null);
  const latest = useMemo(() => ({ listener: null }), []);
  latest.listener = listener;
  useEffect(() => {
    if (view === null) return undefined;
    const mine = watch(view, options);
    const silence = mine.listen((frame) => latest.listener?.(frame));
    current.value = mine;
    return () => {
      silence();
      mine.stop();
    };
  }, [key]);
  useSignalEffect(() => {
    const mine = current.value;
    if (!mine) return;
    if (mine.data.value !== null) data.value = mine.data.value;
    problem.value = mine.problem.value;
    lost.value = mine.lost.value;
  });
  return useMemo(() => ({ data, problem, lost, get value() { return data.value; } }), []);
}
