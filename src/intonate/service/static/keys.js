/** Single keys. They can be switched off (they get in the way of speech input and of some screen readers). */

import { $ } from "./dom.js";
import { browserStore } from "./store.js";

const STORE = "intonate.keys";

/** @param actions {key: function}; @param before gets a key first, and returns true where it took it. */
export function bindKeys(actions, before) {
  const on = $("#keys-on");
  on.checked = browserStore.get(STORE) !== "off";
  on.addEventListener("change", () => browserStore.set(STORE, on.checked ? "on" : "off"));
  document.addEventListener("keydown", (event) => {
    if (!on.checked || event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || event.repeat) return;
    if (event.target.closest("input, select, textarea, dialog, [contenteditable]")) return;
    const key = event.key.toLowerCase();
    // Space and Enter belong to the button that has the focus.
    if (key === " " && event.target.closest("button, summary, a")) return;
    if (before(key)) return event.preventDefault();
    if (!Object.hasOwn(actions, key)) return;
    event.preventDefault();
    actions[key]();
  });
}
