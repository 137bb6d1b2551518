// Where things are: points of latitude and longitude on a map without tiles, with coasts, a grid, a scale bar and trails.
import { html, useMemo, useRef, useState } from "../core/html.js";
import { moment } from "../core/format.js";
import { language, t } from "../core/i18n.js";
import { coasts } from "./coast.js";
import { find, levelOf, shortNames, show, toNumber } from "./reading.js";
import { round } from "./shapes.js";

const NAMES = [["lat", "lon"], ["latitude", "longitude"], ["lat", "lng"], ["lat", "long"], ["y", "x"]];
const INSIDE = ["", "position", "location", "gps", "coordinates", "geo"];
const TRAIL = 200;
const EARTH = 40075016.686;
const FAR = 2 ** 24;
const NEAR = 240;
/** The world's width in pixels up to which coasts are shown: beyond, a quarter of a degree is no help. */
const COASTS = 30000;

export default function Map({ widget, data, size }) {
  const [view, setView] = useState(null);
  const trails = useRef({}).current;
  const drag = useRef(null);
  const points = (data.rows ?? []).map((row) => pointOf(row, widget)).filter(Boolean);
  for (const point of points) {
    const trail = (trails[point.topic] ??= []);
    if (trail.at(-1)?.[0] !== point.x || trail.at(-1)?.[1] !== point.y) trail.push([point.x, point.y]);
    if (trail.length > TRAIL) trail.shift();
  }
  const names = shortNames(points.map((point) => point.topic));
  const { x: cx, y: cy, world } = view ?? fit(points, size);
  const left = (x) => round((x - cx) * world + size.width / 2);
  const top = (y) => round((y - cy) * world + size.height / 2);

  function move(dx, dy, factor = 1, at = [size.width / 2, size.height / 2]) {
    const wide = Math.min(FAR, Math.max(NEAR, world * factor));
    const [ax, ay] = [(at[0] - size.width / 2) / world + cx, (at[1] - size.height / 2) / world + cy];
    setView({
      x: Math.min(1, Math.max(0, ax - (at[0] - size.width / 2) / wide - dx / wide)),
      y: Math.min(1, Math.max(0, ay - (at[1] - size.height / 2) / wide - dy / wide)),
      world: wide,
    });
  }
  const keys = { ArrowLeft: [60, 0], ArrowRight: [-60, 0], ArrowUp: [0, 60], ArrowDown: [0, -60], "+": [0, 0, 1.5], "=": [0, 0, 1.5], "-": [0, 0, 1 / 1.5] };
  function press(event) {
    if (event.key === "0") setView(null);
    else if (keys[event.key]) move(...keys[event.key]);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }
  function wheel(event) {
    if (!event.ctrlKey && document.activeElement !== event.currentTarget) return;
    event.preventDefault();
    const box = event.currentTarget.getBoundingClientRect();
    move(0, 0, event.deltaY < 0 ? 1.25 : 0.8, [event.clientX - box.left, event.clientY - box.top]);
  }
  const start = (event) => {
    if (event.pointerType === "touch" && document.activeElement !== event.currentTarget) return;
    event.currentTarget.setPointerCapture(event.pointerId);
    drag.current = [event.clientX, event.clientY];
  };
  const dragged = (event) => {
    if (!drag.current) return;
    move(event.clientX - drag.current[0], event.clientY - drag.current[1]);
    drag.current = [event.clientX, event.clientY];
  };

  const text = points.length ? points.slice(0, 8).map((point, index) => `${names[index]}: ${degrees(point.latitude, "N", "S")}, ${degrees(point.longitude, "E", "W")}`).join("; ") : t("widgets.map_none");
  return html`<div class="w-map">
    <svg width=${size.width} height=${size.height} tabindex="0" role="application" aria-roledescription=${t("widgets.map")} aria-label=${text}
      onKeyDown=${press} onWheel=${wheel} onPointerDown=${start} onPointerMove=${dragged} onPointerUp=${() => (drag.current = null)} onPointerCancel=${() => (drag.current = null)}>
      <rect class="w-sea" width=${size.width} height=${size.height} />
      ${world < COASTS && html`<${Land} cx=${cx} cy=${cy} world=${world} size=${size} />`}
      <${Grid} left=${left} top=${top} world=${world} cx=${cx} cy=${cy} size=${size} />
      ${widget.options?.trail !== false && points.map((point, index) => trails[point.topic].length > 1 && html`<polyline class=${`w-track-line w-series-${index % 8}`}
        points=${trails[point.topic].map(([x, y]) => `${left(x)},${top(y)}`).join(" ")} />`)}
      ${points.map((point, index) => html`<g key=${point.topic} class=${`w-place w-series-${index % 8}`} data-level=${point.level} transform=${`translate(${left(point.x)} ${top(point.y)})`}>
        <title>${`${point.topic}\n${moment(point.at)}`}</title>
        <path d="M0 0C-3-6-8-9-8-15a8 8 0 0 1 16 0C8-9 3-6 0 0Z" /><circle cy="-15" r="3" />
        <text x=${left(point.x) > size.width - 70 ? -11 : 11} y="-11" font-size="12" text-anchor=${left(point.x) > size.width - 70 ? "end" : "start"}>${point.label || names[index]}</text>
      </g>`)}
      <${ScaleBar} world=${world} cy=${cy} size=${size} />
    </svg>
    ${size.width > 130 && html`<div class="w-map-tools">
      <button type="button" aria-label=${t("widgets.zoom_in")} title=${t("widgets.zoom_in")} onClick=${() => move(0, 0, 1.6)}>+</button>
      <button type="button" aria-label=${t("widgets.zoom_out")} title=${t("widgets.zoom_out")} onClick=${() => move(0, 0, 1 / 1.6)}>−</button>
      <button type="button" aria-label=${t("widgets.zoom_all")} title=${t("widgets.zoom_all")} onClick=${() => setView(null)}>⤢</button>
    </div>`}
    ${!points.length && html`<p class="w-map-none">${t("widgets.map_none")}</p>`}
  </div>`;
}

