/** Which microphone, and whether it gives any sound. */

import { $, el, notice } from "./dom.js";
import { browserStore } from "./store.js";

const STORE = "intonate.microphone";
// What a microphone that is switched on never falls below: digital silence, dBFS, and for how long it is one, ms.
const NOTHING_DBFS = -95;
const MUTED_MS = 2_500;
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

/** Watches the level, and says so when nothing at all has come for a while. */
export class MuteWatch {
  #since;
  #isMuted = false;

  set level(dbfs) {
    const now = performance.now();
    this.#since = dbfs > NOTHING_DBFS ? undefined : (this.#since ?? now);
    const isMuted = this.#since !== undefined && now - this.#since > MUTED_MS;
    if (isMuted === this.#isMuted) return;
    this.#isMuted = isMuted;
    notice(isMuted ? NOTHING_HEARD : "", "info", true);
  }
}
