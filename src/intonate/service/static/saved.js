/** Sessions that are saved, and opened again. Pure: bytes and texts in, sessions out. */

import { cut } from "./pieces.js";
import { newSession, seconds, takePrediction } from "./session.js";
import { below, both, exactly, fields, list, maybe, NUMBER, SPAN, TEXT, tuple, valuesOf } from "./shapes.js";
import { Tape } from "./tape.js";
import { wav } from "./writers.js";

const FORMAT = "intonate-session";
// The chunk of the WAV that holds the answers: whoever plays the file passes over it.
const CHUNK = "intn";

const SCORES = list(fields({ label: TEXT, score: NUMBER }));
const TOLD = { labels: maybe(list(TEXT)), dimensions: maybe(valuesOf(NUMBER)) };
const STRETCH = both(SPAN, fields({ ...TOLD, label: TEXT, state: maybe(TEXT), scores: maybe(SCORES), raw: maybe(SCORES), level: maybe(NUMBER) }));
const ANSWER = fields({ ...TOLD, label: TEXT, scores: SCORES, segments: maybe(list(STRETCH)), transcript: maybe(TEXT), familiarity: maybe(NUMBER) });
const FILE_ANSWER = both(ANSWER, fields({ file: maybe(TEXT), model: maybe(TEXT) }));
const FINAL = both(SPAN, fields({ model: TEXT, transcript: maybe(TEXT), familiarity: maybe(NUMBER) }));
const SESSION = fields({
  format: exactly(FORMAT), version: exactly(1), kind: TEXT, name: TEXT, models: list(TEXT, 1), labels: list(TEXT), thresholds: maybe(valuesOf(NUMBER)),
  windowS: NUMBER, stretches: list(tuple(TEXT, list(STRETCH))), overall: list(tuple(TEXT, ANSWER)), finals: list(tuple(TEXT, FINAL)),
});

/** A WAV that every player plays, with all that was answered and labelled in a chunk of its own. */
export function sessionFile(session) {
  const { kind, name, models, labels, thresholds, windowS, timelines, overall, finals, given } = session;
  const stretches = [...timelines].map(([model, timeline]) => [
    model,
    timeline.stretches.map(({ eventStart, end, state, label, labels, scores, raw, level, dimensions }) => ({ start: eventStart, end, state, label, labels, scores, raw, level, dimensions })),
  ]);
  const answers = { format: FORMAT, version: 1, kind, name, models, labels, thresholds, windowS, stretches, overall: [...overall], finals: [...finals], given: [...given] };
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

/** The chunks of a WAV, {name: {at, size, promised}} in bytes: where each begins, its size and what it should be; undefined in any other file. */
export function chunksOf(buffer) {
  const view = new DataView(buffer);
  const word = (at) => String.fromCharCode(...new Uint8Array(buffer, at, 4));
  if (buffer.byteLength < 12 || word(0) !== "RIFF" || word(8) !== "WAVE") return undefined;
  const chunks = {};
  for (let at = 12; at + 8 <= buffer.byteLength; ) {
    const promised = view.getUint32(at + 4, true);
    const size = Math.min(promised, buffer.byteLength - at - 8);
    chunks[word(at)] ??= { at: at + 8, size, promised };
    at += 8 + size + (size % 2);
  }
  return chunks;
}

/** The session in a WAV that was saved with `sessionFile`; undefined in any other file. Throws where its answers are damaged. */
export function fromWav(buffer) {
  const chunks = chunksOf(buffer);
  if (!chunks?.[CHUNK]) return undefined;
  const { "fmt ": format, data, [CHUNK]: chunk } = chunks;
  const answers = parse(new TextDecoder().decode(new Uint8Array(buffer, chunk.at, chunk.size)));
  const rate = format?.size >= 16 && new DataView(buffer).getUint32(format.at + 4, true);
  if (!rate || !data || answers === undefined) throw new Error("they are cut off or overwritten");
  SESSION(answers, "");
  const tape = new Tape(rate);
  tape.append(new Int16Array(buffer.slice(data.at, data.at + data.size - (data.size % 2))));
  const session = newSession({ ...answers, tape, isKept: true });
  session.windowS = answers.windowS;
  for (const [model, stretches] of answers.stretches) {
    for (const stretch of stretches) session.timelines.get(model)?.add(stretch, answers.windowS);
  }
  session.overall = new Map(answers.overall);
  session.finals = new Map(answers.finals);
  session.pieces = cut(seconds(session));
  list(tuple(below(session.pieces.length), TEXT))(answers.given, "given");
  session.given = new Map(answers.given);
  return session;
}

/**
 * The sessions in a JSON of answers: what this page saves and `intonate predict --format json` writes;
 * without sound. Throws one sentence where it is something else.
 */
export function fromJson(text) {
  const found = [parse(text)].flat().filter((answer) => Array.isArray(answer?.scores) && Array.isArray(answer?.segments));
  if (!found.length) throw new Error("This JSON holds no answers of intonate: choose one that was saved here, or by “intonate predict”.");
  try {
    for (const answer of found) FILE_ANSWER(answer, answer.file ?? "");
  } catch (error) {
    throw new Error(`These answers are damaged: ${error.message}`, { cause: error });
  }
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
