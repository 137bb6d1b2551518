// A number as a column on a scale.
import { html } from "../core/html.js";
import { drawVertical } from "./bars.js";
import { toNumber } from "./reading.js";
import { NoNumber } from "./signs.js";

export default function Vertical({ widget, data, size }) {
  const number = toNumber(data.value);
  return number === null ? html`<${NoNumber} value=${data.value} />` : drawVertical(number, widget, size);
}
