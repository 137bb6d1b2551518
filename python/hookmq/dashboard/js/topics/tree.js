// The tree of topics. The broker keeps it; the page asks for the levels that are open, and draws the rows in sight.
import {
  html, signal, t, format, get, useEffect, useLayoutEffect, useLive, useMemo, useRef, useState, useWindow,
  Button, Icon, Loading, ProblemNotice,
} from "../kit.js";

const ROW = 30;
const LIMIT = 500;
const MOST_OPEN = 199;

/** The topics whose levels below are shown; kept while one looks at other pages. */
const opened = signal(new Set());

export function reveal(topic) {
  const next = new Set(opened.value);
  const levels = topic.split("/");
  for (let n = 1; n < levels.length; n += 1) next.add(levels.slice(0, n).join("/"));
  if (next.size !== opened.value.size) opened.value = next;
}

function parentOf(topic) {
  const cut = topic.lastIndexOf("/");
  return cut < 0 ? null : topic.slice(0, cut);
}

function setOpen(topic, open) {
  const next = new Set(opened.value);
  if (open) {
    next.add(topic);
    // The oldest of the opened ones are closed: the feed takes a limited number.
    for (const each of next) if (next.size > MOST_OPEN) next.delete(each);
  } else {
    for (const each of next) if (each === topic || each.startsWith(`${topic}/`)) next.delete(each);
  }
  opened.value = next;
}

const byName = new Intl.Collator(undefined, { numeric: true }).compare;

// Rows from the top: [{item, level, open}], and {more: parent} where a level has further ones.
function rowsOf(items, counts) {
  const below = new Map();
  for (const item of items.values()) {
    const parent = parentOf(item.topic);
    if (!below.has(parent)) below.set(parent, []);
    below.get(parent).push(item);
  }
  const rows = [];
  const walk = (parent, level) => {
    const children = (below.get(parent) ?? []).sort((a, b) => byName(a.name, b.name));
    for (const item of children) {
      const open = item.children > 0 && opened.value.has(item.topic);
      rows.push({ item, level, open });
      if (open) walk(item.topic, level + 1);
    }
    const all = parent === null ? counts.get(null) : items.get(parent)?.children;
    if (children.length >= LIMIT && (all === undefined || children.length < all)) rows.push({ more: parent, level, last: children.at(-1).topic });
  };
  walk(null, 1);
  return rows;
}

