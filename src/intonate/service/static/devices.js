/** Which microphone, and whether it gives any sound. */

import { $, el, notice } from "./dom.js";
import { browserStore } from "./store.js";

const STORE = "intonate.microphone";
// What a microphone that is switched on never falls below: digital silence, dBFS, and for how long it is one, ms.
const NOTHING_DBFS = -95;
const MUTED_MS = 2_500;
const PAUSED = "No sound comes: the browser has paused the microphone (a call, another program?). It goes on when that is over.";
export const NOTHING_HEARD = "Nothing at all comes from the microphone. Is it muted, or is another one meant (Options)?";

/** The id of the chosen microphone; empty for the usual one. */
export const chosenDevice = () => $("#device").value;

/** List the microphones; browsers tell their names once one was allowed. */
export async function listDevices() {
  const select = $("#device");
  const found = (await navigator.mediaDevices?.enumerateDevices?.().catch(() => [])) ?? [];
  const inputs = found.filter(({ kind, deviceId }) => kind === "audioinput" && deviceId && deviceId !== "default");
  const wanted = select.value || browserStore.get(STORE) || "";
  select.replaceChildren(
    el("option", { value: "" }, "the usual one"),
    ...inputs.map(({ deviceId, label }, at) => el("option", { value: deviceId }, label || `Microphone ${at + 1}`)),
  );
  select.value = inputs.some(({ deviceId }) => deviceId === wanted) ? wanted : "";
}

export function bindDevices() {
  $("#device").addEventListener("change", ({ target }) => browserStore.set(STORE, target.value));
  navigator.mediaDevices?.addEventListener?.("devicechange", listDevices);
  listDevices();
}

/** Watches what the microphone gives, and says so when nothing at all has come for a while. */
export class SoundWatch {
  #soundAt = performance.now();
  #chunkAt = this.#soundAt;
  #said = "";

  /** A chunk came, this loud; an empty one where none came in time. */
  heard(chunk, dbfs) {
    const now = performance.now(), before = this.#said;
    const pauseS = (now - this.#chunkAt) / 1_000;
    const isBack = chunk.length > 0 && before === PAUSED;
    if (chunk.length) this.#chunkAt = now;
    if (isBack || dbfs > NOTHING_DBFS) this.#soundAt = now;
    this.#said = !chunk.length ? PAUSED : now - this.#soundAt > MUTED_MS ? NOTHING_HEARD : "";
    if (this.#said === before) return;
    notice(isBack ? `The microphone is back: about ${pauseS.toFixed(0)}\u00a0s were not heard.` : this.#said, "info", true);
  }

  /** Nothing more is waited for. */
  close() {
    if (this.#said === PAUSED) notice("");
  }
}
