/** Recordings from disk: decoded in the browser for the ribbon and for playing, sent to the service as they are. */

import { NO_ANSWER, predict, url } from "./api.js";
import { Downmix } from "./downmix.js";
import { fromJson, fromWav } from "./saved.js";
import { Tape, toInt16 } from "./tape.js";
import { clock } from "./timeline.js";
import { wav } from "./writers.js";

// The rate at which a file is kept for playing and drawing, Hz: all of a voice, at half the memory of 48 kHz.
const RATE = 24_000;
// A compressed file larger than this may unfold to gigabytes: it is answered, but not played back, bytes.
const LARGEST = 150_000_000;
// What the service reads without its `media` extra (libsndfile).
const PLAIN = /\.(wav|flac|ogg|oga|opus|mp3|aif|aiff|au|caf|w64)$/i;

/** A tape of the file, or undefined where this browser cannot decode it. */
export async function decode(file) {
  if (file.size > LARGEST) return undefined;
  try {
    const bytes = await file.arrayBuffer();
    const sound = await new OfflineAudioContext(1, 1, RATE).decodeAudioData(bytes);
    const tape = new Tape(sound.sampleRate);
    const channels = Array.from({ length: sound.numberOfChannels }, (_, i) => sound.getChannelData(i));
    for await (const mono of new Downmix(sound.sampleRate).mono(channels)) tape.append(toInt16(mono));
    return tape.length ? tape : undefined;
  } catch {
    return undefined;
  }
}

/** What a promise gives, unless it is cancelled before: not all that is waited for can be stopped. */
export function orCancelled(signal, promise) {
  const cancelled = new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
  return Promise.race([promise, cancelled]);
}

/** A recording to try the page with: three manners of one (synthetic) voice. */
export async function example() {
  const response = await fetch(url("static/example.mp3")).catch(() => undefined);
  if (!response?.ok) throw new Error(NO_ANSWER);
  return new File([await response.blob()], "example.mp3", { type: "audio/mpeg" });
}

/**
 * What a file holds that was saved here: {sessions, warnings}; no session in a recording. Throws one sentence where it
 * is neither.
 */
export async function reopen(file) {
  const first = await file.slice(0, 1).arrayBuffer().catch(() => undefined);
  if (!first?.byteLength) throw new Error("nothing can be read here: it is an empty file, a folder, or was moved");
  if (/\.json$/i.test(file.name)) return { sessions: fromJson(await file.text()), warnings: [] };
  if (!/\.wav$/i.test(file.name) || file.size > LARGEST) return { sessions: [], warnings: [] };
  const bytes = await file.arrayBuffer();
  try {
    const session = fromWav(bytes);
    return { sessions: session ? [session] : [], warnings: [] };
  } catch ({ message }) {
    return { sessions: [], warnings: [`The answers in this session are damaged (${message}); only its sound was opened`] };
  }
}

/**
 * Ask each model about a file: resolves to what is remarkable about it, in sentences.
 *
 * @param models names; onProgress gets a sentence and the share that is done, onAnswer a model and its answer.
 */
export async function ask(file, tape, models, { denoise, signal, onProgress, onAnswer }) {
  const [blob, name] = toSend(file, tape);
  const warnings = new Set();
  const sound = tape ? ` to ${clock(tape.seconds)}` : "";
  for (const model of models) {
    const onUpload = (share) => (share < 1 ? onProgress(`Sending ${file.name}`, share) : onProgress(`${model} listens${sound}`));
    const answer = await predict(blob, name, { model, denoise, onUpload, signal });
    for (const warning of answer.warnings ?? []) warnings.add(warning.replace("the upload", file.name));
    onAnswer(model, answer);
  }
  return [...warnings];
}

/** What is sent for a file: itself, or its sound as WAV where the service may not know the format: [blob, name]. */
function toSend(file, tape) {
  if (PLAIN.test(file.name) || !tape) return [file, file.name];
  return [new Blob([wav(tape.slice(), tape.rate)], { type: "audio/wav" }), `${file.name}.wav`];
}
