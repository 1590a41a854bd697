/** One model's answers in the order of time, without overlap. Pure: no page, no clock. */

// The label of speech that a model without labels hears.
const SPEECH = "speech";

// Two times closer than this are one (events carry milliseconds).
const SAME_S = 0.002;
// Two decoders may differ by as much about where a recording ends, seconds.
const END_S = 0.1;

/**
 * A stretch: {start, end, windowStart, state, label, labels, score, scores, raw, dimensions}, times in seconds; `scores`
 * best first, `dimensions` {name: 0 to 1} or undefined, `labels` of a model that may give several at once, else undefined.
 * Windows overlap (2 s every 0.5 s); a stretch begins where the one before it ends, so that each moment has one answer.
 */
export class Timeline {
  stretches = [];
  // The names of the numbers that were told.
  dimensions = [];
  // Whether any answer had labels.
  hasScores = false;

  /** The way through the numbers up to a moment: the stretches of speech that have any, the newest last. */
  trail(untilS = Infinity, fromS = -Infinity) {
    return this.stretches.filter(({ dimensions, state, start }) => dimensions && state === SPEECH && start < untilS && start >= fromS);
  }

  /** Take an event of the stream. A resumed session may say a thing twice: the newest word wins. */
  add({ start, end, state, label, labels, scores = [], raw = [], level, dimensions }, windowS = 0) {
    const at = this.#firstEndingAfter(end - SAME_S);
    const stretch = {
      start, end, label, labels, scores, raw, level, dimensions,
      eventStart: start,
      windowStart: windowS ? end - windowS : start,
      state: state ?? (isVoice(label) ? "speech" : label),
      score: scoreOf({ label, scores }),
    };
    for (const name of Object.keys(dimensions ?? {})) if (!this.dimensions.includes(name)) this.dimensions.push(name);
    this.hasScores ||= scores.length > 0;
    const repeats = this.stretches[at] && Math.abs(this.stretches[at].end - end) < SAME_S;
    this.stretches.splice(at, repeats ? 1 : 0, stretch);
    for (const index of [at, at + 1]) this.#settle(index);
    return stretch;
  }

  /** Where the last answer ends, seconds. */
  get end() {
    return this.stretches.at(-1)?.end ?? 0;
  }

  /** The stretch that covers a moment, or undefined; the end belongs to the last one. */
  at(timeS) {
    const stretch = this.stretches[this.#firstEndingAfter(timeS)] ?? (timeS < this.end + END_S ? this.stretches.at(-1) : undefined);
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

  /**
   * Neighbours with one label joined: {start, end, label, speech, score, scores, dimensions}, weighted by length. Speech
   * without a label is not joined: its numbers move. While nobody speaks nothing is claimed, though a label may be held.
   */
  runs(stretches = this.stretches) {
    const runs = [];
    for (const stretch of stretches) {
      const last = runs.at(-1);
      const { start, end } = stretch, label = heardAs(stretch), speech = isVoice(label);
      const labels = stretch.labels && (speech ? stretch.labels : []);
      const same = last && nameOf(last) === nameOf({ label, labels }) && label !== SPEECH;
      if (same && start - last.end < SAME_S) {
        last.end = end;
        last.parts.push(stretch);
      } else {
        runs.push({ start, end, label, ...(labels && { labels }), speech, parts: [stretch] });
      }
    }
    return runs.map(({ parts, ...run }) => {
      const mean = weighted(run.speech ? parts : []);
      return { ...run, score: scoreOf({ ...run, ...mean }), ...mean };
    });
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

/** What a stretch is told as: its label, or what is heard where nobody speaks. */
export function heardAs({ label, state }) {
  return state === "speech" ? label : state;
}

/** Whether somebody speaks where this is told. */
export function isVoice(label) {
  return label !== "silence" && label !== "noise";
}

/** The mean of several stretches' scores, weighted by their lengths (or by the lengths given): {scores, dimensions}. */
export function weighted(stretches, lengths = stretches.map(({ start, end }) => end - start)) {
  const total = lengths.reduce((sum, length) => sum + length, 0) || 1;
  const sums = new Map();
  stretches.forEach(({ scores }, index) => {
    for (const { label, score } of scores) sums.set(label, (sums.get(label) ?? 0) + (score * lengths[index]) / total);
  });
  const scores = sorted([...sums].map(([label, score]) => ({ label, score })));
  const dimensions = meanDimensions(stretches, lengths);
  return { scores, ...(dimensions && { dimensions }) };
}

/** How sure what is said is: the score of the label, which may be held while another is likelier; of `unsure`, the best one. */
export function scoreOf({ label, scores }) {
  return (scores.find((entry) => entry.label === label) ?? scores[0])?.score ?? 0;
}

/** The mean of the numbers of those stretches that have any, by length; undefined where none has. */
function meanDimensions(stretches, lengths) {
  const told = stretches.map(({ dimensions }, index) => ({ dimensions, length: lengths[index] })).filter(({ dimensions }) => dimensions);
  const total = told.reduce((sum, { length }) => sum + length, 0);
  if (!total) return undefined;
  const mean = (name) => told.reduce((sum, { dimensions, length }) => sum + ((dimensions[name] ?? 0) * length) / total, 0);
  return Object.fromEntries(Object.keys(told[0].dimensions).map((name) => [name, mean(name)]));
}

/** What every answer says: `label`, which is `unsure` where the model abstained, its best `guess`, and several `labels`. */
export function labelled({ label, labels, scores }) {
  const abstained = label === "unsure";
  return { label, guess: abstained ? (scores[0]?.label ?? label) : label, abstained, ...(labels && { labels }) };
}

/** What a stretch is called: its label, or all of them in an order that does not hop. */
export function nameOf({ label, labels = [] }) {
  return labels.length > 1 ? [...labels].sort().join(" + ") : label;
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
  const numbers = Object.entries(stretch.dimensions ?? {}).map(([name, value]) => `, ${name} ${value.toFixed(2)}`).join("");
  if (!stretch.scores.length && stretch.label === SPEECH) return `${SPEECH}${numbers}`;
  const sure = `${percent(stretch.score)} sure${numbers}`;
  const best = stretch.scores[0]?.label;
  if ((stretch.labels ?? []).length > 1) return `${percents(stretch)}${numbers}`;
  if (stretch.label !== "unsure") return `${stretch.label}, ${sure}`;
  return best && best !== "unsure" ? `unsure, closest is ${best}, ${percent(stretch.score)}` : "unsure";
}

/** All labels of a stretch with their scores: "happy 91 %, laughing 74 %". */
export function percents({ labels, scores }) {
  return scores.filter(({ label }) => labels.includes(label)).map(({ label, score }) => `${label} ${percent(score)}`).join(", ");
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
