/** How the page looks: the view, the theme, and the frame that shows where a file can be dropped. */

import { $ } from "./dom.js";

const VIEW = "intonate.view";
const THEME = "intonate.theme";

/** `onView` gets `label` or `probability`, now and whenever it changes; returns a function that flips it. */
export function bindView(onView) {
  const set = (name) => {
    document.body.dataset.view = name;
    for (const button of document.querySelectorAll("#view button")) {
      button.setAttribute("aria-pressed", String(button.dataset.view === name));
    }
    localStorage.setItem(VIEW, name);
    onView(name);
  };
  $("#view").addEventListener("click", ({ target }) => target.dataset.view && set(target.dataset.view));
  set(localStorage.getItem(VIEW) === "label" ? "label" : "probability");
  return () => set(document.body.dataset.view === "label" ? "probability" : "label");
}

/** `onTheme` is called when the colours changed; returns a function that flips them. */
export function bindTheme(onTheme) {
  const flip = () => {
    const root = document.documentElement;
    root.dataset.theme = getComputedStyle(root).colorScheme === "dark" ? "light" : "dark";
    localStorage.setItem(THEME, root.dataset.theme);
    onTheme();
  };
  $("#theme").addEventListener("click", flip);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", onTheme);
  return flip;
}

/** Take files that are dropped anywhere. */
export function bindDrop(onFiles) {
  // Children of the page send their own enter and leave: counted, they tell when the page itself is left.
  let inside = 0;
  const show = (change) => {
    inside = Math.max(0, inside + change);
    $("#drop").hidden = inside === 0;
  };
  addEventListener("dragenter", () => show(1));
  addEventListener("dragleave", () => show(-1));
  addEventListener("dragover", (event) => event.preventDefault());
  addEventListener("drop", (event) => {
    event.preventDefault();
    show(-inside);
    onFiles([...event.dataTransfer.files]);
  });
}
