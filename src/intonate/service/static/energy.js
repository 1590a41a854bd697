/** Where sound rises above its background: `audio/energy.py` and `audio/activity.py`, line by line. Pure. */

export const HOP_S = 0.01;
const BLOCK_S = 0.005, WINDOW_BLOCKS = 5, HOP_BLOCKS = 2;

const QUIETEST_DBFS = -65, ABOVE_FLOOR_DB = 9, FLOOR_WITHIN_S = 1.5, SHORTEST_S = 0.03, BEFORE_S = 0.05, AFTER_S = 0.2;
export const LEAST_SPEECH_S = 0.1;
/** Less speech than this in a window is none: the frames of `speechFrames` hang over by 0.2 s. */
export const LEAST_WITH_HANGOVER_S = LEAST_SPEECH_S + 0.2;
/** Softer than this without speech is silence, louder is noise (`audio/voice.py`). */
const NOISE_DBFS = -50, LOWEST_DBFS = -120;

/** [hop, window] of the frames, in samples. */
export function frameSizes(rate) {
  const block = Math.max(1, Math.round(BLOCK_S * rate));
  return [block * HOP_BLOCKS, block * WINDOW_BLOCKS];
}

/** Mean square of each frame of 25 ms every 10 ms; zeros follow the end. */
export function framePower(samples, rate) {
  const block = Math.max(1, Math.round(BLOCK_S * rate));
  const blocks = Math.ceil(samples.length / block);
  const energy = new Float64Array(blocks + WINDOW_BLOCKS);
  for (let i = 0; i < samples.length; i++) energy[Math.floor(i / block)] += samples[i] * samples[i];
  const power = new Float64Array(Math.ceil(blocks / HOP_BLOCKS));
  for (let k = 0; k < power.length; k++) {
    for (let shift = 0; shift < WINDOW_BLOCKS; shift++) power[k] += energy[k * HOP_BLOCKS + shift];
    power[k] /= WINDOW_BLOCKS * block;
  }
  return power;
}

/** Whether there is speech, per 10 ms, with hang-over: 1 or 0. */
export function speechFrames(samples, rate) {
  return anyWithin(aboveFloor(samples, rate), Math.round(AFTER_S / HOP_S), Math.round(BEFORE_S / HOP_S));
}

/** Whether at least 0.1 s rises above the noise like speech. */
export function hasSpeech(samples, rate) {
  return count(aboveFloor(samples, rate)) * HOP_S >= LEAST_SPEECH_S;
}

/** How many of the frames are true. */
export function count(frames) {
  let sum = 0;
  for (const frame of frames) sum += frame;
  return sum;
}

function aboveFloor(samples, rate) {
  if (!samples.length) return new Uint8Array(0);
  const level = framePower(samples, rate).map(decibels);
  const lifted = framePower(preEmphasis(samples), rate).map(decibels);
  // Frames that reach beyond the end have zeros in them, and are no background.
  const [hop, window] = frameSizes(rate);
  const whole = Math.max(1, 1 + Math.floor((samples.length - window) / hop));
  const background = lifted.map((db, i) => (i < whole ? db : Infinity));
  const floor = lowestAround(background, Math.round(FLOOR_WITHIN_S / HOP_S));
  const above = Uint8Array.from(level, (db, i) => Number(lifted[i] > floor[i] + ABOVE_FLOOR_DB && db > QUIETEST_DBFS));
  // Erode, then dilate by the same: what is shorter than a syllable vanishes, all else comes back whole.
  const shortest = Math.round(SHORTEST_S / HOP_S);
  const eroded = anyWithin(above.map((frame) => 1 - frame), 0, shortest - 1).map((frame) => 1 - frame);
  return anyWithin(eroded, shortest - 1, 0);
}

/** `y[n] = x[n] - 0.97 x[n - 1]` (`clean.pre_emphasis`). */
export function preEmphasis(samples, coefficient = 0.97) {
  const lifted = samples.slice();
  const share = Math.fround(coefficient);
  for (let i = 1; i < samples.length; i++) lifted[i] = samples[i] - Math.fround(share * samples[i - 1]);
  return lifted;
}

const decibels = (power) => 10 * Math.log10(power + 1e-12);

function lowestAround(level, frames) {
  return level.map((_, i) => {
    let lowest = Infinity;
    const end = Math.min(level.length, i + frames + 1);
    for (let j = Math.max(0, i - frames); j < end; j++) if (level[j] < lowest) lowest = level[j];
    return lowest;
  });
}

/** Per frame, whether the mask is true in any of the `before` frames ahead of it, itself, or the `after` next. */
function anyWithin(mask, before, after) {
  return mask.map((_, i) => Number(mask.subarray(Math.max(0, i - before), i + after + 1).includes(1)));
}

/** RMS about the mean, in dB of full scale. */
export function levelDbfs(samples) {
  return powerDbfs(variance(samples));
}

/** A mean square in dB of full scale. */
export function powerDbfs(power) {
  return Math.max(LOWEST_DBFS, 10 * Math.log10(Math.max(power, 1e-12)));
}

export function variance(samples) {
  let sum = 0, squares = 0;
  for (const value of samples) sum += value;
  const mean = samples.length ? sum / samples.length : 0;
  for (const value of samples) squares += (value - mean) ** 2;
  return samples.length ? squares / samples.length : 0;
}

/** What sound without speech is called at a level in dBFS. */
export const unvoicedLabel = (level) => (level > NOISE_DBFS ? "noise" : "silence");
