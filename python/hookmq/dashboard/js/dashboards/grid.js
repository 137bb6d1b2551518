// Widgets on a grid of twelve columns: dragged and resized by pointer or keys; one column on a phone.
import { GridStack } from "../../vendor/gridstack.js";
import { html, t, useEffect, useLayoutEffect, useRef, useState } from "../kit.js";
import { KINDS } from "../widgets/registry.js";

const CELL = 64;
const NARROW = 640;
const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/** `children(widget, tools)` draws a widget; `onPlace(places)` gets where all of them are after they were moved. */
export function Grid({ widgets, columns = 12, editing, onPlace, onEdit, onRemove, children }) {
  const host = useRef(null);
  const grid = useRef(null);
  const now = useRef({});
  const [said, say] = useState("");
  const waiting = useRef([]);
  Object.assign(now.current, { onPlace, editing, widgets });

  function quietly(work) {
    now.current.quiet = true;
    work();
    now.current.quiet = false;
  }

  useLayoutEffect(() => {
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    const made = GridStack.init({
      auto: false, column: columnsFor(host.current, columns), cellHeight: CELL, margin: 5, float: true, animate: !still, staticGrid: !editing,
      draggable: { handle: ".w-head", cancel: "button,input,select", scroll: true }, resizable: { handles: "e,se,s,sw,w" }, alwaysShowResizeHandle: "mobile",
    }, host.current);
    grid.current = made;
    quietly(() => {
      for (const [widget, element] of waiting.current.splice(0)) make(made, widget, element);
      arrange(made, now.current.widgets, columns);
    });
    // Only what the user has moved is told; a phone's single column says nothing of places.
    made.on("change", () => {
      if (!now.current.quiet && now.current.editing && made.getColumn() === columns) now.current.onPlace?.(placesOf(made));
    });
    const watcher = new ResizeObserver(() => {
      const wanted = columnsFor(host.current, columns);
      if (wanted === made.getColumn()) return;
      quietly(() => {
        made.column(wanted, "none");
        arrange(made, now.current.widgets, columns);
      });
    });
    watcher.observe(host.current);
    return () => {
      watcher.disconnect();
      grid.current = null;
      made.destroy(false);
    };
  }, []);
  useEffect(() => grid.current.setStatic(!editing), [editing]);
  // Undone, or changed by somebody else: the grid follows.
  useLayoutEffect(() => quietly(() => arrange(grid.current, widgets, columns)), [widgets]);

  function enter(widget, element) {
    if (grid.current) make(grid.current, widget, element);
    else waiting.current.push([widget, element]);
  }

  function keys(event, widget) {
    const made = grid.current;
    const node = nodeOf(made, widget.id);
    const step = STEPS[event.key];
    if (event.key === "Delete" || event.key === "Backspace") onRemove(widget);
    else if (event.key === "Enter") onEdit(widget);
    else if (step && node && made.getColumn() === columns) {
      const [dx, dy] = step;
      const [leastWide, leastTall] = KINDS[widget.kind]?.least ?? [1, 1];
      if (event.shiftKey) made.update(node.el, { w: Math.max(leastWide, Math.min(columns - node.x, node.w + dx)), h: Math.max(leastTall, node.h + dy) });
      else made.update(node.el, { x: Math.max(0, Math.min(columns - node.w, node.x + dx)), y: Math.max(0, node.y + dy) });
      say(t("dashboards.placed", { x: node.x + 1, y: node.y + 1, w: node.w, h: node.h }));
      node.el.scrollIntoView({ block: "nearest" });
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }

  return html`<div class=${editing ? "board editing" : "board"}>
    <div class="grid-stack" ref=${host}>
      ${widgets.map((widget) => html`<${Item} key=${widget.id} enter=${(element) => quietly(() => enter(widget, element))} leave=${(element) => quietly(() => grid.current?.removeWidget(element, false, false))}>
        ${children(widget, editing ? (event) => keys(event, widget) : null)}
      <//>`)}
    </div>
    <p class="sr" aria-live="polite">${said}</p>
  </div>`;
}

/** One place of the grid: the grid moves the element, so no attribute of it is ever rendered again. */
function Item({ enter, leave, children }) {
  const element = useRef(null);
  useLayoutEffect(() => {
    enter(element.current);
    return () => leave(element.current);
  }, []);
  return html`<div class="grid-stack-item" ref=${element}><div class="grid-stack-item-content">${children}</div></div>`;
}

function make(grid, widget, element) {
  const [minW, minH] = KINDS[widget.kind]?.least ?? [1, 1];
  grid.makeWidget(element, { id: widget.id, x: widget.x, y: widget.y, w: widget.w, h: widget.h, minW, minH });
}

// Puts everything where the document says; in one column one below the other.
function arrange(grid, widgets, columns) {
  const single = grid.getColumn() !== columns;
  let row = 0;
  grid.batchUpdate();
  for (const { id, x, y, w, h } of [...widgets].sort((a, b) => a.y - b.y || a.x - b.x)) {
    const node = nodeOf(grid, id);
    const place = single ? { x: 0, y: row, w: 1, h } : { x, y, w, h };
    row += h;
    if (node && (node.x !== place.x || node.y !== place.y || node.w !== place.w || node.h !== place.h)) grid.update(node.el, place);
  }
  grid.batchUpdate(false);
}

function columnsFor(element, columns) {
  return element.clientWidth < NARROW ? 1 : columns;
}

function nodeOf(grid, id) {
  return grid.engine.nodes.find((node) => node.id === id);
}

function placesOf(grid) {
  return grid.engine.nodes.map(({ id, x, y, w, h }) => ({ id, x, y, w, h }));
}
