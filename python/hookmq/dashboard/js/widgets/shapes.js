// Geometry of the drawn widgets: where things are on a scale, arcs, round ticks.

/** Where a value is between min and max: 0 to 1, cut at both ends. */
export function place(value, min, max) {
  return Math.min(1, Math.max(0, (value - min) / (max - min)));
}

/** Round numbers that divide a scale into about `count` parts. */
export function ticks(min, max, count = 5) {
  const rough = (max - min) / Math.max(1, count);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((each) => each * power).find((each) => each >= rough * 0.999) ?? 10 * power;
  const found = [];
  for (let index = Math.ceil(min / step - 1e-9); index * step <= max + step * 1e-9 && found.length < 50; index++) {
    found.push(Number((index * step).toPrecision(12)));
  }
  return found;
}

/** The point on a circle, in degrees clockwise from the top. */
export function onCircle(cx, cy, radius, degrees) {
  const angle = ((degrees - 90) * Math.PI) / 180;
  return [round(cx + radius * Math.cos(angle)), round(cy + radius * Math.sin(angle))];
}

/** The path of an arc, in degrees clockwise from the top. */
export function arc(cx, cy, radius, from, to) {
  const [x1, y1] = onCircle(cx, cy, radius, from);
  const [x2, y2] = onCircle(cx, cy, radius, to);
  return `M${x1} ${y1}A${radius} ${radius} 0 ${to - from > 180 ? 1 : 0} 1 ${x2} ${y2}`;
}

/** The closed path of a liquid with waves on it: two widths wide, so that it can be moved by one for ever. */
export function wave(width, top, bottom, height) {
  let path = `M0 ${round(top)}`;
  const quarter = width / 4;
  for (let index = 0; index < 8; index++) {
    const swing = index % 2 ? height : -height;
    path += `q${round(quarter / 2)} ${round(swing)} ${round(quarter)} 0`;
  }
  return `${path}V${round(bottom)}H0Z`;
}

export function round(number) {
  return Math.round(number * 100) / 100;
}
