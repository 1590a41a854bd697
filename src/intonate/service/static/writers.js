/** A session as files: WAV, JSON, CSV, SRT, in the shapes that `intonate predict` writes. Pure. */

import { labelled, percents } from "./timeline.js";

/** 16-bit mono WAV (RIFF, 44-byte header) as an ArrayBuffer. */
export function wav(samples, rate) {
  const bytes = samples.length * 2;
  const view = new DataView(new ArrayBuffer(44 + bytes));
  const word = (at, text) => [...text].forEach((letter, i) => view.setUint8(at + i, letter.charCodeAt(0)));
  word(0, "RIFF");
  view.setUint32(4, 36 + bytes, true);
  word(8, "WAVEfmt ");
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true); // PCM
  view.setUint16(22, 1, true); // one channel
  view.setUint32(24, rate, true);
  view.setUint32(28, rate * 2, true); // bytes per second
  view.setUint16(32, 2, true); // bytes per frame
  view.setUint16(34, 16, true); // bits per sample
  word(36, "data");
  view.setUint32(40, bytes, true);
  for (let i = 0; i < samples.length; i++) view.setInt16(44 + 2 * i, samples[i], true);
  return view.buffer;
}

/** One object for one model, an array for several. */
export function json(answers) {
  const shaped = answers.map(({ file, model, label, labels, guess, abstained, scores, dimensions, runs, transcript, familiarity }) => ({
    file,
    label,
    guess,
    abstained,
    ...(labels && { labels }),
    scores,
    ...numbers(dimensions),
    segments: runs.map((run) => ({
      start: round(run.start), end: round(run.end), ...labelled(run), score: round(run.score, 6), scores: run.scores,
      ...numbers(run.dimensions),
    })),
    transcript,
    model,
    ...(familiarity == null ? {} : { familiarity: round(familiarity, 3) }),
  }));
  return JSON.stringify(shaped.length === 1 ? shaped[0] : shaped, null, 2) + "\n";
}

/** `dimensions`, where there are any. */
function numbers(dimensions) {
  if (!dimensions) return {};
  return { dimensions: Object.fromEntries(Object.entries(dimensions).map(([name, value]) => [name, round(value, 6)])) };
}

/** A row per segment, a column per label, and behind them one per dimension; `labels` where there may be several at once. */
export function csv(answers, labels) {
  const names = [...new Set(answers.flatMap(({ runs }) => runs.flatMap(({ dimensions }) => Object.keys(dimensions ?? {}))))];
  const several = answers.some(({ runs }) => runs.some((run) => run.labels));
  const head = ["file", "start", "end", "label", "guess", "abstained", "score", ...(several ? ["labels"] : []), ...labels, ...names, "transcript", "model"];
  const rows = answers.flatMap(({ file, model, runs, transcript }) =>
    runs.map((run) => {
      const scores = new Map(run.scores.map(({ label, score }) => [label, score.toFixed(6)]));
      const { label, guess, abstained } = labelled(run);
      const times = [run.start.toFixed(3), run.end.toFixed(3)];
      const fixed = [file, ...times, label, guess, String(abstained), run.speech ? run.score.toFixed(6) : ""];
      const told = names.map((name) => run.dimensions?.[name]?.toFixed(6) ?? "");
      const all = several ? [(run.labels ?? []).join("; ")] : [];
      return [...fixed, ...all, ...labels.map((label) => scores.get(label) ?? ""), ...told, transcript, model];
    }),
  );
  return [head, ...rows].map((row) => row.map(cell).join(",") + "\n").join("");
}

/** Subtitles: a cue per segment with speech; several models share the cue's lines. */
export function srt(answers) {
  const several = answers.length > 1;
  const cues = answers.flatMap(({ model, runs }) =>
    runs.filter(({ speech }) => speech).map((run) => ({ ...run, text: (several ? `${model}: ` : "") + words(run) })),
  );
  cues.sort((a, b) => a.start - b.start);
  return cues.map((cue, i) => `${i + 1}\n${srtTime(cue.start)} --> ${srtTime(cue.end)}\n${cue.text}\n\n`).join("");
}

function words({ label, labels = [], score, scores, dimensions }) {
  if (labels.length > 1) return percents({ labels, scores }).replaceAll("\u00a0", "");
  if (!scores.length && dimensions) return Object.entries(dimensions).map(([name, value]) => `${name} ${value.toFixed(2)}`).join(", ");
  const best = scores[0] ? `${scores[0].label} ${Math.round(scores[0].score * 100)}%` : "";
  if (label === "unsure") return best ? `unsure (${best})` : "unsure";
  return `${label} ${Math.round(score * 100)}%`;
}

function cell(value) {
  // A leading sign of a formula is made text, so that a spreadsheet never runs what someone named a file.
  const text = String(value ?? "").replace(/^([=+@])/, "'$1");
  return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** `00:01:02,500`. */
function srtTime(seconds) {
  const ms = Math.round(seconds * 1000);
  const two = (n) => String(n).padStart(2, "0");
  const clock = [ms / 3_600_000, (ms / 60_000) % 60, (ms / 1000) % 60].map((n) => two(Math.floor(n))).join(":");
  return `${clock},${String(ms % 1000).padStart(3, "0")}`;
}

function round(value, digits = 3) {
  return Number(value.toFixed(digits));
}
