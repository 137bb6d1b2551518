// Who must not connect.
import { html, attempt, Badge, Button, can, Card, Empty, format, ProblemNotice, remove, t, Table, useList } from "../../kit.js";
import { ban } from "./acts.js";

const { dateTime } = format;

export function Bans() {
  const list = useList("bans");
  const lift = ({ by, value }) => attempt(() => remove("bans", { by, value }), t("clients.lifted", { value }))
    .then((well) => { if (well) list.reload(); });
  const columns = [
    { key: "value", label: t("clients.value"), sort: true },
    { key: "by", label: t("clients.by"), sort: true, render: (one) => html`<${Badge}>${t(`clients.by_${one.by}`)}<//>` },
    { key: "until", label: t("clients.until"), sort: true, render: (one) => (untilOf(one) ? dateTime(untilOf(one)) : t("clients.ban_0")) },
    { key: "reason", label: t("clients.reason"), hide: "sm", render: (one) => one.reason || "–" },
    can("operator") && { key: "act", label: "", end: true, render: (one) => html`
      <${Button} small icon="undo" onClick=${() => lift(one)}>${t("clients.lift")}<//>` },
  ].filter(Boolean);
  return html`
    ${can("operator") && html`<div><${Button} icon="plus" onClick=${() => { ban("client", null, list.reload); }}>${t("clients.bans_add")}<//></div>`}
    <${ProblemNotice} problem=${list.problem} retry=${list.reload} />
    <${Card} flush><${Table} label=${t("clients.bans")} columns=${columns} rows=${list.items} rowKey=${({ by, value }) => `${by} ${value}`}
      list=${list} empty=${html`<${Empty} icon="ban" title=${t("clients.bans_none")} />`} /><//>`;
}

const untilOf = ({ until, until_at: at }) => at ?? until ?? null;
