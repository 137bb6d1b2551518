// Who uses the page, and what it remembers between visits.
import { effect, signal } from "../../vendor/signals.js";

const RANK = { viewer: 1, operator: 2, admin: 3 };

/** What GET session answers; null until it did. */
export const session = signal(null);

/** Whether whoever uses the page may do what `role` may ("viewer", "operator", "admin"). */
export function can(role) {
  const user = session.value?.user;
  return Boolean(user) && (RANK[user.role] ?? 0) >= RANK[role];
}

/** A signal that is kept in the browser under a name. */
export function remembered(name, initial) {
  const key = `hookmq.${name}`;
  let first = initial;
  try {
    const kept = localStorage.getItem(key);
    if (kept !== null) first = JSON.parse(kept);
  } catch {
    // Storage that is off or holds something else: the page works without.
  }
  const made = signal(first);
  effect(() => {
    const text = JSON.stringify(made.value);
    try {
      localStorage.setItem(key, text);
    } catch {
      // Full or forbidden.
    }
  });
  return made;
}
