/** A live stream: `recognizer/streaming.py` with the energy detector and without utterances' own answers. Pure. */

import { clean } from "./clean.js";
import { count, HOP_S, LEAST_WITH_HANGOVER_S, powerDbfs, speechFrames, unvoicedLabel, variance } from "./energy.js";
import { dimensionsOf, labelsOf, listed, SPEECH } from "./recording.js";
import { resample } from "./resample.js";

export const WINDOW_S = 2, STREAM_HOP_S = 0.5;
const FIRST_S = 1, TICK_S = 0.25, SMOOTHING_S = 1, SWITCH_BY = 0.1;
const SHOWN_S = 1, HELD_S = 2.5, HEARD_S = 1, PAUSE_S = 0.7;
// Longer than the resampling filter reaches back.
const CONTEXT_S = 0.1;
const SMALL = 1e-6;

export class Listener {
  #sound;
  #received = 0;
  #lastTick = 0;
  #nextTick = TICK_S;
  #nextSegment = FIRST_S;
  #activity = new Float32Array(0);
  #voiced = new Uint8Array(0);
  #segment = { start: 0, power: 0, samples: 0 };
  #countedEnd = 0;
  #moments;
  #logs;
  #label = "";
  #sure = false;
  #shown = [];
  #dimensions;
  #shownSince = -Infinity;
  #speechEnd = -Infinity;
  #pauseSince = -Infinity;
  #labelBefore = "";
  #utterance;

  /**
   * @param model an entry of models.json.
   * @param rate of the chunks, Hz.
   * @param run the graph, as in recording.js.
   */
  constructor(model, rate, run) {
    Object.assign(this, { model, rate, run });
    this.#sound = new Recent(rate, model.sample_rate_hz, WINDOW_S + CONTEXT_S + 2 * TICK_S);
  }

