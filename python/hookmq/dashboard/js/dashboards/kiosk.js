// A dashboard that fills the screen, and takes turns with the others.
import { go, html, href, Button, t, useEffect, useState, get } from "../kit.js";

const QUIET = 3000;

/** The frame of a full screen; `seconds` above 0 goes on to the next dashboard after that time. */
export function Kiosk({ id, title, seconds, children }) {
  const [quiet, setQuiet] = useState(false);
  useEffect(() => {
    let timer = setTimeout(() => setQuiet(true), QUIET);
    const awake = () => {
      setQuiet(false);
      clearTimeout(timer);
      timer = setTimeout(() => setQuiet(true), QUIET);
    };
    const leave = () => { if (!document.fullscreenElement) go("dashboards", id); };
    const keys = (event) => { if (event.key === "Escape" && !document.querySelector("dialog[open]")) leave(); };
    addEventListener("pointermove", awake);
    addEventListener("keydown", awake);
    addEventListener("keydown", keys);
    document.addEventListener("fullscreenchange", leave);
    return () => {
      clearTimeout(timer);
      removeEventListener("pointermove", awake);
      removeEventListener("keydown", awake);
      removeEventListener("keydown", keys);
      document.removeEventListener("fullscreenchange", leave);
    };
  }, [id]);
  useEffect(() => {
    if (!(seconds > 0)) return undefined;
    const timer = setTimeout(() => next(id, seconds), seconds * 1000);
    return () => clearTimeout(timer);
  }, [id, seconds]);
  return html`<div class="kiosk" data-quiet=${String(quiet)}>
    <header class="row"><h1 class="clip grow">${title}</h1>
      <${Button} small icon="close" onClick=${() => { leaveFullscreen(); go("dashboards", id); }}>${t("dashboards.kiosk_leave")}<//>
    </header>
    ${children}
  </div>`;
}

/** Shows a dashboard on the whole screen; `seconds` above 0 rotates through all. */
export function enterKiosk(id, seconds = 0) {
  document.documentElement.requestFullscreen?.().catch(() => {});
  location.hash = href("dashboards", id, seconds > 0 ? { kiosk: 1, every: seconds } : { kiosk: 1 });
}

export function leaveFullscreen() {
  if (document.fullscreenElement) document.exitFullscreen().catch(() => {});
}

async function next(id, seconds) {
  try {
    const { items } = await get("dashboards");
    const at = items.findIndex((each) => each.id === id);
    const other = items[(at + 1) % items.length];
    if (other && other.id !== id) location.replace(href("dashboards", other.id, { kiosk: 1, every: seconds }));
  } catch {
    // The broker does not answer: this one stays, and says that it is not live.
  }
}
