/** A session: a stretch of sound and what every model said about it. Pure. */

import { heardAs, isVoice, labelled, scoreOf, Timeline, weighted } from "./timeline.js";

/**
 * @param kind `live` or `file`.
 * @param tape the sound, or undefined where it cannot be played here.
 * @param models names, in the order of their ribbons.
 * @param labels what the models can answer, together.
 * @param thresholds {model: the score under which its best label is `unsure`}, as far as they are known.
 * @param isKept whether it can be had again without saving it: a file can.
 */
export function newSession({ kind, name, tape, models, labels, thresholds = {}, isKept = kind === "file" }) {
  return {
    kind, name, tape, models, labels, thresholds, isKept, hasNewLabels: false,
    timelines: new Map(models.map((model) => [model, new Timeline()])),
    overall: new Map(),
    finals: new Map(),
    given: new Map(),
    windowS: 0,
  };
}

/** Whether something of it would be lost with it: sound that is nowhere else, or a person's labels. */
export function isAtRisk({ isKept, hasNewLabels }) {
  return !isKept || hasNewLabels;
}

/** What one model said for how long: [[label, seconds]], longest first, what is no speech last. */
export function secondsPerLabel(session, model) {
  const sums = new Map();
  for (const stretch of session.timelines.get(model).stretches) {
    const name = heardAs(stretch);
    sums.set(name, (sums.get(name) ?? 0) + stretch.end - stretch.start);
  }
  return [...sums].sort(([a, x], [b, y]) => isVoice(b) - isVoice(a) || y - x);
}

export function seconds(session) {
  const heard = Math.max(0, ...[...session.timelines.values()].map((timeline) => timeline.end));
  return Math.max(heard, session.tape?.seconds ?? 0);
}

/** Take an event of the stream; returns the stretch of a segment. */
export function take(session, event) {
  const model = session.timelines.has(event.model) ? event.model : session.models[0];
  const key = `${model} ${event.start?.toFixed(1)}`;
  if (event.type === "final") session.finals.set(key, { ...event, model });
  else if (event.type === "transcript") session.finals.set(key, { ...session.finals.get(key), ...event, type: "final", model });
  else return session.timelines.get(model).add(event, session.windowS);
}

/** Take one model's answer to a file. */
export function takePrediction(session, model, prediction) {
  const segments = prediction.segments?.length ? prediction.segments : [];
  for (const segment of segments) session.timelines.get(model).add(segment);
  session.overall.set(model, prediction);
  for (const { label } of [prediction, ...segments].flatMap(({ scores }) => scores ?? [])) if (!session.labels.includes(label)) session.labels.push(label);
}

/** What one model says about all of it: {label, score, scores, state, familiarity}; undefined before it said anything. */
export function overall(session, model) {
  const timeline = session.timelines.get(model);
  const prediction = session.overall.get(model);
  if (prediction) {
    const { label, labels, scores, dimensions } = prediction;
    const state = isVoice(label) ? "speech" : label;
    const shown = { label, labels, state, scores, dimensions, familiarity: prediction.familiarity };
    return { ...shown, score: scoreOf(shown) };
  }
  if (!timeline.stretches.length) return undefined;
  const spoken = timeline.stretches.filter((stretch) => isVoice(heardAs(stretch)));
  if (!spoken.length) return { label: "silence", state: "silence", scores: [], score: 0 };
  const { scores, dimensions } = weighted(spoken);
  // The best of the mean, or unsure, as in a file; where no threshold is known, unsure where that was shown for longest.
  const held = new Map();
  for (const { label, start, end } of spoken) held.set(label, (held.get(label) ?? 0) + end - start);
  const [longest] = [...held].sort((a, b) => b[1] - a[1])[0];
  const threshold = session.thresholds[model];
  const abstains = threshold == null ? longest === "unsure" : scores[0]?.score < threshold;
  const label = abstains ? "unsure" : (scores[0]?.label ?? longest);
  const labels = lasting(abstains ? [] : spoken, timeline);
  const score = scoreOf({ label, scores });
  return { label, labels, state: "speech", scores, score, dimensions, familiarity: familiarity(session, model) };
}

/** The labels that were there for half of the speech, of a model that may give several at once; else undefined. */
function lasting(spoken, { stretches }) {
  if (!stretches.some(({ labels }) => labels)) return undefined;
  const total = spoken.reduce((sum, { start, end }) => sum + end - start, 0), held = new Map();
  for (const { labels = [], start, end } of spoken) for (const label of labels) held.set(label, (held.get(label) ?? 0) + end - start);
  return [...held].filter(([, seconds]) => seconds >= total / 2).sort((a, b) => b[1] - a[1]).map(([label]) => label);
}

/** How much the utterances are like what a model learnt from, 0 to 1, weighted by length; undefined where it does not tell. */
function familiarity(session, model) {
  const known = [...session.finals.values()].filter((final) => final.model === model && final.familiarity != null);
  const total = known.reduce((sum, { start, end }) => sum + end - start, 0);
  return total ? known.reduce((sum, final) => sum + (final.familiarity * (final.end - final.start)) / total, 0) : undefined;
}

/** What was said, where a model writes it down: [{start, end, text}]. */
export function transcript(session) {
  const lines = [...session.finals.values()]
    .filter(({ transcript: text }) => text)
    .map(({ start, end, transcript: text }) => ({ start, end, text }));
  const whole = [...session.overall.values()].find(({ transcript: text }) => text);
  if (whole) lines.push({ start: 0, end: seconds(session), text: whole.transcript });
  const first = new Map(lines.map((line) => [`${line.start.toFixed(1)} ${line.text}`, line]));
  return [...first.values()].sort((a, b) => a.start - b.start);
}

/** The session as `writers.js` wants it, one entry per model. */
export function answers(session) {
  const text = transcript(session).map((line) => line.text).join(" ");
  return session.models.map((model) => {
    const whole = overall(session, model) ?? { label: "silence", scores: [] };
    const runs = session.timelines.get(model).runs();
    const { scores, dimensions, familiarity } = whole;
    return { file: session.name, model, ...labelled(whole), scores, dimensions, runs, transcript: text, familiarity };
  });
}
