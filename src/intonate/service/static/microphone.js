/** The microphone, as mono chunks of floats at the device's own rate. */

import { HOW_TO_SECURE, NO_ANSWER } from "./api.js";
import { SoundWatch } from "./devices.js";
import { levelDbfs } from "./tape.js";

// Length of a chunk, seconds: short enough to feel immediate, long enough to cost nothing.
const CHUNK_S = 0.064;
// A busy browser may take so long to hand over its last chunk, milliseconds.
const FLUSH_MS = 3_000;
// A microphone that gave nothing between two of these moments is paused, milliseconds.
const PAUSE_MS = 1_000;

// What browsers do for telephony changes how a voice sounds, and that is what is listened to here.
const PLAIN = { echoCancellation: false, noiseSuppression: false, autoGainControl: false, channelCount: 1 };

const REASONS = {
  NotAllowedError: "The microphone is blocked: allow it beside the page's address, and press Listen again.",
  NotFoundError: "No microphone was found: connect one, or choose a file.",
  OverconstrainedError: "The chosen microphone is not there any more: choose another under Options.",
  NotReadableError: "The microphone is in use by another program: close that, and press Listen again.",
};

/**
 * @param onChunk called with a Float32Array and its level, dBFS; the array is empty where nothing comes for a while.
 * @param onLost called when the microphone is taken away.
 * @param device its id; empty for the usual one.
 * @returns {rate, stop}: samples per second, and a function that resolves when the last chunk was handed over.
 */
export async function openMicrophone(onChunk, onLost, device = "") {
  if (!navigator.mediaDevices?.getUserMedia) {
    throw new Error(`Browsers give the microphone only to pages on this machine or over HTTPS: ${HOW_TO_SECURE}`);
  }
  let media;
  try {
    media = await navigator.mediaDevices.getUserMedia({ audio: { ...PLAIN, ...(device && { deviceId: { exact: device } }) } });
  } catch (error) {
    throw new Error(REASONS[error.name] ?? `The microphone cannot be opened (${error.message}).`, { cause: error });
  }
  const context = new AudioContext({ latencyHint: "interactive" });
  const watch = new SoundWatch();
  let watching;
  const close = async () => {
    clearInterval(watching);
    watch.close();
    for (const track of media.getTracks()) track.stop();
    await context.close();
  };
  try {
    await context.audioWorklet.addModule(new URL("worklet.js", import.meta.url));
  } catch (error) {
    await close();
    throw new Error(NO_ANSWER, { cause: error });
  }
  // Not waited for: during a call it stays undone, and that is a pause like any other.
  const resume = () => context.resume().catch(() => {});
  resume();
  const size = Math.round((context.sampleRate * CHUNK_S) / 128) * 128;
  const chunks = new AudioWorkletNode(context, "chunks", { processorOptions: { size } });
  let ended = () => {};
  let missed = 0;
  const hear = (chunk) => {
    const dbfs = levelDbfs(chunk);
    watch.heard(chunk, dbfs);
    onChunk(chunk, dbfs);
  };
  chunks.port.onmessage = ({ data }) => {
    if (data === "end") return ended();
    missed = 0;
    hear(data);
  };
  // A call or a locked screen pauses the microphone without a word, and not every browser goes on by itself.
  watching = setInterval(() => {
    if (++missed < 2) return;
    resume();
    hear(new Float32Array());
  }, PAUSE_MS);
  context.createMediaStreamSource(media).connect(chunks).connect(context.destination);
  media.getAudioTracks()[0].addEventListener("ended", onLost);
  return {
    rate: context.sampleRate,
    async stop() {
      const last = new Promise((resolve) => (ended = resolve));
      chunks.port.postMessage("flush");
      if (context.state === "running") await Promise.race([last, new Promise((resolve) => setTimeout(resolve, FLUSH_MS))]);
      // What comes later still would be on the tape, and never be answered.
      chunks.port.onmessage = null;
      await close();
    },
  };
}
