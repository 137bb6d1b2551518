// Security: who gets in, who may do what, and who uses this dashboard.
import { html, setQuery, t, can, Page, Tabs } from "../kit.js";
import { AccessList } from "./security/acl.js";
import { Accounts } from "./security/accounts.js";
import { Explain } from "./security/explain.js";
import { Overview } from "./security/overview.js";
import { Tokens } from "./security/tokens.js";
import { Users } from "./security/users.js";

const TABS = [
  { id: "overview", role: "viewer", shown: Overview },
  { id: "explain", role: "viewer", shown: Explain },
  { id: "users", role: "admin", shown: Users },
  { id: "acl", role: "admin", shown: AccessList },
  { id: "accounts", role: "viewer", shown: Accounts },
  { id: "tokens", role: "admin", shown: Tokens },
];

export default function Security({ query }) {
  const tabs = TABS.filter(({ role }) => can(role)).map((one) => ({ ...one, label: t(`security.tab_${one.id}`) }));
  const open = tabs.find(({ id }) => id === query.tab) ?? tabs[0];
  return html`<${Page} title=${t("security.title")}>
    <${Tabs} label=${t("security.title")} tabs=${tabs} value=${open.id} onChange=${(id) => setQuery({ tab: id, line: "" })} />
    <${open.shown} query=${query} />
  <//>`;
}
