// Numbers over time as lines, one for each topic.
import { html } from "../core/html.js";
import { Plot } from "./plot.js";

export default function Line({ widget, data, size }) {
  return html`<${Plot} widget=${widget} data=${data} size=${size} style="line" />`;
}
