// A number as a row on a scale.
import { html } from "../core/html.js";
import { drawHorizontal } from "./bars.js";
import { toNumber } from "./reading.js";
import { NoNumber } from "./signs.js";

export default function Horizontal({ widget, data, size }) {
  const number = toNumber(data.value);
  return number === null ? html`<${NoNumber} value=${data.value} />` : drawHorizontal(number, widget, size);
}
