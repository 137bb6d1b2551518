// All pages: name in the address, group in the menu, the key that goes there after "g", and whether it has a style sheet.
// A page is js/pages/NAME.js with a component as its default export, text/LANGUAGE/NAME.json, and css/pages/NAME.css.
export const PAGES = [
  { name: "overview", group: "watch", key: "o", css: true },
  { name: "topics", group: "watch", key: "t", css: true },
  { name: "dashboards", group: "watch", key: "d", css: true },
  { name: "history", group: "watch", key: "i", css: true },
  { name: "publish", group: "watch", key: "p", css: true },
  { name: "clients", group: "connect", key: "c", css: true },
  { name: "subscriptions", group: "connect", key: "s", css: true },
  { name: "retained", group: "connect", key: "r", css: true },
  { name: "bridges", group: "connect", key: "b", css: true },
  { name: "hooks", group: "program", key: "h", css: true },
  { name: "rules", group: "program", key: "u", css: true },
  { name: "jobs", group: "program", key: "j", css: true },
  { name: "security", group: "manage", key: "e", css: true },
  { name: "logs", group: "manage", key: "l", css: true },
  { name: "settings", group: "manage", key: "n", css: true },
  // Not in the menu: without login, in a frame of their own.
  { name: "login", group: null, bare: true, css: true },
  { name: "shared", group: null, bare: true, module: "dashboards", css: true },
];

export const GROUPS = ["watch", "connect", "program", "manage"];

/** What is known of a page by its name. */
export const pageOf = (name) => PAGES.find((each) => each.name === name) ?? null;