/** What a row says of a place, or null: by the widget's paths, or by the names that are usual. */
export function pointOf(row, widget) {
  const { latitude: latPath, longitude: lonPath, label } = widget.options ?? {};
  const found = latPath && lonPath ? [find(row.value, latPath), find(row.value, lonPath)] : guess(find(row.value, widget.path));
  const [latitude, longitude] = (found ?? []).map(toNumber);
  if (latitude == null || longitude == null || Math.abs(latitude) > 90 || Math.abs(longitude) > 180) return null;
  const sine = Math.sin((Math.max(-85, Math.min(85, latitude)) * Math.PI) / 180);
  return {
    topic: row.topic, at: row.at, latitude, longitude,
    x: longitude / 360 + 0.5, y: 0.5 - Math.log((1 + sine) / (1 - sine)) / (4 * Math.PI),
    label: label ? show(find(row.value, label), widget, language.value) : "",
    level: label ? levelOf(toNumber(find(row.value, label)), widget.thresholds) : "",
  };
}

function guess(value) {
  if (Array.isArray(value)) return value.slice(0, 2);
  if (value === null || typeof value !== "object") return null;
  if (value.type === "Point" && Array.isArray(value.coordinates)) return [value.coordinates[1], value.coordinates[0]];
  for (const name of INSIDE) {
    const inside = name ? value[name] : value;
    for (const [lat, lon] of NAMES) {
      if (inside && toNumber(inside[lat] ?? null) !== null && toNumber(inside[lon] ?? null) !== null) return [inside[lat], inside[lon]];
    }
  }
  return null;
}

/** The view in which all points have room; the whole world if there are none. */
function fit(points, size) {
  if (!points.length) return { x: 0.5, y: 0.42, world: Math.max(size.width, size.height * 1.6) };
  const [xs, ys] = [points.map((point) => point.x), points.map((point) => point.y)];
  const [x1, x2, y1, y2] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
  const world = Math.min((size.width - 80) / (x2 - x1 || 1e-9), (size.height - 70) / (y2 - y1 || 1e-9), 2 ** 19);
  return { x: (x1 + x2) / 2, y: (y1 + y2) / 2, world: Math.max(NEAR, world) };
}

