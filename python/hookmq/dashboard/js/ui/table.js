// Tables: sortable, read with the keyboard, and of any length, because only the rows in sight are drawn.
import { html, useCallback, useEffect, useLayoutEffect, useRef, useState } from "../core/html.js";
import { t } from "../core/i18n.js";
import { number } from "../core/format.js";
import { Button } from "./basics.js";
import { Icon } from "./icons.js";

const ROW = 36;
const BEYOND = 12;

/** Which rows of a scrolling box are in sight: {ref, first, last, top, bottom}. */
export function useWindow(count, row = ROW) {
  const ref = useRef(null);
  const [seen, setSeen] = useState({ top: 0, height: 800 });
  const measure = useCallback(() => {
    const box = ref.current;
    if (!box) return;
    const height = box.clientHeight || 800;
    // Steps of some rows, so that scrolling draws anew now and then and not at every pixel.
    const top = Math.floor(box.scrollTop / (row * 4)) * row * 4;
    setSeen((before) => (before.top === top && before.height === height ? before : { top, height }));
  }, [row]);
  // The box may come later than the component, and go before it: after every drawing it is looked whether it is the same.
  const watched = useRef({ box: null, stop: null });
  useLayoutEffect(() => {
    const box = ref.current;
    if (watched.current.box === box) return;
    watched.current.stop?.();
    watched.current = { box, stop: null };
    if (!box) return;
    measure();
    box.addEventListener("scroll", measure, { passive: true });
    const watcher = new ResizeObserver(measure);
    watcher.observe(box);
    watched.current.stop = () => {
      box.removeEventListener("scroll", measure);
      watcher.disconnect();
    };
  });
  useEffect(() => () => watched.current.stop?.(), []);
  const first = Math.max(0, Math.floor(seen.top / row) - BEYOND);
  const last = Math.min(count, Math.ceil((seen.top + seen.height) / row) + BEYOND + 4);
  return { ref, first, last, top: first * row, bottom: Math.max(0, (count - last) * row) };
}

/**
 * columns [{key, label, render?(row), sort?: true | "name", end?, hide?: "sm" | "md", width?}], rows, rowKey(row).
 * `sort` "name" or "-name" with `onSort(sort)`; without `onSort` the rows that are there are sorted here.
 * `onOpen(row)` makes rows be opened by click and Enter; `selected` is the key of the one that is open.
 * `list` from useList loads more at the end and shows how many there are. `height` is CSS for the scrolling box.
 */
