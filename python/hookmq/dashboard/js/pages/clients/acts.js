// What is done to clients, after a question.
import { html, signal, useState, attempt, Button, confirm, Dialog, Field, format, Form, path, post, remove, t } from "../../kit.js";

const { number } = format;

/** Ends a client's connection. */
export async function disconnect(client, done) {
  const title = t("clients.disconnect_title", { client });
  if (!await confirm({ title, text: t("clients.disconnect_text"), action: t("clients.disconnect") })) return;
  if (await attempt(() => post(path("clients", client, "disconnect")), t("clients.disconnected", { client }))) done?.();
}

/** Ends a session with all that waits in it. */
export async function endSession({ client_id: client, queued = 0 }, done) {
  const text = t("clients.end_text", { n: number(queued), count: queued });
  if (!await confirm({ title: t("clients.end_title", { client }), text, action: t("clients.end") })) return;
  if (await attempt(() => remove(path("clients", client)), t("clients.ended", { client }))) done?.();
}

const asked = signal(null);

/** Asks for how long, and bans. Without a value also whom. */
export function ban(by, value, done) {
  asked.value = { by, value, done };
}

/** The dialog of {@link ban}; once on a page. */
export function BanDialog() {
  return asked.value && html`<${Asking} ...${asked.value} onClose=${() => { asked.value = null; }} />`;
}

const TIMES = [600, 3600, 86400, 0];

function Asking({ by: first, value: named, done, onClose }) {
  const [by, setBy] = useState(first);
  const [value, setValue] = useState(named ?? "");
  const [seconds, setSeconds] = useState("3600");
  const [reason, setReason] = useState("");
  const banned = named ?? value;
  async function act() {
    const about = { reason, ...(Number(seconds) ? { seconds: Number(seconds) } : {}) };
    const work = () => (by === "client" && named
      ? post(path("clients", named, "ban"), about) : post("bans", { by, value: banned, ...about }));
    if (!await attempt(work, t("clients.banned", { client: banned }))) return;
    onClose();
    done?.();
  }
  const title = named ? t("clients.ban_title", { client: named }) : t("clients.bans_add");
  return html`<${Dialog} title=${title} onClose=${onClose}>
    <${Form} onSubmit=${act}>
      <p>${t("clients.ban_text")}</p>
      ${!named && html`
        <${Field} label=${t("clients.by")} type="select" value=${by} onInput=${setBy} options=${["client", "user", "address"].map((one) => [one, t(`clients.by_${one}`)])} />
        <${Field} label=${t("clients.value")} value=${value} onInput=${setValue} required />`}
      <${Field} label=${t("clients.ban_for")} type="select" value=${seconds} onInput=${setSeconds} options=${TIMES.map((time) => [String(time), t(`clients.ban_${time}`)])} />
      <${Field} label=${t("clients.ban_reason")} value=${reason} onInput=${setReason} maxlength="200" />
      <div class="row"><${Button} kind="danger" sure type="submit" icon="ban">${t("clients.ban_now")}<//></div>
    <//>
  <//>`;
}
