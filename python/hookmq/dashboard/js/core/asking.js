// What components ask the API for.
import { useCallback, useEffect, useRef, useState } from "../../vendor/hooks.js";
import { get } from "./api.js";

/**
 * One thing of the API: {data, etag, problem, loading, reload, setData}. `where` null asks for nothing.
 * `every` seconds it is asked for again.
 */
export function useGet(where, query = {}, { every = 0 } = {}) {
  const [state, setState] = useState({ data: null, etag: null, problem: null, loading: where !== null });
  const [turn, setTurn] = useState(0);
  const key = JSON.stringify([where, query]);
  const asked = useRef(key);
  useEffect(() => {
    if (where === null) {
      setState({ data: null, etag: null, problem: null, loading: false });
      return undefined;
    }
    const stop = new AbortController();
    // What another address answered is not shown under this one.
    const other = asked.current !== key;
    asked.current = key;
    setState((before) => ({ ...(other ? { data: null, etag: null } : before), problem: null, loading: true }));
    get.tagged(where, query, { signal: stop.signal }).then(
      ({ data, etag }) => setState({ data, etag, problem: null, loading: false }),
      (problem) => {
        if (problem.name !== "AbortError") setState((before) => ({ ...before, problem, loading: false }));
      },
    );
    return () => stop.abort();
  }, [key, turn]);
  const reload = useCallback(() => setTurn((before) => before + 1), []);
  useEffect(() => {
    if (!every || where === null) return undefined;
    const timer = setInterval(() => { if (!document.hidden) reload(); }, every * 1000);
    return () => clearInterval(timer);
  }, [key, every]);
  const setData = useCallback((data, etag = null) => setState((before) => ({ ...before, data, etag })), []);
  return { ...state, reload, setData };
}

/** A list of the API, page by page: {items, total, more, problem, loading, reload, loadMore, setItems}. */
export function useList(where, query = {}, { limit = 100 } = {}) {
  const empty = { items: [], next: null, total: null, problem: null, loading: where !== null, extra: {} };
  const [state, setState] = useState(empty);
  const [turn, setTurn] = useState(0);
  const key = JSON.stringify([where, query]);
  const running = useRef(null);

  const load = useCallback((cursor, before) => {
    running.current?.abort();
    const stop = new AbortController();
    running.current = stop;
    setState((old) => ({ ...old, loading: true, problem: null }));
    get(where, { ...query, limit, cursor }, { signal: stop.signal }).then(
      ({ items, next = null, total = null, ...extra }) => {
        running.current = null;
        setState({ items: [...before, ...items], next, total, problem: null, loading: false, extra });
      },
      (problem) => {
        if (problem.name === "AbortError") return;
        running.current = null;
        setState((old) => ({ ...old, problem, loading: false }));
      },
    );
  }, [key]);

  useEffect(() => {
    if (where === null) {
      setState(empty);
      return undefined;
    }
    load(null, []);
    return () => running.current?.abort();
  }, [key, turn]);

  return {
    items: state.items,
    total: state.total,
    extra: state.extra,
    more: state.next !== null,
    problem: state.problem,
    loading: state.loading,
    reload: useCallback(() => setTurn((before) => before + 1), []),
    loadMore: () => { if (state.next !== null && !running.current) load(state.next, state.items); },
    setItems: (change) => setState((old) => ({ ...old, items: change(old.items) })),
  };
}

/** A value that follows another one when it has not changed for a moment: for what is typed. */
export function useSettled(value, milliseconds = 250) {
  const [settled, setSettled] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(value), milliseconds);
    return () => clearTimeout(timer);
  }, [value, milliseconds]);
  return settled;
}
