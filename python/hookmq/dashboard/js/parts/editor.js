// A field for a text of several lines: line numbers, colours, the place of a mistake, and what may come next.
//
// The text is an ordinary textarea, so that everything that people know of one works; what is coloured stands
// behind it, letter for letter.
import { html, useEffect, useLayoutEffect, useMemo, useRef, useState } from "../kit.js";

const LONGEST_COLOURED = 20_000;

/**
 * @param {{value: string, onInput: (text: string) => void, label: string, id?: string, readOnly?: boolean, help?: string,
 *   problem?: {line: number, column?: number, length?: number, message: string, hint?: string}|null,
 *   placeOf: (line: number, column?: number) => string, tokens?: (text: string) => [string, string][],
 *   complete?: (text: string, at: number, all: boolean) => {start: number, items: object[]}, offered?: string,
 *   kindOf?: (kind: string) => string}} props `placeOf` says a place in words; `tokens` cuts a text into what is coloured;
 *   `complete` offers what may come next, in a list that is called `offered`
 */
export function Editor({
  value, onInput, label, id = "text", readOnly = false, help, problem, placeOf, tokens, complete, offered, kindOf,
}) {
  const area = useRef(null);
  const behind = useRef(null);
  const numbers = useRef(null);
  const [offer, setOffer] = useState(null);
  const [chosen, setChosen] = useState(0);

  const lines = value.split("\n").length;
  const rows = Math.min(Math.max(lines + 1, 6), 24);

  function look(all = false) {
    const at = area.current.selectionStart;
    if (!complete || readOnly || at !== area.current.selectionEnd) return setOffer(null);
    const found = complete(area.current.value, at, all);
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
    if (event.key === " " && event.ctrlKey && complete) {
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

  const described = [problem && `${id}-problem`, !readOnly && help && `${id}-help`].filter(Boolean).join(" ");
  return html`
    <div class="editor ${problem ? "is-wrong" : ""}">
      <div class="editor-field">
        <div class="editor-numbers" ref=${numbers} aria-hidden="true">
          ${Array.from({ length: lines }, (_, n) => html`<span class=${problem?.line === n + 1 ? "is-wrong" : ""}>${n + 1}</span>`)}
        </div>
        <div class="editor-text">
          <pre class="editor-behind" ref=${behind} aria-hidden="true"><${Coloured} text=${value} problem=${problem} at=${offer?.start} tokens=${tokens} /></pre>
          <textarea
            ref=${area} id=${id} rows=${rows} value=${value} readonly=${readOnly} spellcheck=${false} autocapitalize="off"
            autocomplete="off" wrap="off" aria-label=${label} aria-invalid=${problem ? "true" : null}
            aria-describedby=${described || null} aria-autocomplete=${complete ? "list" : null}
            aria-controls=${offer ? `${id}-offer` : null} aria-activedescendant=${offer ? `${id}-offer-${chosen}` : null}
            onInput=${(event) => { onInput(event.target.value); look(); }} onKeyDown=${key} onScroll=${scroll}
            onBlur=${() => setOffer(null)} onClick=${() => setOffer(null)}
          ></textarea>
          ${offer && html`<${Offer} id=${id} label=${offered} kindOf=${kindOf} offer=${offer} chosen=${chosen} behind=${behind} onTake=${take} />`}
        </div>
      </div>
      ${!readOnly && help && html`<p class="editor-help-line" id=${`${id}-help`}>${help}</p>`}
      ${problem && html`<${Mistake} id=${`${id}-problem`} text=${value} problem=${problem} placeOf=${placeOf} />`}
    </div>`;
}

/** The text in colours, with a mark below what is wrong and an anchor where completion begins. */
function Coloured({ text, problem, at, tokens }) {
  const wrong = useMemo(() => (problem?.line ? rangeOf(text, problem) : null), [text, problem]);
  const found = useMemo(
    () => (!tokens || text.length > LONGEST_COLOURED ? [["name", text]] : tokens(text)),
    [text, tokens],
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

function rangeOf(text, { line, column = 1, length = Infinity }) {
  const before = text.split("\n").slice(0, line - 1).reduce((sum, one) => sum + one.length + 1, 0);
  // Columns count characters, as Python does; a character outside the first plane takes two places here.
  const rest = [...text.slice(before).split("\n")[0]];
  const start = before + rest.slice(0, column - 1).join("").length;
  return [start, start + Math.max(1, rest.slice(column - 1, column - 1 + length).join("").length)];
}

function Mistake({ id, text, problem, placeOf }) {
  const line = text.split("\n")[problem.line - 1];
  const column = [...(line ?? "")].slice(0, (problem.column ?? 1) - 1).join("").replace(/[^\t]/gu, (letter) => (wide(letter) ? "\u3000" : " "));
  return html`
    <div class="editor-mistake" id=${id} role="alert">
      <p>${problem.line ? html`<strong>${placeOf(problem.line, problem.column)}</strong> ` : ""}${problem.message}</p>
      ${line !== undefined && html`<pre tabindex="0">${line}${"\n"}${column}<span class="carets">${"^".repeat(Math.min(problem.length ?? (line.length || 1), 100))}</span></pre>`}
      ${problem.hint && html`<p class="hint">${problem.hint}</p>`}
    </div>`;
}

const wide = (letter) => /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60]/u.test(letter);

function Offer({ id, label, kindOf, offer, chosen, behind, onTake }) {
  const list = useRef(null);
  useLayoutEffect(() => {
    const mark = behind.current.querySelector(".editor-caret");
    if (!mark) return;
    const box = behind.current;
    const left = mark.offsetLeft - box.scrollLeft;
    // By the browser, so that it stays inside when the window becomes narrower. Its width is that of parts.css.
    list.current.style.left = `clamp(0px, ${left}px, calc(100% - min(420px, 100%) - 4px))`;
    list.current.style.top = `${mark.offsetTop - box.scrollTop + mark.offsetHeight + 4}px`;
  });
  useEffect(() => list.current.querySelector("[aria-selected=true]")?.scrollIntoView({ block: "nearest" }), [chosen]);
  const shown = offer.items[chosen];
  return html`
    <div class="editor-offer" ref=${list} onMouseDown=${(event) => event.preventDefault()}>
      <ul role="listbox" id=${`${id}-offer`} aria-label=${label}>
        ${offer.items.map((item, n) => html`
          <li role="option" key=${`${item.kind} ${item.label}`} id=${`${id}-offer-${n}`} aria-selected=${n === chosen ? "true" : "false"} onClick=${() => onTake(item)}>
            <span class="sql-${item.kind === "field" ? "name" : item.kind}">${item.label}</span>
            <small>${kindOf(item.kind)}</small>
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
