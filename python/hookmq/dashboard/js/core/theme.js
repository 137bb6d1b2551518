// Light, dark, or as the system has it.
import { computed, effect, signal } from "../../vendor/signals.js";
import { remembered } from "./store.js";

const dark = matchMedia("(prefers-color-scheme: dark)");
const systemDark = signal(dark.matches);
dark.addEventListener("change", () => { systemDark.value = dark.matches; });

/** "system", "light" or "dark": what the user chose. */
export const theme = remembered("theme", "system");

/** "light" or "dark": what is shown. */
export const shade = computed(() => (
  theme.value === "light" || theme.value === "dark" ? theme.value : systemDark.value ? "dark" : "light"
));

effect(() => { document.documentElement.dataset.theme = shade.value; });

let probe = null;
let known = new Map();
let knownShade = null;

/** The colour of a token ("accent", "chart-1") as canvas understands it; ask again when `shade` changes. */
export function color(token) {
  if (knownShade !== shade.value) {
    knownShade = shade.value;
    known = new Map();
  }
  let found = known.get(token);
  if (found === undefined) {
    if (!probe) {
      probe = document.createElement("span");
      probe.hidden = true;
      document.body.append(probe);
    }
    probe.style.color = `var(--${token})`;
    found = getComputedStyle(probe).color;
    known.set(token, found);
  }
  return found;
}
