/** Listening: the microphone, the tape, the connection and the session, tied together. */

import { mergedLabels } from "./metrics.js";
import { NOTHING_HEARD } from "./devices.js";
import { openMicrophone } from "./microphone.js";
import { newSession, take } from "./session.js";
import { Stream } from "./stream.js";
import { Tape, toInt16 } from "./tape.js";

// How long the last answers are waited for after Stop, milliseconds.
const LAST_ANSWERS_MS = 8_000;

/**
 * Begin to listen.
 *
 * @param models [{name, labels, abstain_below}] to answer side by side.
 * @param options further query parameters of the stream.
 * @param device the microphone's id; empty for the usual one.
 * @param on callbacks: level(dbfs), answer(model, stretch, latencyMs), state(name), behind(seconds), over(sentence, code):
 *   the session ended by itself, with the reason.
 * @returns {session, stop}; `stop` resolves to how much of the end was never answered, seconds; 0 where all was.
 */
export async function listen(models, options, device, on) {
  let tape, stream;
  const early = [];
  const hear = (chunk, dbfs) => {
    on.level(dbfs);
    if (!tape) return void early.push(chunk);
    tape.append(toInt16(chunk));
    stream.push();
  };
  const lost = () => on.over("The microphone was taken away; the session is kept.");
  const microphone = await openMicrophone(hear, lost, device);
  tape = new Tape(microphone.rate);
  for (const chunk of early) tape.append(toInt16(chunk));
  const names = models.map(({ name }) => name);
  const labels = options.labels ? mergedLabels(options.labels) : [...new Set(models.flatMap((model) => model.labels))];
  // Plain pieces are never unsure.
  const thresholds = options.plain ? {} : Object.fromEntries(models.map((model) => [model.name, model.abstain_below]));
  const session = newSession({ kind: "live", name: `session ${stamp(new Date())}`, tape, models: names, labels, thresholds });

  stream = new Stream(tape, names, options, {
    ready: (message) => {
      session.windowS = message.window ?? 0;
    },
    event: (event, latency) => {
      const stretch = take(session, event);
      on.answer(event.model ?? names[0], stretch, latency);
    },
    state: on.state,
    behind: on.behind,
    // Later, for it may fail before the caller holds what it is to stop.
    failed: (sentence, code) => setTimeout(() => on.over(sentence, code)),
  });

  let stopping;
  const stop = async () => {
    await microphone.stop();
    const late = new Promise((resolve) => setTimeout(resolve, LAST_ANSWERS_MS));
    const isComplete = await Promise.race([stream.finish(), late]);
    stream.close();
    const answeredS = Math.min(...[...session.timelines.values()].map((timeline) => timeline.end));
    return isComplete ? 0 : Math.max(0, tape.seconds - answeredS);
  };
  // Asked twice (the button, and a microphone that goes), it stops once.
  return { session, stop: () => (stopping ??= stop()) };
}

/** The microphone for a few seconds: {tape, warnings}. `onProgress` gets (share, dbfs); an AbortSignal ends it. */
export async function record(seconds, device, onProgress, signal) {
  const chunks = [];
  let heard = 0;
  let done;
  const enough = new Promise((resolve) => (done = resolve));
  signal.addEventListener("abort", done);
  let rate = Infinity;
  const microphone = await openMicrophone((chunk, dbfs) => {
    chunks.push(chunk);
    heard += chunk.length;
    onProgress(Math.min(1, heard / (seconds * rate)), dbfs);
    if (heard >= seconds * rate) done();
  }, done, device);
  rate = microphone.rate;
  await enough;
  await microphone.stop();
  signal.throwIfAborted();
  if (!heard) throw new Error("The microphone was taken away before anything was recorded.");
  const tape = new Tape(rate);
  for (const chunk of chunks) tape.append(toInt16(chunk).subarray(0, Math.max(0, seconds * rate - tape.length)));
  const isCut = heard < seconds * rate && `The microphone was taken away: only ${tape.seconds.toFixed(1)} s were recorded`;
  return { tape, warnings: [isCut, !tape.loudest && NOTHING_HEARD].filter(Boolean) };
}

/** `2026-11-21 14.03.12`: sorts, and can be a file's name everywhere. */
function stamp(date) {
  const two = (n) => String(n).padStart(2, "0");
  const day = [date.getFullYear(), date.getMonth() + 1, date.getDate()].map(two).join("-");
  return `${day} ${[date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(".")}`;
}
