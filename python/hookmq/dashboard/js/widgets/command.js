// Publishing from a widget: what was asked for is shown at once, until its state topic says so or the time is over.
import { html, useEffect, useRef, useState } from "../core/html.js";
import { t } from "../core/i18n.js";

const PATIENCE = 5;

/** Where a widget publishes: its command topic, or the topic it shows if that is a single one. */
export function commandTopic(widget) {
  const command = widget.options?.command?.trim();
  if (command) return command;
  return widget.topic && !/[+#]/.test(widget.topic) ? widget.topic : "";
}

/**
 * The state of a command: {wanted, pending, problem, send}. `send(payload, wanted)` publishes; `wanted` is shown until
 * `follows(wanted)` is true of what the state topic says, or until the time-out, which is told.
 */
export function useCommand({ widget, data, act, follows }) {
  const [state, setState] = useState({ wanted: undefined, pending: false, problem: "" });
  const timer = useRef(0);
  const number = useRef(0);
  useEffect(() => () => clearTimeout(timer.current), []);
  const followed = state.wanted !== undefined && Boolean(widget.topic) && follows(state.wanted);
  useEffect(() => {
    if (!followed) return;
    clearTimeout(timer.current);
    setState({ wanted: undefined, pending: false, problem: "" });
  }, [followed]);

  async function send(payload, wanted) {
    const topic = commandTopic(widget);
    const mine = ++number.current;
    clearTimeout(timer.current);
    if (!topic) return setState({ wanted: undefined, pending: false, problem: t("widgets.no_command") });
    setState({ wanted, pending: true, problem: "" });
    try {
      await act(topic, payload, { qos: widget.options?.qos ?? 0, retain: widget.options?.retain ?? false });
    } catch (problem) {
      if (mine === number.current) setState({ wanted: undefined, pending: false, problem: problem.message });
      return;
    }
    if (mine !== number.current) return;
    if (!widget.topic) return setState({ wanted, pending: false, problem: "" });
    timer.current = setTimeout(() => {
      setState({ wanted: undefined, pending: false, problem: t("widgets.no_answer", { topic: widget.topic }) });
    }, 1000 * (widget.options?.timeout ?? PATIENCE));
  }
  return { ...state, send };
}

/** What went wrong with a command, or why there is none, below its control. */
export function CommandNote({ problem, act }) {
  if (problem) return html`<p class="w-note w-note-problem" role="alert" title=${problem}>${problem}</p>`;
  return act ? null : html`<p class="w-note">${t("widgets.read_only")}</p>`;
}
