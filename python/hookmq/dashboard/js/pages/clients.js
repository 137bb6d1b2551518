// Clients: who is connected, what they do, and how to end it.
import { html, route, setQuery, t, Page, Tabs } from "../kit.js";
import { BanDialog } from "./clients/acts.js";
import { Bans } from "./clients/bans.js";
import { Detail } from "./clients/detail.js";
import { List } from "./clients/list.js";

export default function Clients({ parts, query }) {
  if (parts[0] !== undefined) return html`<${Detail} key=${parts[0]} id=${parts[0]} />`;
  const tab = query.tab === "bans" ? "bans" : "list";
  const tabs = [{ id: "list", label: t("clients.title") }, { id: "bans", label: t("clients.bans") }];
  return html`<${Page} title=${t("clients.title")}>
    <${Tabs} label=${t("clients.title")} tabs=${tabs} value=${tab} onChange=${(id) => setQuery({ tab: id === "bans" ? id : "" })} />
    ${tab === "bans" ? html`<${Bans} />` : html`<${List} query=${route.value.query} />`}
    <${BanDialog} />
  <//>`;
}
