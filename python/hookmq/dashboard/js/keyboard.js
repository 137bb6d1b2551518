// Keys for everywhere: "/" to the search field, "g" and a letter to a page, "?" for help.
import { signal } from "./core/html.js";
import { go } from "./core/router.js";
import { PAGES } from "./pages.js";

export const helpOpen = signal(false);

let leader = 0;

addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  if (event.target.closest?.("input, textarea, select, dialog, [contenteditable]")) return;
  if (event.key === "/") {
    const field = document.querySelector("[data-search]");
    if (field) {
      event.preventDefault();
      field.focus();
      field.select();
    }
  } else if (event.key === "?") {
    helpOpen.value = true;
  } else if (event.key === "g") {
    leader = event.timeStamp;
    return;
  } else if (leader && event.timeStamp - leader < 1500) {
    const page = PAGES.find(({ key }) => key === event.key);
    if (page) {
      event.preventDefault();
      go(page.name);
    }
  }
  leader = 0;
});
