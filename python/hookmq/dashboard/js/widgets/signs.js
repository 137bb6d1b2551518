// Small signs that several widgets share: a value that is no number, a value beside the scale, a level.
import { html } from "../core/html.js";
import { t } from "../core/i18n.js";
import { toText } from "./reading.js";

/** In place of a drawing: what came is no number, and what to do. */
export function NoNumber({ value }) {
  const object = value !== null && typeof value === "object";
  return html`<div class="w-hint" role="note">
    <code class="w-sample">${toText(value).slice(0, 120)}</code>
    <span>${object ? t("widgets.no_number_object") : t("widgets.no_number")}</span>
  </div>`;
}

/** An arrow where the number lies beyond the scale, inside of an SVG. */
export function OffScale({ number, min, max, x, y, down = false }) {
  if (number >= min && number <= max) return null;
  const above = number > max;
  const points = above !== down ? `${x - 6},${y + 4} ${x + 6},${y + 4} ${x},${y - 6}` : `${x - 6},${y - 6} ${x + 6},${y - 6} ${x},${y + 4}`;
  return html`<g class="w-off"><title>${t(above ? "widgets.above" : "widgets.below", { min, max })}</title><polygon points=${points} /></g>`;
}

const SHAPES = {
  ok: html`<path d="M3 8.5 6.5 12 13 4.5" fill="none" stroke="currentColor" stroke-width="2.2" />`,
  warning: html`<path d="M8 1.8 15 14H1Z" fill="currentColor" /><path d="M8 6v4.2M8 11.4v1.2" stroke="var(--w-surface)" stroke-width="1.6" />`,
  error: html`<path d="M5.2 1h5.6L15 5.2v5.6L10.8 15H5.2L1 10.8V5.2Z" fill="currentColor" /><path d="M8 4.2v5M8 10.6v1.4" stroke="var(--w-surface)" stroke-width="1.8" />`,
};

/** A level as a shape beside its colour. */
export function Level({ level }) {
  if (!SHAPES[level]) return null;
  return html`<svg class="w-level" data-level=${level} viewBox="0 0 16 16" width="14" height="14" role="img" aria-label=${t(`widgets.level_${level}`)}>
    <title>${t(`widgets.level_${level}`)}</title>${SHAPES[level]}
  </svg>`;
}
