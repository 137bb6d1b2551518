// The small components: buttons, badges, cards, notices, what is shown where there is nothing.
import { html, useEffect, useState } from "../core/html.js";
import { t } from "../core/i18n.js";
import { ago, dateTime } from "../core/format.js";
import { Icon } from "./icons.js";

/** A page's frame: title, a line that explains it, actions at the right. */
export function Page({ title, about, actions, narrow, children }) {
  useEffect(() => { document.title = `${title} · HookMQ`; }, [title]);
  return html`<div class=${narrow ? "page narrow" : "page"}>
    <header>
      <div class="titles"><h1 tabindex="-1">${title}</h1>${about && html`<p>${about}</p>`}</div>
      ${actions && html`<div class="row">${actions}</div>`}
    </header>
    ${children}
  </div>`;
}

export function Card({ title, actions, flush, children, class: extra = "" }) {
  return html`<section class=${`card ${extra}`}>
    ${(title || actions) && html`<header>${title && html`<h2 class="clip">${title}</h2>`}${actions}</header>`}
    <div class=${flush ? "body flush" : "body"}>${children}</div>
  </section>`;
}

/**
 * A button, or a link that looks like one if there is `href`. kind: "primary", "danger", "quiet" or none.
 * With `icon` and no children it is square and needs `label`. While a promise that `onClick` returned is
 * under way the button is busy.
 */
export function Button({
  kind = "", icon, label, small, href, download, pressed, sure, disabled, type = "button", onClick, children, ...rest
}) {
  const [busy, setBusy] = useState(false);
  const bare = icon && (children === undefined || children === null);
  const name = ["button", kind, small && "small", bare && "icon", sure && "sure"].filter(Boolean).join(" ");
  const inside = html`${busy ? html`<span class="spin"></span>` : icon && html`<${Icon} name=${icon} />`}${children}`;
  const about = { class: name, title: label, "aria-label": bare ? label : undefined, ...rest };
  if (href) return html`<a ...${about} href=${href} download=${download}>${inside}</a>`;
  const click = onClick && ((event) => {
    const result = onClick(event);
    if (result?.finally) {
      setBusy(true);
      result.finally(() => setBusy(false)).catch(() => {});
    }
  });
  return html`<button ...${about} type=${type} disabled=${disabled || busy} aria-pressed=${pressed}
    onClick=${click}>${inside}</button>`;
}

/** kind: "ok", "warning", "error", "accent" or none. */
export function Badge({ kind = "", icon, children, ...rest }) {
  return html`<span class=${`badge ${kind}`} ...${rest}>${icon && html`<${Icon} name=${icon} size=${12} />`}${children}</span>`;
}

/** A framed message. kind: "info", "ok", "warning", "error". */
export function Notice({ kind = "info", title, children, actions }) {
  return html`<div class=${`notice ${kind}`} role=${kind === "error" ? "alert" : undefined}>
    <${Icon} name=${kind} size=${18} />
    <div class="grow stack tight">${title && html`<strong>${title}</strong>`}${children && html`<div>${children}</div>`}</div>
    ${actions}
  </div>`;
}

/** What went wrong, and what to do about it. `problem` is what api.js throws. */
export function ProblemNotice({ problem, retry }) {
  if (!problem) return null;
  const help = problem.help ?? problem.about?.help;
  return html`<${Notice} kind="error" title=${problem.message}
    actions=${retry && html`<${Button} small icon="refresh" onClick=${() => { retry(); }}>${t("ui.retry")}<//>`}>
    ${help}
  <//>`;
}

/** What is shown where there is nothing yet: says what would be here and how it comes. `code` can be copied. */
export function Empty({ icon = "info", title, code, children, actions }) {
  return html`<div class="empty">
    <${Icon} name=${icon} />
    <h2>${title}</h2>
    ${children && html`<p>${children}</p>`}
    ${code && html`<${Snippet} code=${code} />`}
    ${actions && html`<div class="row">${actions}</div>`}
  </div>`;
}

/** Code with a button that copies it. */
export function Snippet({ code }) {
  return html`<div class="snippet"><pre tabindex="0" aria-label=${t("ui.code")}>${code}</pre><${Copy} text=${code} /></div>`;
}

/** A button that copies a text. */
export function Copy({ text, label, small = true, children }) {
  const [done, setDone] = useState(false);
  useEffect(() => {
    if (!done) return undefined;
    const timer = setTimeout(() => setDone(false), 1500);
    return () => clearTimeout(timer);
  }, [done]);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      // Without TLS and not on this machine browsers have no clipboard: the old way.
      const area = document.createElement("textarea");
      area.value = text;
      document.body.append(area);
      area.select();
      document.execCommand("copy");
      area.remove();
    }
    setDone(true);
  };
  return html`<${Button} kind="quiet" small=${small} icon=${done ? "check" : "copy"}
    label=${done ? t("ui.copied") : label ?? t("ui.copy")} onClick=${copy}>${children}<//>`;
}

export function Loading({ label }) {
  return html`<div class="empty" role="status"><span class="spin"></span><span>${label ?? t("ui.loading")}</span></div>`;
}

/** A time as "5 seconds ago", which keeps true; the whole time when one points at it. */
export function Ago({ at }) {
  const [, setTurn] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => setTurn((turn) => turn + 1), 5000);
    return () => clearInterval(timer);
  }, []);
  if (!Number.isFinite(at)) return "–";
  return html`<time datetime=${new Date(at * 1000).toISOString()} title=${dateTime(at)}>${ago(at)}</time>`;
}

/** Pairs of a name and a value: items [[label, value], …]; those whose value is undefined or null are left out. */
export function Facts({ items }) {
  return html`<dl class="facts">${items.filter(([, value]) => value !== undefined && value !== null).map(([label, value]) => html`
    <dt key=${`t${label}`}>${label}</dt><dd key=${`d${label}`}>${value}</dd>`)}</dl>`;
}

/** A number with its name, and a sparkline below it. */
export function Stat({ label, value, unit, href, children }) {
  const inside = html`<span class="label">${label}</span>
    <span class="value">${value}${unit && html` <small>${unit}</small>`}</span>${children}`;
  return href ? html`<a class="card stat" href=${href}>${inside}</a>` : html`<div class="card stat">${inside}</div>`;
}