// null is the top: "" is a level whose name is empty, as in /a.
/** The tree: `selected` is a topic, `onSelect(topic)`; `onItems(map)` is told what is shown. */
export function Tree({ selected, onSelect, onItems }) {
  const parents = useMemo(() => [null, ...[...opened.value].sort()], [opened.value]);
  const feed = useLive("topics", { parents, limit: LIMIT });
  const [further, setFurther] = useState(new Map());
  const cursors = useRef(new Map());
  const shown = feed.value?.items ?? null;
  const items = useMemo(() => {
    const all = new Map(further);
    for (const item of Object.values(shown ?? {})) all.set(item.topic, item);
    return all;
  }, [shown, further]);
  useEffect(() => { onItems?.(items); }, [items]);
  const rows = useMemo(() => rowsOf(items, new Map()), [items, opened.value]);
  const { ref, first, last, top, bottom } = useWindow(rows.length, ROW);
  const [active, setActive] = useState(null);
  const follow = useRef(false);

  const at = Math.max(0, rows.findIndex(({ item }) => item && item.topic === (active ?? selected)));
  useLayoutEffect(() => {
    if (!follow.current) return;
    follow.current = false;
    const box = ref.current;
    const place = at * ROW;
    if (place < box.scrollTop) box.scrollTop = place;
    else if (place + ROW > box.scrollTop + box.clientHeight) box.scrollTop = place + ROW - box.clientHeight;
    box.querySelector(`[data-at="${at}"]`)?.focus({ preventScroll: true });
  });

  const moveTo = (n) => {
    const next = rows[Math.max(0, Math.min(rows.length - 1, n))];
    if (!next?.item) return;
    follow.current = true;
    setActive(next.item.topic);
  };
  const keys = (event) => {
    const row = rows[at];
    if (!row?.item) return;
    const { key } = event;
    if (key === "ArrowDown") moveTo(at + 1);
    else if (key === "ArrowUp") moveTo(at - 1);
    else if (key === "Home") moveTo(0);
    else if (key === "End") moveTo(rows.length - 1);
    else if (key === "ArrowRight") {
      if (row.item.children && !row.open) setOpen(row.item.topic, true);
      else moveTo(at + 1);
    } else if (key === "ArrowLeft") {
      if (row.open) setOpen(row.item.topic, false);
      else {
        const parent = parentOf(row.item.topic);
        moveTo(rows.findIndex(({ item }) => item?.topic === parent));
      }
    } else if (key === "Enter" || key === " ") onSelect(row.item.topic);
    else return;
    event.preventDefault();
  };
  const more = async ({ more: parent, last: after }) => {
    const before = cursors.current.get(parent);
    const found = await get(parent === "" ? "topics?parent=" : "topics", { parent, limit: LIMIT, cursor: before ?? undefined });
    cursors.current.set(parent, found.next);
    setFurther((known) => new Map([...known, ...found.items.map((each) => [each.topic, each])]));
    if (!before && found.next && found.items.at(-1)?.topic <= after) await more({ more: parent, last: after });
  };

  if (feed.problem.value) return html`<${ProblemNotice} problem=${feed.problem.value} />`;
  if (shown === null) return html`<${Loading} />`;
  return html`<div class="scroll tree" ref=${ref} tabindex="-1">
    <div role="tree" aria-label=${t("nav.topics")} onKeyDown=${keys} style=${{ height: `${rows.length * ROW}px` }}>
      <div style=${{ height: `${top}px` }}></div>
      ${rows.slice(first, last).map((row, n) => (row.item
    ? html`<${Row} key=${row.item.topic} row=${row} n=${first + n} selected=${row.item.topic === selected}
        reachable=${first + n === at} onSelect=${onSelect} onFocus=${() => setActive(row.item.topic)} />`
    : html`<div key=${`more ${row.more}`} class="treerow" role="none"><${Button} small onClick=${() => more(row)}>${t("ui.more")}<//></div>`))}
      <div style=${{ height: `${bottom}px` }}></div>
    </div>
  </div>`;
}

function Row({ row: { item, level, open }, n, selected, reachable, onSelect, onFocus }) {
  const style = { paddingLeft: `${6 + (level - 1) * 16}px` };
  const press = (event) => {
    if (event.target.closest(".chevron")) setOpen(item.topic, !open);
    else {
      onSelect(item.topic);
      if (item.children && !open) setOpen(item.topic, true);
    }
  };
  const below = item.below_topics ?? item.children;
  return html`<div class="treerow" role="treeitem" data-at=${n} style=${style} tabindex=${reachable ? 0 : -1} aria-level=${level}
    aria-expanded=${item.children ? open : undefined} aria-selected=${selected} onClick=${press} onFocus=${onFocus}>
    <span class="chevron" aria-hidden="true">${item.children > 0 && html`<${Icon} size=${13} name=${open ? "down" : "right"} />`}</span>
    <span class="name clip">${item.name === "" ? html`<em class="muted">${t("topics.no_name")}</em>` : item.name}</span>
    ${item.retained && html`<span class="pin" title=${t("topics.retained")}><${Icon} name="retained" size=${12} /><span class="sr">${t("topics.retained")}</span></span>`}
    <span class="value mono clip">${item.preview ?? ""}</span>
    <span class="count num" title=${t("topics.below", { n: format.number(below), count: below })}>${below > 0 && format.compact(below)}</span>
    <span class="rate num">${item.rate >= 0.05 ? format.rate(item.rate) : ""}</span>
  </div>`;
}
