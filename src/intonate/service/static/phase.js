/** What can be pressed and seen in each phase of the page: idle, opening, live, stopping, recording, answering. */

import { $, el, icon, write } from "./dom.js";

// What lost the focus when it was switched off or hidden.
let lost;

/** @param isCut whether the service is waited for, so that nothing is recognized meanwhile. */
export function showPhase(phase, isCut) {
  const focused = document.activeElement;
  document.body.dataset.phase = phase;
  const on = phase === "live" || phase === "opening";
  const isIdle = phase === "idle";
  $("#listen").classList.toggle("on", on);
  $("#listen").replaceChildren(icon(on ? "stop" : "mic"), el("span", {}, on ? "Stop" : "Listen"));
  $("#listen").disabled = !isIdle && phase !== "live";
  for (const id of ["#record", "#open", "#example"]) $(id).disabled = !isIdle;
  for (const input of document.querySelectorAll("#options input, #options select, #models input")) input.disabled = !isIdle;
  const running = phase === "live" || phase === "recording" || phase === "answering" || phase === "stopping";
  write($("#claim-state"), `Emotion recognition is ${!running ? "not running now" : isCut ? "waiting for the service" : "running"}.`);
  $("#gauges").hidden = !(phase === "live" || phase === "recording" || phase === "stopping");
  $("#progress").hidden = !(phase === "recording" || phase === "answering");
  $("#after").hidden = !isIdle;
  document.title = phase === "live" ? "● intonate" : "intonate";
  keepFocus(focused);
}

/** Whoever uses the keyboard goes on where they were, as soon as that can be pressed again. */
function keepFocus(focused) {
  const canBeFocused = (node) => node.checkVisibility() && !node.matches(":disabled");
  if (!canBeFocused(focused)) lost ??= focused;
  if (!lost || !canBeFocused(lost)) return;
  if (focused === document.body || !canBeFocused(focused)) lost.focus({ preventScroll: true });
  lost = undefined;
}
