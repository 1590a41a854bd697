/** The answer to a recording, as `Recognizer.predict` gives it: whole if it is short, else window by window. Pure. */

import { clean } from "./clean.js";
import {
  count, hasSpeech, HOP_S, LEAST_SPEECH_S, LEAST_WITH_HANGOVER_S, levelDbfs, speechFrames, unvoicedLabel,
} from "./energy.js";

// Where a model that has no labels hears somebody.
export const SPEECH = "speech";

/**
 * @param samples Float32Array at the model's rate.
 * @param model an entry of models.json.
 * @param run `async (samples, moments) => {scores, moments}`: the graph; its scores are those of the labels and, behind
 *   them, the dimensions; moments undefined for nothing heard before.
 * @param between awaited before each window; it may throw, to stop.
 * @returns {label, guess, scores: [{label, score}], segments, abstained}, as the service's JSON.
 */
export async function predictRecording(samples, model, run, between = async () => {}) {
  const rate = model.sample_rate_hz;
  if (samples.length <= model.pool.longest_s * rate) return wholeAnswer(samples, model, run);
  const windows = await answeredWindows(samples, model, run, between);
  const segments = segmentsOf(windows, model);
  const answered = windows.filter(({ scores }) => scores).map(({ scores }) => scores);
  const whole = answered.length ? answerOf(average(answered), model) : unspoken(overallUnvoiced(segments), model);
  return { ...whole, segments };
}

async function wholeAnswer(samples, model, run) {
  const rate = model.sample_rate_hz, end = samples.length / rate;
  if (!hasSpeech(samples, rate)) {
    const answer = unspoken(unvoicedLabel(levelDbfs(samples)), model);
    return { ...answer, segments: [segment(0, end, answer)] };
  }
  const sound = clean(samples, rate, model.clean);
  // Of what is too short nothing is ever sure.
  const threshold = sound.length / rate < model.unsure_below_s ? Infinity : model.abstain_below;
  const answer = answerOf((await run(sound)).scores, model, threshold);
  return { ...answer, segments: [segment(0, end, answer)] };
}

/** What scores and dimensions say, as `recognizer/answer.py`; under `threshold` the best label is no answer. */
function answerOf(values, model, threshold = model.abstain_below) {
  const scores = listed(model.labels, values);
  const abstained = scores.length > 0 && scores[0].score < threshold;
  const guess = scores[0]?.label ?? SPEECH;
  const dimensions = dimensionsOf(values, model);
  return { label: abstained ? "unsure" : guess, guess, abstained, ...labelsOf(scores, model, threshold), scores, ...(dimensions && { dimensions }) };
}

const unspoken = (label, model) => ({ label, guess: label, abstained: false, ...labelsOf([], model), scores: [] });

const segment = (start, end, { label, labels, scores, dimensions }) =>
  ({ start, end, label, ...(labels && { labels }), scores, score: scores[0]?.score ?? 0, ...(dimensions && { dimensions }) });

/** {labels}: all that are likely enough, of a model that may give several at once; {} of another. */
export function labelsOf(scores, model, threshold = model.abstain_below) {
  return model.multi_label ? { labels: scores.filter(({ score }) => score >= threshold).map(({ label }) => label) } : {};
}

/** {name: 0 to 1} behind the labels, or undefined. */
export function dimensionsOf(values, { labels, dimensions = [] }) {
  return dimensions.length ? Object.fromEntries(dimensions.map((name, i) => [name, values[labels.length + i]])) : undefined;
}

/** [start, end) in samples: `audio/segments.windows`. */
function windowCuts(samples, rate, pool) {
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
function segmentsOf(windows, model) {
  const hop = model.pool.hop_s, duration = windows.at(-1).end;
  const stretches = Math.max(1, Math.round(duration / hop));
  const segments = [];
  for (let index = 0; index < stretches; index++) {
    const start = index * hop, end = index + 1 < stretches ? (index + 1) * hop : duration;
    const covering = windows.filter((window) => window.start < end && window.end > start);
    const answered = covering.filter(({ scores }) => scores).map(({ scores }) => scores);
    const spoken = answered.length && covering.some((window) => speaksWithin(window, start, end));
    const mean = spoken ? average(answered) : undefined;
    const { label, labels } = mean ? answerOf(mean, model) : unspoken(unvoiced(covering), model);
    const key = JSON.stringify([label, [...(labels ?? [])].sort()]);
    const last = segments.at(-1);
    // Of a model without labels every stretch stays by itself: its numbers move.
    if (last?.key === key && label !== SPEECH) {
      last.end = end;
      last.parts.push([mean, end - start]);
    } else segments.push({ start, end, key, label, parts: [[mean, end - start]] });
  }
  return segments.map(({ start, end, label, parts }) => {
    const means = parts.filter(([mean]) => mean);
    const answer = means.length ? answerOf(average(means.map(([mean]) => mean), means.map(([, length]) => length)), model) : unspoken(label, model);
    return segment(start, end, { ...answer, label });
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

/** Means of rows, weighted. */
function average(rows, weights = rows.map(() => 1)) {
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return Float64Array.from(rows[0], (_, i) => rows.reduce((sum, row, at) => sum + row[i] * weights[at], 0) / total);
}

/** [{label, score}], best first. */
export function listed(labels, scores) {
  return labels.map((label, i) => ({ label, score: scores[i] })).sort((a, b) => b.score - a.score);
}