  /** Take a Float32Array of any length; gives the events that it completes. */
  async push(chunk) {
    this.#sound.push(chunk);
    this.#received += chunk.length;
    const events = [];
    while (this.#received >= Math.round(this.#nextTick * this.rate)) {
      events.push(...(await this.#tick(this.#nextTick)));
      this.#nextTick += TICK_S;
    }
    this.#sound.forget(this.#lastTick);
    return events;
  }

  /** The events of what is left. */
  async finish() {
    const now = this.#received / this.rate;
    const events = now > this.#lastTick ? await this.#tick(now) : [];
    if (now > this.#segment.start + SMALL) events.push(await this.#segmentEvent(now));
    return events;
  }

  async #tick(now) {
    const rate = this.model.sample_rate_hz;
    const fresh = this.#sound.between(Math.max(this.#lastTick, now - TICK_S), now);
    this.#lastTick = now;
    this.#activity = lastOf(joined(this.#activity, fresh), Math.round(WINDOW_S * rate));
    const frames = speechFrames(this.#activity, rate);
    const newFrames = Math.max(1, Math.ceil(fresh.length / Math.round(HOP_S * rate)));
    // Of what came before, the detector knows more by now.
    const before = this.#voiced.subarray(0, Math.max(0, this.#voiced.length + newFrames - frames.length));
    this.#voiced = lastOf(joined(before, frames), Math.ceil((WINDOW_S + 1) / HOP_S));
    this.#segment.power += variance(fresh) * fresh.length;
    this.#segment.samples += fresh.length;
    this.#followUtterance(frames, now);
    const events = [];
    if (now >= this.#nextSegment - SMALL) {
      this.#nextSegment += STREAM_HOP_S;
      events.push(await this.#segmentEvent(now));
    }
    if (this.#utterance && now - this.#utterance.end >= PAUSE_S) this.#utterance = this.#logs = undefined;
    return events;
  }

  #followUtterance(frames, now) {
    // From the first sample: the last frame is shorter where the sound ends within it.
    const start = now - this.#activity.length / this.model.sample_rate_hz;
    const after = Math.ceil((Math.max(this.#speechEnd, start) - start) / HOP_S - SMALL);
    const fresh = frames.subarray(after);
    if (!fresh.includes(1)) return;
    this.#utterance ??= { end: 0, speech: 0 };
    this.#utterance.end = Math.min(start + (after + fresh.lastIndexOf(1) + 1) * HOP_S, now);
    this.#utterance.speech += count(fresh) * HOP_S;
    this.#speechEnd = this.#utterance.end;
  }

  async #segmentEvent(end) {
    const { start, power, samples } = this.#segment;
    this.#segment = { start: end, power: 0, samples: 0 };
    const length = end - start, level = powerDbfs(power / Math.max(1, samples));
    let speech = Math.min(count(lastOf(this.#voiced, Math.max(1, Math.round(length / HOP_S)))) * HOP_S, length);
    const scores = await this.#windowScores(Math.max(0, end - WINDOW_S), end);
    let state = unvoicedLabel(level);
    if (scores && speech >= Math.min(LEAST_WITH_HANGOVER_S, length)) {
      state = "speech";
      this.#updateLabel(scores, end);
    } else if (end - this.#speechEnd <= HELD_S && this.#label) {
      [state, speech] = ["silence", 0]; // never noise between words
    } else {
      [this.#label, this.#shown, this.#sure, this.#dimensions, speech] = ["", [], false, undefined, 0];
    }
    let label = this.#label ? (this.#sure ? this.#label : "unsure") : state;
    let shown = this.#shown, dimensions = this.#dimensions;
    if (label !== this.#labelBefore && start - this.#pauseSince < SHOWN_S) {
      [label, shown, dimensions] = [this.#labelBefore, [], undefined]; // the first word after a long pause waits until the pause was shown
    } else if (label !== this.#labelBefore) {
      this.#pauseSince = this.#label ? -Infinity : start;
    }
    this.#labelBefore = label;
    const raw = scores ? listed(this.model.labels, scores) : [];
    const labels = labelsOf(shown, this.model);
    return { type: "segment", start, end, label, ...labels, scores: shown, state, raw, level, speech, ...(dimensions && { dimensions }) };
  }

  async #windowScores(start, end) {
    const frames = lastOf(this.#voiced, Math.max(1, Math.round((end - start) / HOP_S)));
    if (count(frames) * HOP_S < LEAST_WITH_HANGOVER_S) return undefined;
    const sound = clean(this.#sound.between(start, end), this.model.sample_rate_hz, this.model.clean);
    const { scores, moments } = await this.run(sound, this.#moments);
    if (end - start >= WINDOW_S - HOP_S && start >= this.#countedEnd) [this.#moments, this.#countedEnd] = [moments, end];
    return scores;
  }

  #updateLabel(values, now) {
    const { labels, multi_label: several } = this.model;
    const logs = Float64Array.from(values.slice(0, labels.length), (value) => Math.log(Math.max(value, 1e-6)));
    const keep = this.#logs ? Math.exp(-STREAM_HOP_S / SMOOTHING_S) : 0;
    const told = dimensionsOf(values, this.model), before = this.#dimensions ?? {};
    this.#dimensions = told && Object.fromEntries(Object.entries(told).map(([name, value]) => [name, keep * (before[name] ?? value) + (1 - keep) * value]));
    this.#logs = this.#logs ? logs.map((value, i) => keep * this.#logs[i] + (1 - keep) * value) : logs;
    if (!labels.length) return void ([this.#label, this.#sure] = [SPEECH, true]);
    const highest = several ? 0 : Math.max(...this.#logs);
    const odds = this.#logs.map((value) => Math.exp(value - highest));
    const total = several ? 1 : odds.reduce((sum, value) => sum + value, 0);
    const scores = listed(labels, odds.map((value) => value / total));
    const [best] = scores;
    const sure = best.score >= this.model.abstain_below - (this.#sure ? SWITCH_BY : 0);
    const current = scores.find((entry) => entry.label === this.#label)?.score ?? -1;
    const label = best.score - current > SWITCH_BY ? best.label : this.#label;
    this.#shown = scores;
    const changes = label !== this.#label || sure !== this.#sure;
    const begin = now - STREAM_HOP_S;
    const mayChange = begin - this.#shownSince >= SHOWN_S && this.#utterance?.speech >= HEARD_S;
    if (changes && this.#label && !mayChange) return;
    if (changes) this.#shownSince = begin;
    [this.#label, this.#sure] = [label, sure];
  }
}

/** The last seconds of a stream, read at another rate. */
class Recent {
  #samples = new Float32Array(0);
  #first = 0;

  constructor(from, to, keptS) {
    Object.assign(this, { from, to, keptS });
  }

  push(chunk) {
    this.#samples = joined(this.#samples, chunk);
  }

  /** Let go of what is too long before `now`. */
  forget(now) {
    const first = Math.max(this.#first, Math.round((now - this.keptS) * this.from));
    this.#samples = this.#samples.slice(first - this.#first);
    this.#first = first;
  }

  /** The sound between two times, resampled with a little before as context. */
  between(startS, endS) {
    const start = Math.max(this.#first, Math.round(startS * this.from)), end = Math.round(endS * this.from);
    const context = Math.min(start - this.#first, Math.round(CONTEXT_S * this.from));
    const sound = this.#samples.subarray(start - context - this.#first, end - this.#first);
    return resample(sound, this.from, this.to).slice(Math.round((context * this.to) / this.from));
  }
}

function joined(a, b) {
  const both = new a.constructor(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}

const lastOf = (array, number) => array.subarray(Math.max(0, array.length - number));