export function Table({
  label, columns, rows, rowKey, sort, onSort, onOpen, selected, list, empty, height = "min(640px, 68vh)",
}) {
  const [ownSort, setOwnSort] = useState(sort ?? null);
  const order = onSort ? sort : ownSort;
  const by = order?.replace(/^-/, "");
  let shown = rows;
  if (!onSort && by) {
    const column = columns.find((each) => (each.sort === true ? each.key : each.sort) === by);
    const value = column?.sortValue ?? ((row) => row[by]);
    const direction = order.startsWith("-") ? -1 : 1;
    shown = [...rows].sort((a, b) => compare(value(a), value(b)) * direction);
  }
  const { ref, first, last, top, bottom } = useWindow(shown.length);
  const [active, setActive] = useState(0);
  const wanted = useRef(false);
  useEffect(() => {
    if (list?.more && !list.loading && last >= shown.length - BEYOND) list.loadMore();
  }, [last, shown.length, list?.more, list?.loading]);
  useLayoutEffect(() => {
    if (!wanted.current) return;
    wanted.current = false;
    const box = ref.current;
    const place = active * ROW;
    if (place < box.scrollTop) box.scrollTop = place;
    else if (place + ROW * 2 > box.scrollTop + box.clientHeight) box.scrollTop = place + ROW * 2 - box.clientHeight;
    box.querySelector(`[data-at="${active}"]`)?.focus({ preventScroll: true });
  });
  if (rows.length === 0 && empty && !list?.loading) return empty;

  const sorted = (column) => {
    const name = column.sort === true ? column.key : column.sort;
    const next = by === name && !order.startsWith("-") ? `-${name}` : by === name ? name : column.end ? `-${name}` : name;
    if (onSort) onSort(next);
    else setOwnSort(next);
  };
  const keys = (event) => {
    if (event.target.tagName !== "TR") return;
    const page = Math.max(1, Math.floor(ref.current.clientHeight / ROW) - 2);
    const move = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -shown.length, End: shown.length };
    if (event.key in move) {
      event.preventDefault();
      wanted.current = true;
      setActive(Math.max(0, Math.min(shown.length - 1, active + move[event.key])));
    } else if ((event.key === "Enter" || event.key === " ") && onOpen) {
      event.preventDefault();
      onOpen(shown[active]);
    }
  };
  const place = (column) => [column.end && "end", column.hide && `hide-${column.hide}`].filter(Boolean).join(" ");
  const style = { maxHeight: height };
  const reach = Math.min(active, Math.max(0, shown.length - 1));
  return html`<div>
    <div class="scroll" ref=${ref} style=${style} tabindex=${onOpen && shown.length ? -1 : 0} role="region" aria-label=${label}>
      <table class="table" aria-label=${label} aria-rowcount=${list?.total ?? shown.length}>
        <thead><tr>${columns.map((column) => {
    const name = column.sort === true ? column.key : column.sort;
    const direction = name && by === name ? (order.startsWith("-") ? "descending" : "ascending") : undefined;
    return html`<th key=${column.key} scope="col" class=${place(column)} aria-sort=${direction}
            style=${column.width ? { width: column.width } : undefined}>${column.sort
      ? html`<button type="button" onClick=${() => sorted(column)}>${column.label}${direction && html`<${Icon} size=${12}
              name=${direction === "ascending" ? "up" : "down"} />`}</button>`
      : column.label || html`<span class="sr">${t("ui.actions")}</span>`}</th>`;
  })}</tr></thead>
        <tbody onKeyDown=${keys}>
          ${top > 0 && html`<tr class="pad" key="top" aria-hidden="true"><td colspan=${columns.length}
            style=${{ height: `${top}px` }}></td></tr>`}
          ${shown.slice(first, last).map((row, at) => {
    const key = rowKey(row);
    return html`<tr key=${key} data-at=${first + at} class=${onOpen ? "open" : undefined} aria-rowindex=${first + at + 1}
              tabindex=${onOpen ? (first + at === reach ? 0 : -1) : undefined}
              aria-selected=${selected === undefined ? undefined : selected === key}
              onFocus=${() => setActive(first + at)} onClick=${onOpen && ((event) => {
      if (!event.target.closest("button, a, input, .menu")) onOpen(row);
    })}>${columns.map((column) => html`<td key=${column.key} class=${place(column)}>${
      column.render ? column.render(row) : row[column.key] ?? "–"}</td>`)}</tr>`;
  })}
          ${bottom > 0 && html`<tr class="pad" key="bottom" aria-hidden="true"><td colspan=${columns.length}
            style=${{ height: `${bottom}px` }}></td></tr>`}
        </tbody>
      </table>
    </div>
    ${list && html`<div class="tablefoot" role="status">
      ${list.loading ? html`<span class="spin"></span><span>${t("ui.loading")}</span>`
    : html`<span>${list.total !== null ? t("ui.of", { n: number(shown.length), total: number(list.total) })
      : t("ui.shown", { n: number(shown.length) })}</span>`}
      ${list.more && !list.loading && html`<${Button} small onClick=${() => { list.loadMore(); }}>${t("ui.more")}<//>`}
    </div>`}
  </div>`;
}

function compare(a, b) {
  if (a === b) return 0;
  if (a === null || a === undefined) return -1;
  if (b === null || b === undefined) return 1;
  return typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b), undefined, { numeric: true });
}
