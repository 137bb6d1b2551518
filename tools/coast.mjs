// Makes python/hookmq/dashboard/js/widgets/coast.js anew from Natural Earth's land, as npm's world-atlas packs it:
//   npm pack world-atlas && tar xzf world-atlas-*.tgz && node tools/coast.mjs package/land-110m.json > words
// The words printed are the lines of RINGS.
import { readFileSync } from "node:fs";

const PARTS = 4; // of a degree
const SMALLEST = 1.5; // square degrees
const DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

const { arcs, transform, objects } = JSON.parse(readFileSync(process.argv[2], "utf8"));

function arc(index) {
  let [x, y] = [0, 0];
  const points = arcs[index < 0 ? ~index : index].map(([dx, dy]) => {
    x += dx;
    y += dy;
    return [x * transform.scale[0] + transform.translate[0], y * transform.scale[1] + transform.translate[1]];
  });
  return index < 0 ? points.reverse() : points;
}

function area(ring) {
  return Math.abs(ring.reduce((sum, [x, y], index) => {
    const [px, py] = ring.at(index - 1);
    return sum + px * y - x * py;
  }, 0) / 2);
}

function digits(number) {
  let rest = number < 0 ? -number * 2 - 1 : number * 2;
  let text = "";
  do {
    text += DIGITS[(rest & 31) | (rest > 31 ? 32 : 0)];
    rest >>= 5;
  } while (rest);
  return text;
}

const polygons = objects.land.geometries.flatMap((each) => (each.type === "MultiPolygon" ? each.arcs.flat() : each.arcs));
const words = [];
for (const polygon of polygons) {
  const ring = polygon.flatMap(arc);
  if (area(ring) < SMALLEST) continue;
  let [px, py] = [0, 0];
  let word = "";
  for (const [longitude, latitude] of ring) {
    const [x, y] = [Math.round(longitude * PARTS), Math.round(latitude * PARTS)];
    if (word && x === px && y === py) continue;
    word += digits(x - px) + digits(y - py);
    [px, py] = [x, y];
  }
  words.push(word);
}
console.log(words.join(" ").replace(/.{100}/g, "$&\n"));