function mercator(latitude) {
  const sine = Math.sin((latitude * Math.PI) / 180);
  return 0.5 - Math.log((1 + sine) / (1 - sine)) / (4 * Math.PI);
}

function latitudeAt(y) {
  return (Math.atan(Math.sinh(Math.PI * (1 - 2 * y))) * 180) / Math.PI;
}

// The world is drawn again at both sides of itself, so that what reaches beyond 180 degrees is whole.
function Land({ cx, cy, world, size }) {
  const path = useMemo(() => coasts().map(outline).join(""), []);
  const [first, last] = [Math.floor(cx - size.width / 2 / world), Math.floor(cx + size.width / 2 / world)];
  const worlds = Array.from({ length: Math.min(5, last - first + 3) }, (_, index) => first - 1 + index);
  return html`${worlds.map((shift) => html`<path key=${shift} class="w-land" d=${path} vector-effect="non-scaling-stroke"
    transform=${`translate(${size.width / 2 - (cx - shift) * world} ${size.height / 2 - cy * world}) scale(${world / 1000})`} />`)}`;
}

function outline(ring) {
  let turn = 0;
  return `M${ring.map(([longitude, latitude], index) => {
    const before = ring[index - 1]?.[0] ?? longitude;
    // Over 180 degrees a coast goes on; only Antarctica's lower edge is a way around the world.
    if (Math.abs(longitude - before) > 180 && latitude > -84) turn += longitude < before ? 360 : -360;
    const y = mercator(Math.max(-85, Math.min(85, latitude)));
    return `${(((longitude + turn) / 360 + 0.5) * 1000).toFixed(2)} ${(y * 1000).toFixed(2)}`;
  }).join("L")}Z`;
}

const STEPS = [45, 30, 15, 10, 5, 2, 1, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001, 0.0005, 0.0002, 0.0001];

function Grid({ left, top, world, cx, cy, size }) {
  const step = STEPS.findLast((each) => (each / 360) * world >= 90) ?? 45;
  const west = (cx - size.width / 2 / world - 0.5) * 360;
  const east = (cx + size.width / 2 / world - 0.5) * 360;
  const [north, south] = [latitudeAt(cy - size.height / 2 / world), latitudeAt(cy + size.height / 2 / world)];
  const lines = (from, to, edge) => {
    const found = [];
    for (let index = Math.ceil(Math.max(-edge, from) / step); index * step <= Math.min(edge, to) && found.length < 60; index++) found.push(Number((index * step).toFixed(5)));
    return found;
  };
  return html`<g class="w-grid" aria-hidden="true">
    ${lines(west, east, 180).map((each) => html`<line x1=${left(each / 360 + 0.5)} x2=${left(each / 360 + 0.5)} y1="0" y2=${size.height} />
      <text x=${left(each / 360 + 0.5) + 3} y=${size.height - 4} font-size="10">${degrees(each, "E", "W")}</text>`)}
    ${lines(south, north, 80).map((each) => html`<line x1="0" x2=${size.width} y1=${top(mercator(each))} y2=${top(mercator(each))} />
      <text x="3" y=${top(mercator(each)) - 3} font-size="10">${degrees(each, "N", "S")}</text>`)}
  </g>`;
}

function ScaleBar({ world, cy, size }) {
  const metres = (EARTH * Math.cos((latitudeAt(cy) * Math.PI) / 180)) / world;
  const most = metres * Math.min(110, size.width / 3);
  const power = 10 ** Math.floor(Math.log10(most));
  const length = [5, 2, 1].map((each) => each * power).find((each) => each <= most);
  const wide = length / metres;
  const text = length >= 1000 ? `${show(length / 1000, {}, language.value)} km` : `${show(length, {}, language.value)} m`;
  return html`<g class="w-scale-bar" transform=${`translate(${size.width - wide - 10} ${size.height - 22})`}>
    <path d=${`M0 0v6h${round(wide)}v-6`} /><text x=${wide / 2} y="2" font-size="10" text-anchor="middle">${text}</text>
  </g>`;
}

function degrees(value, positive, negative) {
  const size = Math.abs(value);
  return `${show(Number(size.toFixed(4)), {}, language.value)}°${value === 0 ? "" : value > 0 ? positive : negative}`;
}
