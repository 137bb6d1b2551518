// Numbers, sizes and times as the language writes them.
import { language } from "./i18n.js";

const made = new Map();

function formatter(kind, options) {
  const key = `${language.value} ${kind.name} ${JSON.stringify(options)}`;
  if (!made.has(key)) made.set(key, new kind(language.value, options));
  return made.get(key);
}

const absent = "–";

/** A number in full: 12,345.6 */
export function number(value, decimals = 2) {
  if (!Number.isFinite(value)) return absent;
  return formatter(Intl.NumberFormat, { maximumFractionDigits: decimals }).format(value);
}

/** A number in little space: 12.3K */
export function compact(value) {
  if (!Number.isFinite(value)) return absent;
  if (Math.abs(value) < 10000) return number(value, Math.abs(value) < 10 ? 2 : Math.abs(value) < 100 ? 1 : 0);
  return formatter(Intl.NumberFormat, { notation: "compact", maximumFractionDigits: 1 }).format(value);
}

/** A rate per second: 1.2K/s */
export function rate(value) {
  return Number.isFinite(value) ? `${compact(value)}/s` : absent;
}

/** A size: 1.5 MiB */
export function bytes(value) {
  if (!Number.isFinite(value)) return absent;
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let step = 0;
  while (Math.abs(value) >= 1024 && step < units.length - 1) {
    value /= 1024;
    step += 1;
  }
  return `${number(value, step === 0 ? 0 : value < 10 ? 2 : 1)} ${units[step]}`;
}

const STEPS = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];

/** How long something takes: 3 min 20 s, 1.2 ms */
export function duration(seconds) {
  if (!Number.isFinite(seconds)) return absent;
  const unit = (value, name, digits = 0) => formatter(Intl.NumberFormat, {
    style: "unit", unit: name, unitDisplay: "short", maximumFractionDigits: digits,
  }).format(value);
  if (seconds === 0) return unit(0, "second");
  if (seconds < 0.001) return `${number(seconds * 1e6, 0)} µs`;
  if (seconds < 1) return unit(seconds * 1000, "millisecond", seconds < 0.1 ? 1 : 0);
  if (seconds < 60) return unit(seconds, "second", seconds < 10 ? 1 : 0);
  const first = STEPS.findIndex(([, size]) => seconds >= size);
  const [name, size] = STEPS[first];
  const whole = Math.floor(seconds / size);
  const [nextName, nextSize] = STEPS[first + 1];
  const rest = Math.floor((seconds - whole * size) / nextSize);
  return rest ? `${unit(whole, name)} ${unit(rest, nextName)}` : unit(whole, name);
}

/** How long ago a time is: 5 seconds ago */
export function ago(at, now = Date.now() / 1000) {
  if (!Number.isFinite(at)) return absent;
  const seconds = at - now;
  const [name, size] = STEPS.find(([, each]) => Math.abs(seconds) >= each) ?? STEPS[3];
  return formatter(Intl.RelativeTimeFormat, { numeric: "auto", style: "short" })
    .format(Math.trunc(seconds / size), name);
}

/** The time of day, with milliseconds if asked for */
export function clock(at, milliseconds = false) {
  if (!Number.isFinite(at)) return absent;
  const options = { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" };
  if (milliseconds) options.fractionalSecondDigits = 3;
  return formatter(Intl.DateTimeFormat, options).format(at * 1000);
}

/** Date and time; today only the time */
export function moment(at) {
  if (!Number.isFinite(at)) return absent;
  const day = new Date(at * 1000);
  return day.toDateString() === new Date().toDateString() ? clock(at) : dateTime(at);
}

/** Date and time in full */
export function dateTime(at) {
  if (!Number.isFinite(at)) return absent;
  return formatter(Intl.DateTimeFormat, { dateStyle: "medium", timeStyle: "medium" }).format(at * 1000);
}

/** Date and time with milliseconds and the zone: for what is measured. */
export function exact(at) {
  if (!Number.isFinite(at)) return absent;
  return formatter(Intl.DateTimeFormat, {
    year: "numeric", month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3,
    hourCycle: "h23", timeZoneName: "short",
  }).format(at * 1000);
}
