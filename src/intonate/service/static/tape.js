/** What was heard, kept in memory, and what of it the server has. Pure: no page, no clock. */

// Samples in a block of the tape (65,536 of 2 bytes = 128 KiB): it grows without ever being copied.
const BLOCK = 65_536;
// Peaks kept for drawing, per second.
const PEAKS_PER_S = 50;

/** Float samples in [-1, 1] as 16-bit integers; what is beyond is clipped, what is not a number is silence. */
export function toInt16(samples) {
  const out = new Int16Array(samples.length);
  for (let i = 0; i < samples.length; i++) {
    const value = samples[i] || 0;
    out[i] = Math.round(Math.max(-1, Math.min(1, value)) * 32_767);
  }
  return out;
}

/** A session's sound: 16-bit mono at `rate` Hz, appended to and read from anywhere. */
export class Tape {
  length = 0;
  peaks = [];
  loudest = 0;
  #blocks = [];
  #peak = 0;

  constructor(rate) {
    this.rate = rate;
    this.samplesPerPeak = Math.round(rate / PEAKS_PER_S);
  }

  get seconds() {
    return this.length / this.rate;
  }

  append(samples) {
    let from = 0;
    while (from < samples.length) {
      const offset = this.length % BLOCK;
      if (offset === 0) this.#blocks.push(new Int16Array(BLOCK));
      const part = samples.subarray(from, from + BLOCK - offset);
      this.#blocks.at(-1).set(part, offset);
      this.#measure(part);
      this.length += part.length;
      from += part.length;
    }
  }

  /** The samples [from, to), copied. */
  slice(from = 0, to = this.length) {
    const end = Math.min(to, this.length);
    const out = new Int16Array(Math.max(0, end - from));
    let at = from;
    while (at < end) {
      const offset = at % BLOCK;
      const part = this.#blocks[Math.floor(at / BLOCK)].subarray(offset, Math.min(BLOCK, offset + end - at));
      out.set(part, at - from);
      at += part.length;
    }
    return out;
  }

  /** The largest value in [startS, endS), 0 to 1, from the peaks. */
  peak(startS, endS) {
    const first = Math.max(0, Math.floor(startS * PEAKS_PER_S));
    const last = Math.min(this.peaks.length, Math.max(first + 1, Math.ceil(endS * PEAKS_PER_S)));
    let largest = 0;
    for (let i = first; i < last; i++) if (this.peaks[i] > largest) largest = this.peaks[i];
    return largest;
  }

  /** The mean of the peaks in [startS, endS): how loud it is, where many of them fall into one bar. */
  mean(startS, endS) {
    const first = Math.max(0, Math.floor(startS * PEAKS_PER_S));
    const last = Math.min(this.peaks.length, Math.max(first + 1, Math.ceil(endS * PEAKS_PER_S)));
    let sum = 0;
    for (let i = first; i < last; i++) sum += this.peaks[i];
    return sum / Math.max(1, last - first);
  }

  #measure(part) {
    for (let i = 0; i < part.length; i++) {
      const size = Math.abs(part[i]);
      if (size > this.#peak) this.#peak = size;
      if ((this.length + i + 1) % this.samplesPerPeak === 0) {
        this.peaks.push(this.#peak / 32_768);
        this.loudest = Math.max(this.loudest, this.#peak / 32_768);
        this.#peak = 0;
      }
    }
  }
}

/**
 * What the server has, and when it was sent.
 *
 * `next` is the first sample that is still to be sent. After a lost connection the server says how many samples it
 * received, and sending goes on from there: what was on its way is sent again.
 */
export class Delivery {
  next = 0;
  #sent = [];

  /** The server has `received` samples; everything after them has to be sent (again). */
  resumeAt(received) {
    this.next = Math.max(0, received);
    this.#sent = [];
  }

  /** Samples up to `next` left at `timeMs`. */
  sent(next, timeMs) {
    this.next = next;
    this.#sent.push({ next, timeMs });
  }

  /**
   * Milliseconds from sending the chunk that completed a window to its answer; undefined where that was another
   * connection's. What is older is forgotten: answers come in order.
   */
  latency(endSample, timeMs) {
    const at = this.#sent.findIndex(({ next }) => next >= endSample);
    if (at < 0) return undefined;
    this.#sent.splice(0, at);
    return timeMs - this.#sent[0].timeMs;
  }
}

/** The value under which a share of the values lies. */
export function quantile(values, share) {
  if (!values.length) return undefined;
  const ranked = [...values].sort((a, b) => a - b);
  return ranked[Math.min(ranked.length - 1, Math.floor(share * ranked.length))];
}

/** Level of a chunk of floats, dBFS (a full-scale sine is -3); never below -100. */
export function levelDbfs(samples) {
  let sum = 0;
  for (const value of samples) sum += value * value;
  return Math.max(-100, 10 * Math.log10(sum / Math.max(1, samples.length) + 1e-12));
}
