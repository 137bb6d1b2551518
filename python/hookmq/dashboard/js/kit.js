// Everything a page is made of, to import from one place.
export * from "./core/html.js";
export * from "./core/api.js";
export * from "./core/asking.js";
export * from "./core/live.js";
export * from "./core/router.js";
export * from "./core/store.js";
export { t, hasText, language } from "./core/i18n.js";
export { theme, shade, color } from "./core/theme.js";
export * as format from "./core/format.js";
export * from "./ui/icons.js";
export * from "./ui/basics.js";
export * from "./ui/forms.js";
export * from "./ui/overlays.js";
export * from "./ui/table.js";
export * from "./ui/charts.js";
export * from "./ui/payload.js";
export * from "./core/series.js";
