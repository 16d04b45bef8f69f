// @ts-check
// What lasts as long as the tab: drafts, history, place.

/** @param {string} name @returns {any} `null` where nothing is kept, or storage is forbidden */
export function recall(name) {
  try { return JSON.parse(sessionStorage.getItem(name) ?? "null"); } catch { return null; }
}

/** Keep a value, `null` to forget it. @param {string} name @param {unknown} value */
export function keep(name, value) {
  try {
    if (value === null) sessionStorage.removeItem(name);
    else sessionStorage.setItem(name, JSON.stringify(value));
  } catch { /* Storage is full or forbidden: it lasts as long as the page. */ }
}
