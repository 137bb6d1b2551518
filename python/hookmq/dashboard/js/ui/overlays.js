// What lies above the page: dialogs, questions, menus, short messages.
import { html, signal, useEffect, useLayoutEffect, useRef, useState } from "../core/html.js";
import { t } from "../core/i18n.js";
import { Button, Notice } from "./basics.js";
import { Icon } from "./icons.js";

/** A modal dialog while `open`; `onClose()` is called by Escape, the cross, or a click beside it. */
export function Dialog({ open = true, title, onClose, wide, footer, children }) {
  const ref = useRef(null);
  useLayoutEffect(() => {
    const dialog = ref.current;
    if (!open || !dialog) return undefined;
    dialog.showModal();
    return () => dialog.close();
  }, [open]);
  if (!open) return null;
  return html`<dialog ref=${ref} class=${wide ? "dialog wide" : "dialog"} aria-label=${title}
    onCancel=${(event) => {
    event.preventDefault();
    onClose();
  }}
    onMouseDown=${(event) => { if (event.target === ref.current) onClose(); }}>
    <header><h2>${title}</h2><${Button} kind="quiet" icon="close" label=${t("ui.close")} onClick=${() => { onClose(); }} /></header>
    <div class="body">${children}</div>
    ${footer && html`<footer>${footer}</footer>`}
  </dialog>`;
}

const question = signal(null);
const messages = signal([]);
let count = 0;

/** Asks before something is done: resolves to true or false. `danger` when it cannot be taken back. */
export function confirm({ title, text, action, danger = true }) {
  return new Promise((resolve) => {
    question.value = { title, text, action, danger, answer: (yes) => { question.value = null; resolve(yes); } };
  });
}

/** A short message at the corner. kind: "ok", "error", "info". `action` {label, href | onClick} if given. */
export function toast(text, kind = "ok", action = null) {
  const id = (count += 1);
  messages.value = [...messages.value.slice(-3), { id, text, kind, action }];
  setTimeout(() => dismiss(id), kind === "error" ? 10_000 : 5_000);
}

function dismiss(id) {
  messages.value = messages.value.filter((each) => each.id !== id);
}

/** Does something and says how it went: `await attempt(() => post(…), "Paused")`; true if it went well. */
export async function attempt(work, done = null) {
  try {
    await work();
  } catch (problem) {
    const help = problem.help ? ` ${problem.help}` : "";
    toast(`${problem.message}${help}`, "error");
    return false;
  }
  if (done) toast(done);
  return true;
}

/** Where confirm() and toast() appear; once, in the frame of the page. */
export function Overlays() {
  const asked = question.value;
  const ref = useRef(null);
  const shown = messages.value;
  // The top layer, so that messages are seen above an open dialog.
  useLayoutEffect(() => {
    const host = ref.current;
    if (!host?.showPopover) return;
    if (host.matches(":popover-open")) host.hidePopover();
    if (shown.length) host.showPopover();
  }, [shown]);
  return html`
    ${asked && html`<${Dialog} title=${asked.title} onClose=${() => asked.answer(false)} footer=${html`
      <${Button} onClick=${() => { asked.answer(false); }}>${t("ui.cancel")}<//>
      <${Button} kind=${asked.danger ? "danger" : "primary"} sure onClick=${() => { asked.answer(true); }}>${asked.action}<//>`}>
      <p class="break">${asked.text}</p>
    <//>`}
    <div class="toasts" popover="manual" ref=${ref} role="status" aria-live="polite">
      ${shown.map(({ id, text, kind, action }) => html`<${Notice} key=${id} kind=${kind} actions=${html`
        ${action && html`<${Button} small href=${action.href} onClick=${action.onClick}>${action.label}<//>`}
        <${Button} kind="quiet" small icon="close" label=${t("ui.close")} onClick=${() => { dismiss(id); }} />`}>${text}<//>`)}
    </div>`;
}

/** A button that opens a list: items [{label, icon?, onSelect | href, danger?, disabled?, checked?}], null is left out. */
export function Menu({ label, icon = "more", items, kind = "quiet", small, children }) {
  const [open, setOpen] = useState(false);
  const host = useRef(null);
  const list = useRef(null);
  useEffect(() => {
    if (!open) return undefined;
    const away = (event) => { if (!host.current?.contains(event.target)) setOpen(false); };
    const moved = () => setOpen(false);
    document.addEventListener("pointerdown", away);
    addEventListener("resize", moved);
    return () => {
      document.removeEventListener("pointerdown", away);
      removeEventListener("resize", moved);
    };
  }, [open]);
  useLayoutEffect(() => {
    const box = list.current;
    if (!open || !box) return;
    const at = host.current.getBoundingClientRect();
    const down = at.bottom + 4 + box.offsetHeight <= innerHeight;
    box.style.top = `${down ? at.bottom + 4 : Math.max(8, at.top - 4 - box.offsetHeight)}px`;
    box.style.left = `${Math.max(8, Math.min(at.right - box.offsetWidth, innerWidth - box.offsetWidth - 8))}px`;
    box.querySelector("button:not(:disabled), a")?.focus();
  }, [open]);
  const close = () => {
    setOpen(false);
    host.current?.querySelector("button")?.focus();
  };
  const keys = (event) => {
    const all = [...event.currentTarget.querySelectorAll("button:not(:disabled), a")];
    const at = all.indexOf(document.activeElement);
    const next = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: all.length - 1 }[event.key];
    if (next !== undefined) {
      event.preventDefault();
      all[(next + all.length) % all.length]?.focus();
    } else if (event.key === "Escape" || event.key === "Tab") {
      event.stopPropagation();
      event.preventDefault();
      close();
    }
  };
  return html`<div class="menu" ref=${host}>
    <${Button} kind=${kind} small=${small} icon=${icon} label=${label} aria-haspopup="menu" aria-expanded=${open}
      onClick=${(event) => { event.stopPropagation(); setOpen(!open); }}>${children}<//>
    ${open && html`<div class="list" role="menu" aria-label=${label} ref=${list} onKeyDown=${keys}
      onClick=${(event) => event.stopPropagation()}>
      ${items.filter(Boolean).map((item) => {
    const about = {
      class: item.danger ? "danger" : undefined, tabindex: -1,
      role: item.checked === undefined ? "menuitem" : "menuitemradio", "aria-checked": item.checked,
      onClick: () => { close(); item.onSelect?.(); },
    };
    const inside = html`${item.icon && html`<${Icon} name=${item.icon} />`}<span>${item.label}</span>`;
    return item.href
      ? html`<a key=${item.label} ...${about} href=${item.href} download=${item.download}>${inside}</a>`
      : html`<button key=${item.label} type="button" ...${about} disabled=${item.disabled}>${inside}</button>`;
  })}
    </div>`}
  </div>`;
}
