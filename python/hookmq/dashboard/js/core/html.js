// What every component needs of the libraries: one place to import from.
import { h, render, Fragment } from "../../vendor/preact.js";
import htm from "../../vendor/htm.js";

export { h, render, Fragment };
export { useEffect, useLayoutEffect, useMemo, useRef, useState, useCallback } from "../../vendor/hooks.js";
export {
  signal, computed, effect, batch, untracked, useSignal, useComputed, useSignalEffect,
} from "../../vendor/signals.js";

export const html = htm.bind(h);
