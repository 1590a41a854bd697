/** What is remembered. Where the browser blocks its storage, or that is full, it is remembered until the page is closed. */

const storing = (name, kept = new Map()) => ({
  /** What was set, or null. */
  get(key) {
    if (kept.has(key)) return kept.get(key);
    try {
      return globalThis[name].getItem(key);
    } catch {
      return null;
    }
  },
  set(key, value) {
    kept.set(key, value);
    try {
      globalThis[name].setItem(key, value);
    } catch {
      // It stays in `kept`.
    }
  },
});

/** In this browser, for the next visit, too. */
export const browserStore = storing("localStorage");
/** In this tab, until it is closed. */
export const tabStore = storing("sessionStorage");
