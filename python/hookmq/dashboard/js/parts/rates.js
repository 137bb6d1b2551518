// How often things are called: from counters that are looked at once a second.
import { useEffect, useRef, useState } from "../kit.js";
const KEPT = 60;
const OVER = 5;

/**
 * What was counted each second of the last minute, and the rate over the last five seconds.
 *
 *     const rates = new Rates();
 *     rates.look({ watch: 10 }, 0); rates.look({ watch: 30 }, 1);
 *     rates.of("watch"); // { rate: 20, points: [20] }
 */
export class Rates {
  #seen = new Map();

  /** @param {Object<string, number>} counters @param {number} now seconds */
  look(counters, now) {
    for (const name of this.#seen.keys()) if (!(name in counters)) this.#seen.delete(name);
    for (const [name, count] of Object.entries(counters)) {
      const looks = this.#seen.get(name) ?? [];
      // A counter that fell began anew.
      if (looks.length && count < looks.at(-1)[1]) looks.length = 0;
      looks.push([now, count]);
      if (looks.length > KEPT + 1) looks.shift();
      this.#seen.set(name, looks);
    }
  }

  of(name) {
    const looks = this.#seen.get(name) ?? [];
    if (looks.length < 2) return { rate: null, points: [] };
    const [end, count] = looks.at(-1);
    const [begin, before] = looks[Math.max(0, looks.length - 1 - OVER)];
    const points = looks.slice(1).map(([at, sum], n) => (sum - looks[n][1]) / Math.max(at - looks[n][0], 0.001));
    return { rate: (count - before) / Math.max(end - begin, 0.001), points };
  }
}

/**
 * Rates of what a signal has, while a component is shown.
 * @param {() => Object<string, number>} counters returns what was counted, by name
 * @returns {Rates}
 */
export function useRates(counters) {
  const rates = useRef(null);
  rates.current ??= new Rates();
  const newest = useRef(counters);
  newest.current = counters;
  const [, again] = useState(0);
  useEffect(() => {
    const look = () => {
      rates.current.look(newest.current(), performance.now() / 1000);
      again((count) => count + 1);
    };
    look();
    const timer = setInterval(look, 1000);
    return () => clearInterval(timer);
  }, []);
  return rates.current;
}
