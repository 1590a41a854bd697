/** Sessions that are saved, and opened again. Pure: bytes and texts in, sessions out. */

import { cut } from "./pieces.js";
import { newSession, seconds, takePrediction } from "./session.js";
import { Tape } from "./tape.js";
import { wav } from "./writers.js";

const FORMAT = "intonate-session";
// The chunk of the WAV that holds the answers: whoever plays the file passes over it.
const CHUNK = "intn";

/** A WAV that every player plays, with all that was answered and labelled in a chunk of its own. */
export function sessionFile(session) {
  const { kind, name, models, labels, windowS, timelines, overall, finals, given } = session;
  const stretches = [...timelines].map(([model, timeline]) => [
    model,
    timeline.stretches.map(({ eventStart, end, state, label, labels, scores, raw, level, dimensions }) => ({ start: eventStart, end, state, label, labels, scores, raw, level, dimensions })),
  ]);
  const answers = { format: FORMAT, version: 1, kind, name, models, labels, windowS, stretches, overall: [...overall], finals: [...finals], given: [...given] };
  const text = new TextEncoder().encode(JSON.stringify(answers));
  const sound = new Uint8Array(wav(session.tape.slice(), session.tape.rate));
  const out = new Uint8Array(sound.length + 8 + text.length + (text.length % 2));
  out.set(sound);
  out.set(new TextEncoder().encode(CHUNK), sound.length);
  const view = new DataView(out.buffer);
  view.setUint32(sound.length + 4, text.length, true);
  out.set(text, sound.length + 8);
  view.setUint32(4, out.length - 8, true);
  return out.buffer;
}

/** The session in a WAV that was saved with `sessionFile`; undefined in any other file. */
export function fromWav(buffer) {
  const view = new DataView(buffer);
  const word = (at) => String.fromCharCode(...new Uint8Array(buffer, at, 4));
  if (buffer.byteLength < 44 || word(0) !== "RIFF" || word(8) !== "WAVE") return undefined;
  let rate, samples, answers;
  for (let at = 12; at + 8 <= buffer.byteLength; ) {
    const size = Math.min(view.getUint32(at + 4, true), buffer.byteLength - at - 8);
    if (word(at) === "fmt ") rate = view.getUint32(at + 12, true);
    if (word(at) === "data") samples = new Int16Array(buffer.slice(at + 8, at + 8 + size - (size % 2)));
    if (word(at) === CHUNK) answers = parse(new TextDecoder().decode(new Uint8Array(buffer, at + 8, size)));
    at += 8 + size + (size % 2);
  }
  if (!rate || !samples || answers?.format !== FORMAT) return undefined;
  const tape = new Tape(rate);
  tape.append(samples);
  const session = newSession({ ...answers, tape, isKept: true });
  session.windowS = answers.windowS;
  for (const [model, stretches] of answers.stretches) {
    for (const stretch of stretches) session.timelines.get(model)?.add(stretch, answers.windowS);
  }
  session.overall = new Map(answers.overall);
  session.finals = new Map(answers.finals);
  session.given = new Map(answers.given);
  session.pieces = cut(seconds(session));
  return session;
}

/**
 * The sessions in a JSON of answers: what this page saves and `intonate predict --format json` writes, of today or from
 * before `guess`; without sound. Throws one sentence where it is something else.
 */
export function fromJson(text) {
  const found = [parse(text)].flat().filter((answer) => Array.isArray(answer?.scores) && Array.isArray(answer?.segments));
  if (!found.length) throw new Error("This JSON holds no answers of intonate: choose one that was saved here, or by “intonate predict”.");
  const sessions = new Map();
  for (const answer of found) {
    const name = answer.file || "recording";
    const of = found.filter((other) => other.file === answer.file);
    const models = [...new Set(of.map(({ model }) => model || "model"))];
    if (!sessions.has(name)) sessions.set(name, newSession({ kind: "file", name, models, labels: [], isKept: true }));
    takePrediction(sessions.get(name), answer.model || "model", answer);
  }
  return [...sessions.values()];
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
