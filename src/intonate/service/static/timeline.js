/** One model's answers in the order of time, without overlap. Pure: no page, no clock. */

// Two times closer than this are one (events carry milliseconds).
const SAME_S = 0.002;

/**
 * A stretch: {start, end, windowStart, state, label, score, scores, raw}, times in seconds; `scores` best first.
 * Windows overlap (2 s every 0.5 s); a stretch begins where the one before it ends, so that each moment has one answer.
 */
export class Timeline {
  stretches = [];

  /** Take an event of the stream. A resumed session may say a thing twice: the newest word wins. */
  add({ start, end, state, label, scores = [], raw = [], level }, windowS = 0) {
    const at = this.#firstEndingAfter(end - SAME_S);
    const stretch = {
      start, end, label, scores, raw, level,
      eventStart: start,
      windowStart: windowS ? end - windowS : start,
      state: state ?? (label === "silence" || label === "noise" ? label : "speech"),
      score: scores[0]?.score ?? 0,
    };
    const repeats = this.stretches[at] && Math.abs(this.stretches[at].end - end) < SAME_S;
    this.stretches.splice(at, repeats ? 1 : 0, stretch);
    for (const index of [at, at + 1]) this.#settle(index);
    return stretch;
  }

  /** Where the last answer ends, seconds. */
  get end() {
    return this.stretches.at(-1)?.end ?? 0;
  }

  /** The stretch that covers a moment, or undefined. */
  at(timeS) {
    const stretch = this.stretches[this.#firstEndingAfter(timeS)];
    return stretch && stretch.start <= timeS ? stretch : undefined;
  }

  /** The stretches that touch [startS, endS). */
  between(startS, endS) {
    const found = [];
    for (let at = this.#firstEndingAfter(startS); at < this.stretches.length; at++) {
      if (this.stretches[at].start >= endS) break;
      found.push(this.stretches[at]);
    }
    return found;
  }

  /** Neighbours with one label joined: {start, end, label, speech, score, scores}, scores weighted by length. */
  runs(stretches = this.stretches) {
    const runs = [];
    for (const stretch of stretches) {
      const last = runs.at(-1);
      const speech = stretch.state === "speech";
      const same = last && last.label === stretch.label && last.speech === speech;
      if (same && stretch.start - last.end < SAME_S) {
        last.end = stretch.end;
        last.parts.push(stretch);
      } else {
        runs.push({ start: stretch.start, end: stretch.end, label: stretch.label, speech, parts: [stretch] });
      }
    }
    return runs.map(({ parts, ...run }) => ({ ...run, ...weighted(parts) }));
  }

  #settle(index) {
    const stretch = this.stretches[index];
    if (!stretch) return;
    const before = this.stretches[index - 1];
    stretch.start = before && before.end > stretch.eventStart ? before.end : stretch.eventStart;
  }

  #firstEndingAfter(timeS) {
    let low = 0, high = this.stretches.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.stretches[middle].end > timeS) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}

/** The mean of several stretches' scores, weighted by their lengths (or by the lengths given): {score, scores}. */
export function weighted(stretches, lengths = stretches.map(({ start, end }) => end - start)) {
  const total = lengths.reduce((sum, length) => sum + length, 0) || 1;
  const sums = new Map();
  stretches.forEach(({ scores }, index) => {
    for (const { label, score } of scores) sums.set(label, (sums.get(label) ?? 0) + (score * lengths[index]) / total);
  });
  const scores = sorted([...sums].map(([label, score]) => ({ label, score })));
  return { score: scores[0]?.score ?? 0, scores };
}

/** What every answer says: `label`, which is `unsure` where the model abstained, and its best `guess` all the same. */
export function labelled({ label, scores }) {
  const abstained = label === "unsure";
  return { label, guess: abstained ? (scores[0]?.label ?? label) : label, abstained };
}

/** Scores, best first. */
export function sorted(scores) {
  return [...scores].sort((a, b) => b.score - a.score);
}

/** A stretch in words: "angry, 61 % sure". */
export function inWords(stretch) {
  if (!stretch) return "nothing heard yet";
  if (stretch.state === "silence" || stretch.label === "silence") return "silence";
  if (stretch.state === "noise" || stretch.label === "noise") return "noise, no speech";
  const sure = `${percent(stretch.score)} sure`;
  const best = stretch.scores[0]?.label;
  if (stretch.label !== "unsure") return `${stretch.label}, ${sure}`;
  return best && best !== "unsure" ? `unsure, closest is ${best}, ${percent(stretch.score)}` : "unsure";
}

/** 0.614 -> "61 %" (with a space that does not break). */
export function percent(share) {
  return `${Math.round(share * 100)}\u00a0%`;
}

/** Seconds as a clock: 72.4 -> "1:12", with `tenths` "1:12.4". */
export function clock(seconds, tenths = false) {
  const scale = tenths ? 10 : 1;
  const whole = tenths ? Math.round(seconds * 10) : Math.floor(seconds + 1e-6);
  const s = (whole / scale) % 60;
  const minutes = Math.floor(whole / scale / 60);
  const padded = (tenths ? s.toFixed(1) : String(Math.floor(s))).padStart(tenths ? 4 : 2, "0");
  const hours = Math.floor(minutes / 60);
  return hours ? `${hours}:${String(minutes % 60).padStart(2, "0")}:${padded}` : `${minutes}:${padded}`;
}
