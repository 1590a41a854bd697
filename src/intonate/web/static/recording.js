/** The answer to a recording, as `Recognizer.predict` gives it: whole if it is short, else window by window. Pure. */

import { clean } from "./clean.js";
import {
  count, hasSpeech, HOP_S, LEAST_SPEECH_S, LEAST_WITH_HANGOVER_S, levelDbfs, speechFrames, unvoicedLabel,
} from "./energy.js";

/**
 * @param samples Float32Array at the model's rate.
 * @param model an entry of models.json.
 * @param run `async (samples, moments) => {scores, moments}`: the graph; moments undefined for nothing heard before.
 * @param between awaited before each window; it may throw, to stop.
 * @returns {label, guess, scores: [{label, score}], segments, abstained, warnings}, as the service's JSON.
 */
export async function predictRecording(samples, model, run, between = async () => {}) {
  const rate = model.sample_rate_hz;
  if (samples.length <= model.pool.longest_s * rate) return wholeAnswer(samples, model, run);
  const windows = await answeredWindows(samples, model, run, between);
  const segments = segmentsOf(windows, model);
  const answered = windows.filter(({ scores }) => scores).map(({ scores }) => scores);
  const mean = answered.length ? average(answered) : undefined;
  const scores = mean ? listed(model.labels, mean) : [];
  const abstained = isUnsure(scores, model), guess = scores[0]?.label ?? overallUnvoiced(segments);
  return { label: abstained ? "unsure" : guess, guess, scores, segments, abstained, warnings: [] };
}

async function wholeAnswer(samples, model, run) {
  const rate = model.sample_rate_hz, end = samples.length / rate;
  if (!hasSpeech(samples, rate)) {
    const label = unvoicedLabel(levelDbfs(samples));
    const segments = [{ start: 0, end, label, scores: [], score: 0 }];
    return { label, guess: label, scores: [], segments, abstained: false, warnings: [] };
  }
  const sound = clean(samples, rate, model.clean);
  const scores = listed(model.labels, (await run(sound)).scores);
  const abstained = sound.length / rate < model.unsure_below_s || isUnsure(scores, model);
  const label = abstained ? "unsure" : scores[0].label;
  const segments = [{ start: 0, end, label, scores, score: scores[0].score }];
  return { label, guess: scores[0].label, scores, segments, abstained, warnings: [] };
}

/** [start, end) in samples: `audio/segments.windows`. */
export function windowCuts(samples, rate, pool) {
  const window = Math.round(pool.window_s * rate), hop = Math.round(pool.hop_s * rate);
  const starts = [];
  for (let start = 0; start < samples - window; start += hop) starts.push(start);
  starts.push(Math.max(0, samples - window));
  return starts.map((start) => [start, Math.min(samples, start + window)]);
}

/** Overlapping windows hold the same speech twice: only those that begin after the last counted one are remembered. */
async function answeredWindows(samples, model, run, between) {
  const rate = model.sample_rate_hz;
  let moments, countedEnd = 0;
  const windows = [];
  for (const [start, end] of windowCuts(samples.length, rate, model.pool)) {
    await between(start / samples.length);
    const sound = samples.subarray(start, end);
    const speech = speechFrames(sound, rate);
    const window = { start: start / rate, end: end / rate, speech, level: levelDbfs(sound) };
    if (count(speech) * HOP_S >= LEAST_WITH_HANGOVER_S) {
      const answer = await run(clean(sound, rate, model.clean), moments);
      window.scores = answer.scores;
      if (start >= countedEnd) [moments, countedEnd] = [answer.moments, end];
    }
    windows.push(window);
  }
  return windows;
}

/** The timeline: `recognizer/timeline.py`. */
export function segmentsOf(windows, model) {
  const hop = model.pool.hop_s, duration = windows.at(-1).end;
  const stretches = Math.max(1, Math.round(duration / hop));
  const segments = [];
  for (let index = 0; index < stretches; index++) {
    const start = index * hop, end = index + 1 < stretches ? (index + 1) * hop : duration;
    const covering = windows.filter((window) => window.start < end && window.end > start);
    const answered = covering.filter(({ scores }) => scores).map(({ scores }) => scores);
    const spoken = answered.length && covering.some((window) => speaksWithin(window, start, end));
    const mean = spoken ? average(answered) : undefined;
    const scores = mean ? listed(model.labels, mean) : [];
    const label = mean ? (isUnsure(scores, model) ? "unsure" : scores[0].label) : unvoiced(covering);
    const last = segments.at(-1);
    if (last?.label === label) {
      last.end = end;
      last.parts.push([mean, end - start]);
    } else segments.push({ start, end, label, parts: [[mean, end - start]] });
  }
  return segments.map(({ parts, ...segment }) => {
    const means = parts.filter(([mean]) => mean);
    const scores = means.length ? listed(model.labels, average(means.map(([mean]) => mean), means.map(([, length]) => length))) : [];
    return { ...segment, scores, score: scores[0]?.score ?? 0 };
  });
}

function speaksWithin(window, start, end) {
  const perS = window.speech.length / Math.max(window.end - window.start, 1e-9);
  const [first, last] = [start, end].map((time) => Math.max(0, Math.round((time - window.start) * perS)));
  const frames = window.speech.subarray(first, last);
  return count(frames) >= Math.min(LEAST_SPEECH_S * perS, Math.max(1, frames.length));
}

const unvoiced = (covering) =>
  unvoicedLabel(Math.max(-Infinity, ...covering.filter(({ speech }) => !speech.includes(1)).map(({ level }) => level)));

function overallUnvoiced(segments) {
  const noise = segments.filter(({ label }) => label === "noise").reduce((sum, { start, end }) => sum + end - start, 0);
  return noise > (segments.at(-1).end - segments[0].start) / 2 ? "noise" : "silence";
}

const isUnsure = (scores, model) => scores.length > 0 && scores[0].score < model.abstain_below;

/** Means of rows, weighted. */
function average(rows, weights = rows.map(() => 1)) {
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return Float64Array.from(rows[0], (_, i) => rows.reduce((sum, row, at) => sum + row[i] * weights[at], 0) / total);
}

/** [{label, score}], best first. */
export function listed(labels, scores) {
  return labels.map((label, i) => ({ label, score: scores[i] })).sort((a, b) => b.score - a.score);
}
