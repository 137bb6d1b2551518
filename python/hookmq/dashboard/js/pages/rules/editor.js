// A field for SQL: line numbers, colours, the place of a mistake, and what may come next.
//
// The text is an ordinary textarea, so that everything that people know of one works; what is coloured stands
// behind it, letter for letter.

import { html, useEffect, useLayoutEffect, useMemo, useRef, useState } from "../../core/html.js";
import { t } from "../../core/i18n.js";
import { completions, tokens } from "./sql.js";

const LONGEST_COLOURED = 20_000;

/**
 * @param {{value: string, onInput: (text: string) => void, label: string, problem?: {line: number, column: number,
 *   length: number, message: string, hint?: string}|null, functions?: object[], paths?: string[],
 *   readOnly?: boolean, plain?: boolean}} props `plain` is a text of another language: without colours and completion
 */
export function Editor({ value, onInput, label, problem, functions, paths, readOnly = false, plain = false, id = "sql" }) {
  const area = useRef(null);
  const behind = useRef(null);
  const numbers = useRef(null);
  const [offer, setOffer] = useState(null);
  const [chosen, setChosen] = useState(0);

  const lines = value.split("\n").length;
  const rows = Math.min(Math.max(lines + 1, 6), 24);

  function look(all = false) {
    const at = area.current.selectionStart;
    if (plain || readOnly || at !== area.current.selectionEnd) return setOffer(null);
    const found = completions(area.current.value, at, { functions, paths, all });
    setChosen(0);
    setOffer(found.items.length ? { ...found, at } : null);
  }

  function take(item) {
    const { start, at } = offer;
    const text = area.current.value;
    const insert = item.kind === "function" && text[at] === "(" ? item.label : item.insert;
    area.current.setRangeText(insert, start, at, "end");
    setOffer(null);
    area.current.focus();
    onInput(area.current.value);
  }

  function key(event) {
    if (event.key === " " && event.ctrlKey) {
      event.preventDefault();
      return look(true);
    }
    if (!offer || event.isComposing) return undefined;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) setChosen((chosen + step + offer.items.length) % offer.items.length);
    else if (event.key === "Enter" || event.key === "Tab") take(offer.items[chosen]);
    else if (event.key === "Escape") setOffer(null);
    else return undefined;
    event.preventDefault();
    return event.stopPropagation();
  }

  const scroll = () => {
    behind.current.scrollTop = numbers.current.scrollTop = area.current.scrollTop;
    behind.current.scrollLeft = area.current.scrollLeft;
  };
  useLayoutEffect(scroll, [value]);

  const described = [problem && `${id}-problem`, !readOnly && !plain && `${id}-keys`].filter(Boolean).join(" ");
  return html`
    <div class="editor ${problem ? "is-wrong" : ""}">
      <div class="editor-field">
        <div class="editor-numbers" ref=${numbers} aria-hidden="true">
          ${Array.from({ length: lines }, (_, n) => html`<span class=${problem?.line === n + 1 ? "is-wrong" : ""}>${n + 1}</span>`)}
        </div>
        <div class="editor-text">
          <pre class="editor-behind" ref=${behind} aria-hidden="true"><${Coloured} text=${value} problem=${problem} at=${offer?.start} plain=${plain} /></pre>
          <textarea
            ref=${area} id=${id} rows=${rows} value=${value} readonly=${readOnly} spellcheck="false" autocapitalize="off"
            autocomplete="off" wrap="off" aria-label=${label} aria-invalid=${problem ? "true" : null}
            aria-describedby=${described || null} aria-autocomplete=${plain ? null : "list"}
            aria-controls=${offer ? `${id}-offer` : null} aria-activedescendant=${offer ? `${id}-offer-${chosen}` : null}
            onInput=${(event) => { onInput(event.target.value); look(); }} onKeyDown=${key} onScroll=${scroll}
            onBlur=${() => setOffer(null)} onClick=${() => setOffer(null)}
          ></textarea>
          ${offer && html`<${Offer} id=${id} offer=${offer} chosen=${chosen} behind=${behind} onTake=${take} />`}
        </div>
      </div>
      ${!readOnly && !plain && html`<p class="editor-keys" id="${id}-keys">${t("rules.editor_keys")}</p>`}
      ${problem && html`<${Mistake} id="${id}-problem" text=${value} problem=${problem} />`}
    </div>`;
}

