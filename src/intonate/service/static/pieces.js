/** A recording cut into pieces that a person labels, and what the models said about each. Pure. */

import { both, fields, list, SPAN, TEXT } from "./shapes.js";

// Length of a piece, as in the real-time test of the bilingual system (P4), seconds.
const PIECE_S = 2;
// A last piece shorter than this is too short to judge and is left out, seconds.
const SHORTEST_S = 0.5;
// A piece with less speech than this is silent, seconds (`recognizer/timeline.py`).
const SHORTEST_SPEECH_S = 0.3;
const FORMAT = "intonate-labels";

/** The pieces of a recording: [{start, end}], seconds. */
export function cut(durationS, pieceS = PIECE_S) {
  const pieces = [];
  for (let start = 0; start + SHORTEST_S <= durationS + 1e-6; start += pieceS) {
    pieces.push({ start, end: Math.min(start + pieceS, durationS) });
  }
  return pieces;
}

/**
 * What a model said about a piece, as the ribbon shows it: {speech, label}, the label that stands there for longest,
 * which may be `unsure`.
 */
export function answerTo(timeline, { start, end }) {
  const held = new Map();
  let heard = 0;
  for (const stretch of timeline.between(start, end)) {
    if (stretch.state !== "speech") continue;
    const length = Math.min(stretch.end, end) - Math.max(stretch.start, start);
    held.set(stretch.label, (held.get(stretch.label) ?? 0) + length);
    heard += length;
  }
  const speech = heard >= Math.min(SHORTEST_SPEECH_S, (end - start) / 2);
  const [longest] = [...held].sort((a, b) => b[1] - a[1]);
  return { speech, label: speech ? longest[0] : "silence" };
}

/**
 * The pairs to be scored: [{truth, answer}].
 *
 * @param labels Map of piece index to label; `silence` is a label too.
 * @param leaveOut leave out the pieces that the person called neutral, and those that either side called silent.
 * @param merge a table of `metrics.MERGES`, or undefined.
 */
export function pairs(pieces, labels, timeline, { leaveOut = true, merge } = {}) {
  const found = [];
  for (const [index, label] of [...labels].sort(([a], [b]) => a - b)) {
    const { speech, label: answer } = answerTo(timeline, pieces[index]);
    if (leaveOut && (label === "neutral" || label === "silence" || !speech)) continue;
    const truth = label === "silence" ? label : merge ? merge[label] : label;
    if (!truth) continue;
    found.push({ truth, answer: merge && speech && answer !== "unsure" ? (merge[answer] ?? "other") : answer });
  }
  return found;
}

/** The labels as a file. */
export function save(pieces, labels, file, durationS) {
  const rows = [...labels].sort(([a], [b]) => a - b).map(([index, label]) => ({ ...pieces[index], label }));
  return JSON.stringify({ format: FORMAT, version: 1, file, duration: durationS, piece: PIECE_S, labels: rows }, null, 2);
}

/** The labels from a file, for these pieces. Throws one sentence where they do not fit. */
export function load(text, pieces) {
  let saved;
  try {
    saved = JSON.parse(text);
  } catch {
    throw new Error("This file is not JSON: choose one that was saved with “Save labels”.");
  }
  if (saved?.format !== FORMAT || !Array.isArray(saved.labels)) {
    throw new Error("This file holds no labels: choose one that was saved with “Save labels”.");
  }
  try {
    list(both(SPAN, fields({ label: TEXT })))(saved.labels, "labels");
  } catch (error) {
    throw new Error(`These labels are damaged: ${error.message}.`, { cause: error });
  }
  const labels = new Map();
  for (const { start, end, label } of saved.labels) {
    const index = pieces.findIndex((piece) => Math.abs(piece.start - start) < 0.01 && Math.abs(piece.end - end) < 0.05);
    if (index < 0) {
      throw new Error(`These labels belong to another recording: it has no piece from ${start} to ${end} s.`);
    }
    labels.set(index, label);
  }
  return labels;
}
