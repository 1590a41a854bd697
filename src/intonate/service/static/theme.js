// Before the first paint, and so not a module: the theme that was chosen last, if any.
(() => {
  try {
    const chosen = localStorage.getItem("intonate.theme");
    if (chosen) document.documentElement.dataset.theme = chosen;
  } catch {
    // Storage is switched off: the system's theme it is.
  }
})();
