// Dashboards to begin with: filled with the topics of their example, which are changed to one's own.
import { t } from "../kit.js";
import { makeWidget } from "../widgets/registry.js";

const OK_LOW = [{ at: 0, color: "error" }, { at: 20, color: "warning" }, { at: 35, color: "ok" }];

function at(x, y, w, h, kind, members) {
  return makeWidget(kind, { x, y, w, h, ...members });
}

const TEMPLATES = {
  empty: () => [],
  tank: () => [
    at(0, 0, 3, 5, "tank", { title: t("dashboards.sample_level"), topic: "tank/1/level", path: "level", unit: "%", min: 0, max: 100, thresholds: OK_LOW }),
    at(3, 0, 9, 5, "area", { title: t("dashboards.sample_levels"), topic: "tank/+/level", path: "level", unit: "%", min: 0, max: 100, span: 3600 }),
    at(0, 5, 3, 2, "switch", { title: t("dashboards.sample_pump"), topic: "tank/1/pump", options: { command: "tank/1/pump/set", on: "on", off: "off" } }),
    at(3, 5, 3, 2, "slider", { title: t("dashboards.sample_target"), topic: "tank/1/target", unit: "%", min: 0, max: 100, options: { command: "tank/1/target/set", step: 1, retain: true } }),
    at(6, 5, 2, 2, "led", { title: t("dashboards.sample_alert"), topic: "tank/1/alert", path: "low", thresholds: [{ at: 1, color: "error" }], options: { on_label: t("dashboards.sample_low"), off_label: t("dashboards.sample_fine") } }),
    at(8, 5, 4, 4, "log", { title: t("dashboards.sample_messages"), topic: "tank/#" }),
    at(0, 7, 8, 4, "table", { title: t("dashboards.sample_all"), topic: "tank/+/level" }),
  ],
  room: () => [
    at(0, 0, 3, 3, "gauge", { title: t("dashboards.sample_temperature"), topic: "room/living/climate", path: "temperature", unit: "°C", min: 0, max: 40, decimals: 1, thresholds: [{ at: 18, color: "ok" }, { at: 26, color: "warning" }, { at: 32, color: "error" }] }),
    at(3, 0, 3, 3, "gauge", { title: t("dashboards.sample_humidity"), topic: "room/living/climate", path: "humidity", unit: "%", min: 0, max: 100, decimals: 0, thresholds: [{ at: 0, color: "warning" }, { at: 30, color: "ok" }, { at: 60, color: "warning" }] }),
    at(6, 0, 3, 3, "value", { title: "CO₂", topic: "room/living/climate", path: "co2", unit: "ppm", decimals: 0, thresholds: [{ at: 0, color: "ok" }, { at: 1000, color: "warning" }, { at: 2000, color: "error" }] }),
    at(9, 0, 3, 3, "number", { title: t("dashboards.sample_setpoint"), topic: "room/living/setpoint", unit: "°C", min: 5, max: 30, options: { command: "room/living/setpoint/set", step: 0.5, retain: true } }),
    at(0, 3, 6, 4, "line", { title: t("dashboards.sample_temperatures"), topic: "room/+/climate", path: "temperature", unit: "°C", span: 86400 }),
    at(6, 3, 6, 4, "bar", { title: t("dashboards.sample_humidities"), topic: "room/+/climate", path: "humidity", unit: "%", min: 0, max: 100 }),
  ],
  broker: () => [
    at(0, 0, 3, 2, "value", { title: t("dashboards.sample_clients"), topic: "$SYS/broker/clients/connected", decimals: 0 }),
    at(3, 0, 3, 2, "value", { title: t("dashboards.sample_subscriptions"), topic: "$SYS/broker/subscriptions/count", decimals: 0 }),
    at(6, 0, 3, 2, "value", { title: t("dashboards.sample_retained"), topic: "$SYS/broker/retained messages/count", decimals: 0 }),
    at(9, 0, 3, 2, "text", { title: t("dashboards.sample_uptime"), topic: "$SYS/broker/uptime", options: { size: "large" } }),
    at(0, 2, 6, 4, "line", { title: t("dashboards.sample_received"), topic: "$SYS/broker/load/messages/received/1min", unit: "/min" }),
    at(6, 2, 6, 4, "line", { title: t("dashboards.sample_sent"), topic: "$SYS/broker/load/messages/sent/1min", unit: "/min" }),
    at(0, 6, 12, 5, "table", { title: t("dashboards.sample_counters"), topic: "$SYS/broker/#", options: { limit: 200 } }),
  ],
};

/** Names of templates; `dashboards.template_NAME` says what each is for. */
export const NAMES = Object.keys(TEMPLATES);

export function widgetsOf(name) {
  return TEMPLATES[name]();
}
