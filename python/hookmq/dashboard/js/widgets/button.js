// Publishes one payload when it is pressed.
import { html, useEffect, useRef, useState } from "../core/html.js";
import { t } from "../core/i18n.js";
import { CommandNote, commandTopic } from "./command.js";

export default function Button({ widget, act }) {
  const options = widget.options ?? {};
  const [state, setState] = useState({ step: "ready", problem: "" });
  const timer = useRef(0);
  useEffect(() => () => clearTimeout(timer.current), []);
  const back = (seconds) => (timer.current = setTimeout(() => setState({ step: "ready", problem: "" }), 1000 * seconds));

  async function press() {
    clearTimeout(timer.current);
    if (options.confirm && state.step !== "sure") {
      setState({ step: "sure", problem: "" });
      return back(4);
    }
    const topic = commandTopic(widget);
    if (!topic) return setState({ step: "ready", problem: t("widgets.no_command") });
    setState({ step: "sending", problem: "" });
    try {
      await act(topic, options.payload ?? "", { qos: options.qos ?? 0, retain: options.retain ?? false });
      setState({ step: "sent", problem: "" });
      back(1.5);
    } catch (problem) {
      setState({ step: "ready", problem: problem.message });
    }
  }
  const label = options.label || widget.title || t("widgets.press");
  const word = { ready: label, sending: label, sure: t("widgets.sure", { label }), sent: t("widgets.sent") }[state.step];
  return html`<div class="w-control">
    <button type="button" class="w-button" data-step=${state.step} disabled=${!act} aria-busy=${String(state.step === "sending")} onClick=${press}>
      ${state.step === "sent" && html`<svg viewBox="0 0 16 16" width="16" height="16" aria-hidden="true"><path d="M3 8.5 6.5 12 13 4.5" /></svg>`}
      <span aria-live="polite">${word}</span>
    </button>
    <${CommandNote} problem=${state.problem} act=${act} />
  </div>`;
}