/** The text in colours, with a mark below what is wrong and an anchor where completion begins. */
function Coloured({ text, problem, at, plain }) {
  const wrong = useMemo(() => (problem?.line ? rangeOf(text, problem) : null), [text, problem]);
  const found = useMemo(
    () => (plain || text.length > LONGEST_COLOURED ? [["name", text]] : tokens(text)),
    [text, plain],
  );
  const cuts = [at, wrong?.[0], wrong?.[1]].filter((cut) => cut !== undefined && cut !== null);
  const parts = [];
  let place = 0;
  for (const [kind, whole] of found) {
    let rest = whole;
    while (rest) {
      if (place === at) parts.push(html`<i class="editor-caret"></i>`);
      const cut = Math.min(...cuts.filter((one) => one > place), place + rest.length) - place;
      const inside = wrong && place >= wrong[0] && place < wrong[1];
      parts.push(html`<span class="sql-${kind} ${inside ? "sql-wrong" : ""}">${rest.slice(0, cut)}</span>`);
      place += cut;
      rest = rest.slice(cut);
    }
  }
  if (place === at) parts.push(html`<i class="editor-caret"></i>`);
  return html`${parts}${"\n"}`;
}

function rangeOf(text, { line, column, length = 1 }) {
  const before = text.split("\n").slice(0, line - 1).reduce((sum, one) => sum + one.length + 1, 0);
  // Columns count characters, as Python does; a character outside the first plane takes two places here.
  const rest = [...text.slice(before)];
  const start = before + rest.slice(0, column - 1).join("").length;
  return [start, start + Math.max(1, rest.slice(column - 1, column - 1 + length).join("").length)];
}

function Mistake({ id, text, problem }) {
  const line = text.split("\n")[problem.line - 1];
  const column = [...(line ?? "")].slice(0, problem.column - 1).join("").replace(/[^\t]/gu, (letter) => (wide(letter) ? "\u3000" : " "));
  return html`
    <div class="editor-mistake" id=${id} role="alert">
      <p>${problem.line ? html`<strong>${t("rules.at_line", { line: problem.line, column: problem.column })}</strong> ` : ""}${problem.message}</p>
      ${line !== undefined && html`<pre>${line}${"\n"}${column}<span class="carets">${"^".repeat(Math.min(problem.length ?? 1, 100))}</span></pre>`}
      ${problem.hint && html`<p class="hint">${problem.hint}</p>`}
    </div>`;
}

const wide = (letter) => /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60]/u.test(letter);

function Offer({ id, offer, chosen, behind, onTake }) {
  const list = useRef(null);
  useLayoutEffect(() => {
    const mark = behind.current.querySelector(".editor-caret");
    if (!mark) return;
    const box = behind.current;
    const left = mark.offsetLeft - box.scrollLeft;
    list.current.style.left = `${Math.max(0, Math.min(left, box.clientWidth - list.current.offsetWidth - 4))}px`;
    list.current.style.top = `${mark.offsetTop - box.scrollTop + mark.offsetHeight + 4}px`;
  });
  useEffect(() => list.current.querySelector("[aria-selected=true]")?.scrollIntoView({ block: "nearest" }), [chosen]);
  const shown = offer.items[chosen];
  return html`
    <div class="editor-offer" ref=${list} onMouseDown=${(event) => event.preventDefault()}>
      <ul role="listbox" id="${id}-offer" aria-label=${t("rules.offer")}>
        ${offer.items.map((item, n) => html`
          <li role="option" id="${id}-offer-${n}" aria-selected=${n === chosen ? "true" : "false"} onClick=${() => onTake(item)}>
            <span class="sql-${item.kind === "field" ? "name" : item.kind}">${item.label}</span>
            <small>${t(`rules.offer_${item.kind}`)}</small>
          </li>`)}
      </ul>
      ${shown.what && html`
        <div class="editor-help">
          <code>${shown.usage}</code>
          <p>${shown.what}</p>
          ${(shown.examples ?? []).slice(0, 2).map(([call, gives]) => html`<pre>${call}  →  ${gives}</pre>`)}
        </div>`}
    </div>`;
}
