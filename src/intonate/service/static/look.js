/** How the page looks: the view, the theme, and the frame that shows where a file can be dropped. */

import { $ } from "./dom.js";
import { browserStore } from "./store.js";

const VIEW = "intonate.view";
const THEME = "intonate.theme";

/** `onView` gets `label` or `probability`, now and whenever it changes; returns a function that flips it. */
export function bindView(onView) {
  const set = (name) => {
    document.body.dataset.view = name;
    for (const button of document.querySelectorAll("#view button")) {
      button.setAttribute("aria-pressed", String(button.dataset.view === name));
    }
    browserStore.set(VIEW, name);
    onView(name);
  };
  $("#view").addEventListener("click", ({ target }) => target.dataset.view && set(target.dataset.view));
  set(browserStore.get(VIEW) === "label" ? "label" : "probability");
  return () => set(document.body.dataset.view === "label" ? "probability" : "label");
}

/** `onTheme` is called when the colours changed; returns a function that flips them. */
export function bindTheme(onTheme) {
  const flip = () => {
    const root = document.documentElement;
    root.dataset.theme = getComputedStyle(root).colorScheme === "dark" ? "light" : "dark";
    browserStore.set(THEME, root.dataset.theme);
    onTheme();
  };
  $("#theme").addEventListener("click", flip);
  for (const query of ["(prefers-color-scheme: dark)", "print"]) matchMedia(query).addEventListener("change", onTheme);
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
  // Text that is dragged from one place of the page to another is no recording.
  const on = (type, act) => addEventListener(type, (event) => event.dataTransfer.types.includes("Files") && act(event));
  on("dragenter", () => show(1));
  on("dragleave", () => show(-1));
  on("dragover", (event) => event.preventDefault());
  on("drop", (event) => {
    event.preventDefault();
    show(-inside);
    onFiles([...event.dataTransfer.files]);
  });
}
