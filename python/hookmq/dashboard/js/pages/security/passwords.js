// Fields for a new password, which is typed twice.
import { html, useState, t, Button, Field, Form } from "../../kit.js";

const SHORTEST = 8;

/** What is wrong with a password that is typed twice; null if nothing. */
function wrong(password, again) {
  if (password.length < SHORTEST) return t("security.password_short");
  return password === again ? null : t("security.password_differs");
}

/**
 * A form with a new password, and above it what else there is to fill in.
 * @param {{action: string, onSubmit: (password: string) => Promise<unknown>, children?: unknown}} props
 */
export function PasswordForm({ action, onSubmit, children }) {
  const [password, setPassword] = useState("");
  const [again, setAgain] = useState("");
  const [tried, setTried] = useState(false);
  const [busy, setBusy] = useState(false);
  const problem = wrong(password, again);
  async function submit() {
    setTried(true);
    if (problem) return;
    setBusy(true);
    try {
      await onSubmit(password);
    } finally {
      setBusy(false);
    }
  }
  const field = (label, value, set, error) => html`<${Field} label=${label} type="password" autocomplete="new-password" required
    value=${value} onInput=${set} error=${error} />`;
  return html`<${Form} onSubmit=${submit}>
    ${children}
    ${field(t("security.password"), password, setPassword, tried && password.length < SHORTEST ? problem : null)}
    ${field(t("security.password_again"), again, setAgain, tried && password.length >= SHORTEST ? problem : null)}
    <div class="row"><${Button} kind="primary" type="submit" disabled=${busy}>${action}<//></div>
  <//>`;
}
