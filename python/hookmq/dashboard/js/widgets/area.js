// Numbers over time as filled areas, one for each topic.
import { html } from "../core/html.js";
import { Plot } from "./plot.js";

export default function Area({ widget, data, size }) {
  return html`<${Plot} widget=${widget} data=${data} size=${size} style="area" />`;
}
