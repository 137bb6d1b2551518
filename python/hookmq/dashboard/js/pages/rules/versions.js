// Every version of a rule: who made it, what has changed in it, and the way back.
import { html, useEffect, useState, get, path, t, Ago, Button, Loading, ProblemNotice } from "../../kit.js";
import { Changes } from "../../parts/changes.js";

/** @param {{name: string, now: number, onRestore: ((version: object) => void)|null}} props */
export function Versions({ name, now, onRestore }) {
  const [versions, setVersions] = useState(null);
  const [open, setOpen] = useState(null);
  const [problem, setProblem] = useState(null);
  useEffect(() => {
    get(`${path("rules", name)}/versions`, { limit: 1000 }).then((found) => setVersions(found.items), setProblem);
  }, [name, now]);
  if (problem) return html`<${ProblemNotice} problem=${problem} />`;
  if (!versions) return html`<${Loading} />`;
  return html`
    <ol class="versions">
      ${versions.map((version, n) => html`
        <li key=${version.version}>
          <button type="button" class="version-head" aria-expanded=${open === version.version ? "true" : "false"}
            onClick=${() => setOpen(open === version.version ? null : version.version)}>
            <b>${version.version}</b> <span>${changeOf(version.change)}</span>
            <span class="muted"><${Ago} at=${version.time} /> · ${version.who}</span>
          </button>
          ${open === version.version && html`
            <${Changes} label=${t("rules.difference")} before=${textOf(versions[n + 1]?.rule)} after=${textOf(version.rule)} />
            ${onRestore && n > 0 && version.rule && html`<div><${Button} small icon="undo" onClick=${() => onRestore(version)}>${t("rules.restore", { version: version.version })}<//></div>`}`}
        </li>`)}
    </ol>`;
}

/** A rule as lines: its SQL as it is written, and below it all the rest. */
export function textOf(rule) {
  if (!rule) return "";
  const { sql, name: _, ...rest } = rule;
  return [sql, "", ...JSON.stringify(rest, null, 2).split("\n").slice(1, -1).map((line) => line.slice(2))].join("\n").trim();
}

function changeOf(change) {
  const [word, , version] = change.split(" ");
  return t(`rules.change_${word}`, { version });
}
