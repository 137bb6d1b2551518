// What one types and chooses with.
import { html, useEffect, useRef } from "../core/html.js";
import { t } from "../core/i18n.js";
import { Icon } from "./icons.js";

let count = 0;

function useId() {
  const id = useRef(null);
  id.current ??= `f${(count += 1)}`;
  return id.current;
}

/**
 * A labelled field. `onInput(value)` gets the new value, not the event. type: what <input> knows, "textarea",
 * or "select" with options [[value, label], …]. `error` is shown below it and tied to it.
 */
export function Field({
  label, help, error, type = "text", options, value, onInput, hideLabel, mono, class: extra = "", children, ...rest
}) {
  const id = useId();
  const described = [help && `${id}h`, error && `${id}e`].filter(Boolean).join(" ") || undefined;
  const about = {
    id, class: `input ${mono ? "mono" : ""}`, value: value ?? "", "aria-describedby": described,
    "aria-invalid": error ? "true" : undefined, onInput: (event) => onInput?.(event.currentTarget.value), ...rest,
  };
  let control = children;
  if (!control && type === "select") {
    control = html`<select ...${about}>${options.map(([each, text]) => html`
      <option key=${each} value=${each} selected=${String(each) === String(value)}>${text}</option>`)}</select>`;
  } else if (!control && type === "textarea") {
    control = html`<textarea ...${about} spellcheck=${false}></textarea>`;
  } else if (!control) {
    control = html`<input ...${about} type=${type} autocomplete=${rest.autocomplete ?? "off"} spellcheck=${false} />`;
  }
  return html`<div class=${`field ${extra}`}>
    <label for=${id} class=${hideLabel ? "sr" : undefined}>${label}</label>
    ${control}
    ${help && html`<span class="help" id=${`${id}h`}>${help}</span>`}
    ${error && html`<span class="wrong" id=${`${id}e`} role="alert">${error}</span>`}
  </div>`;
}

/** A checkbox with its label; `onChange(checked)`. */
export function Check({ label, checked, onChange, disabled }) {
  return html`<label class="check"><input type="checkbox" checked=${checked} disabled=${disabled}
    onChange=${(event) => onChange(event.currentTarget.checked)} /><span>${label}</span></label>`;
}

/** One of a few: options [[value, label], …]; `onChange(value)`. */
export function Segments({ label, options, value, onChange }) {
  const keys = (event) => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const at = options.findIndex(([each]) => each === value);
    const next = (at + step + options.length) % options.length;
    onChange(options[next][0]);
    event.currentTarget.children[next].focus();
  };
  return html`<div class="segments" role="radiogroup" aria-label=${label} onKeyDown=${keys}>
    ${options.map(([each, text]) => html`<button key=${each} type="button" role="radio" aria-checked=${each === value}
      tabindex=${each === value ? 0 : -1} onClick=${() => onChange(each)}>${text}</button>`)}
  </div>`;
}

/** The page's search field: "/" goes to it. `onInput(value)`. */
export function Search({ value, onInput, placeholder, label }) {
  return html`<div class="search" role="search">
    <${Icon} name="search" />
    <input class="input" type="search" data-search aria-label=${label ?? placeholder ?? t("ui.search")}
      placeholder=${placeholder ?? t("ui.search")} value=${value} autocomplete="off" spellcheck=${false}
      onInput=${(event) => onInput(event.currentTarget.value)} />
    <kbd aria-hidden="true">/</kbd>
  </div>`;
}

/** tabs [{id, label, badge?}]; `onChange(id)`. What belongs to a tab is rendered by the caller. */
export function Tabs({ tabs, value, onChange, label }) {
  const keys = (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const next = (tabs.findIndex(({ id }) => id === value) + step + tabs.length) % tabs.length;
    onChange(tabs[next].id);
    event.currentTarget.children[next].focus();
  };
  return html`<div class="tabs" role="tablist" aria-label=${label} onKeyDown=${keys}>
    ${tabs.map(({ id, label: text, badge }) => html`<button key=${id} type="button" role="tab"
      aria-selected=${id === value} tabindex=${id === value ? 0 : -1} onClick=${() => onChange(id)}>${text} ${badge}</button>`)}
  </div>`;
}

/** A form whose submission calls `onSubmit()`, by button or Enter. */
export function Form({ onSubmit, children, class: name = "stack", ...rest }) {
  return html`<form class=${name} ...${rest} onSubmit=${(event) => {
    event.preventDefault();
    onSubmit();
  }}>${children}</form>`;
}

/** Puts the focus into what `ref` holds when a component appears. */
export function useFocus(ref) {
  useEffect(() => { ref.current?.focus(); }, []);
}
