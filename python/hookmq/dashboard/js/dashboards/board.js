// A dashboard that is edited: changes are kept by themselves, can be taken back, and never overwrite somebody else's.
import { get, path, put, remove, signal } from "../kit.js";
import { makeWidget, newId } from "../widgets/registry.js";

const SAVE_AFTER = 500;
const UNDO = 100;

/** `doc` is a signal with {id, title, columns, widgets}; `state` one of "saved", "waiting", "saving", "conflict", "failed". */
export class Board {
  constructor(doc, etag) {
    this.doc = signal(doc);
    this.state = signal("saved");
    this.problem = signal(null);
    this.undoable = signal(0);
    this.etag = etag;
    this.past = [];
    this.timer = 0;
    this.saving = null;
  }

  static async load(id) {
    const { data, etag } = await get.tagged(path("dashboards", id));
    return new Board(data, etag);
  }

  /** Makes the dashboard another one by a function of the document, which can be taken back. */
  change(make) {
    const before = this.doc.peek();
    const after = make(before);
    if (after === before || JSON.stringify(after) === JSON.stringify(before)) return;
    this.past.push(before);
    if (this.past.length > UNDO) this.past.shift();
    this.undoable.value = this.past.length;
    this.doc.value = after;
    this.later();
  }

  undo() {
    const before = this.past.pop();
    if (!before) return;
    this.undoable.value = this.past.length;
    this.doc.value = { ...before, version: this.doc.peek().version };
    this.later();
  }

  rename(title) {
    this.change((doc) => ({ ...doc, title }));
  }

  add(widget) {
    this.change((doc) => ({ ...doc, widgets: [...doc.widgets, { ...widget, ...freePlace(doc.widgets, widget, doc.columns) }] }));
  }

  replace(widget) {
    this.change((doc) => ({ ...doc, widgets: doc.widgets.map((each) => (each.id === widget.id ? { ...widget, x: each.x, y: each.y, w: each.w, h: each.h } : each)) }));
  }

  duplicate(id) {
    const widget = this.doc.peek().widgets.find((each) => each.id === id);
    if (widget) this.add({ ...structuredClone(widget), id: newId() });
  }

  removeWidget(id) {
    this.change((doc) => ({ ...doc, widgets: doc.widgets.filter((each) => each.id !== id) }));
  }

  /** Takes the places [{id, x, y, w, h}, …] as they are on the grid. */
  place(places) {
    const found = new Map(places.map(({ id, ...place }) => [id, place]));
    this.change((doc) => ({ ...doc, widgets: doc.widgets.map((each) => (found.has(each.id) ? { ...each, ...found.get(each.id) } : each)) }));
  }

  /** Moves every widget up as far as there is room. */
  tidy() {
    this.change((doc) => {
      const placed = [];
      for (const widget of [...doc.widgets].sort((a, b) => a.y - b.y || a.x - b.x)) {
        let y = widget.y;
        while (y > 0 && !placed.some((each) => overlap(each, { ...widget, y: y - 1 }))) y -= 1;
        placed.push({ ...widget, y });
      }
      const found = new Map(placed.map((each) => [each.id, each]));
      return { ...doc, widgets: doc.widgets.map((each) => found.get(each.id)) };
    });
  }

  later() {
    if (this.state.peek() === "conflict") return;
    this.state.value = "waiting";
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.save(), SAVE_AFTER);
  }

  /** Saves at once what is not saved yet. */
  async save({ force = false } = {}) {
    clearTimeout(this.timer);
    if (this.saving) await this.saving;
    if (!force && this.state.peek() !== "waiting" && this.state.peek() !== "failed") return;
    const doc = this.doc.peek();
    this.state.value = "saving";
    this.saving = this.send(doc, force);
    await this.saving;
    this.saving = null;
    if (this.state.peek() === "saved" && this.doc.peek() !== doc) this.later();
  }

  async send(doc, force) {
    try {
      if (force) this.etag = (await get.tagged(path("dashboards", doc.id))).etag;
      const { data, etag } = await put.tagged(path("dashboards", doc.id), content(doc), { ifMatch: this.etag });
      this.etag = etag ?? this.etag;
      if (data?.version !== undefined) this.version = data.version;
      this.problem.value = null;
      this.state.value = "saved";
    } catch (problem) {
      this.problem.value = problem;
      this.state.value = problem.status === 412 ? "conflict" : "failed";
    }
  }

  /** Takes what the broker has, and forgets what is not saved. */
  async reload() {
    const { data, etag } = await get.tagged(path("dashboards", this.doc.peek().id));
    this.etag = etag;
    this.version = data.version;
    this.past = [];
    this.undoable.value = 0;
    this.problem.value = null;
    this.state.value = "saved";
    this.doc.value = data;
  }

  /** Somebody has changed the dashboard: it is taken if nothing of ours is lost by that. */
  changed(version) {
    if (version === (this.version ?? this.doc.peek().version) || this.saving || this.state.peek() !== "saved") return;
    this.version = version;
    this.reload().catch(() => {});
  }
}

/** What of a document is sent to be kept, and exported. */
export function content({ title, columns, widgets }) {
  return { title, columns: columns ?? 12, widgets };
}

/** The first place, row by row, at which a widget covers no other one. */
export function freePlace(widgets, { w, h }, columns = 12) {
  const bottom = widgets.reduce((most, each) => Math.max(most, each.y + each.h), 0);
  for (let y = 0; y <= bottom; y++) {
    for (let x = 0; x + w <= columns; x++) {
      if (!widgets.some((each) => overlap(each, { x, y, w, h }))) return { x, y };
    }
  }
  return { x: 0, y: bottom };
}

function overlap(a, b) {
  return a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h;
}

/** Adds a widget to a dashboard that is not open, and again if somebody changed it in the same moment. */
export async function addTo(id, members) {
  for (let turn = 0; ; turn++) {
    const { data, etag } = await get.tagged(path("dashboards", id));
    const widget = makeWidget(members.kind, members);
    const placed = { ...widget, ...freePlace(data.widgets, widget, data.columns) };
    try {
      await put(path("dashboards", id), content({ ...data, widgets: [...data.widgets, placed] }), { ifMatch: etag });
      return { id, title: data.title, widget: placed.id };
    } catch (problem) {
      if (problem.status !== 412 || turn >= 3) throw problem;
    }
  }
}

export function removeBoard(id) {
  return remove(path("dashboards", id));
}
