/** The cleaning steps of `audio/clean.py` that need no graph: what a model was trained on is done to what it hears. Pure. */

import { framePower, frameSizes, preEmphasis } from "./energy.js";
import { fft } from "./fft.js";

const ACTIVE_BELOW_DB = 25;
const HIGH_PASS_S = 0.1;
const OFFSET_SAMPLES = 4096;

/** Apply steps in order: `[{step: "trim", below_db: 40, margin_s: 0.1}, …]`. */
export function clean(samples, rate, steps) {
  let sound = samples;
  for (const { step, ...parameters } of steps) if (sound.length) sound = STEPS[step](sound, rate, parameters);
  return sound;
}

/** Frames within `belowDb` of the loudest: 1 or 0; none where everything is zero. */
function active(power, belowDb) {
  const loudest = power.reduce((most, value) => Math.max(most, value), 0);
  const least = loudest * 10 ** (-belowDb / 10);
  return Uint8Array.from(power, (value) => Number(loudest > 0 && value >= least));
}

function trim(samples, rate, { below_db: belowDb = 40, margin_s: marginS = 0.1 }) {
  const offset = offsetOf(samples);
  const frames = active(framePower(samples.map((value) => value - offset), rate), belowDb);
  const first = frames.indexOf(1), last = frames.lastIndexOf(1);
  if (first < 0) return samples;
  const [hop, window] = frameSizes(rate);
  const margin = Math.round(marginS * rate);
  return samples.slice(Math.max(0, first * hop - margin), Math.min(samples.length, last * hop + window + margin));
}

/** What half of the samples lie above: an offset is no sound. */
function offsetOf(samples) {
  const stride = 1 + Math.floor(samples.length / OFFSET_SAMPLES);
  const some = samples.filter((_, i) => i % stride === 0).sort();
  const half = Math.floor(some.length / 2);
  return some.length % 2 ? some[half] : Math.fround((some[half - 1] + some[half]) / 2);
}

function loudness(samples, rate, { target_dbfs: target = -23, peak = 1 }) {
  const power = framePower(samples, rate);
  const frames = active(power, ACTIVE_BELOW_DB);
  let sum = 0, number = 0, highest = 0;
  for (let i = 0; i < power.length; i++) if (frames[i]) (sum += power[i]), number++;
  if (!number) return samples;
  for (const value of samples) highest = Math.max(highest, Math.abs(value));
  const gain = Math.fround(Math.min(10 ** (target / 20) / Math.sqrt(sum / number), peak / highest));
  return samples.map((value) => Math.min(peak, Math.max(-peak, value * gain)));
}

function dc(samples) {
  let sum = 0;
  for (const value of samples) sum += value;
  const mean = Math.fround(sum / samples.length);
  return samples.map((value) => value - mean);
}

/** Overlap-save with blocks of about a second; no phase is moved. */
function highPass(samples, rate, { low_hz: low = 60, full_hz: full = 90 }) {
  const { re: kernelRe, im: kernelIm, size, taps } = highPassSpectrum(rate, low, Math.max(full, low + 1));
  const step = size - taps + 1, before = (taps - 1) / 2;
  const answer = new Float32Array(samples.length);
  const re = new Float64Array(size), im = new Float64Array(size);
  // Two blocks at a time: one in the real numbers, one in the imaginary ones.
  for (let start = 0; start < samples.length; start += 2 * step) {
    for (let i = 0; i < size; i++) {
      re[i] = samples[start - before + i] ?? 0;
      im[i] = samples[start + step - before + i] ?? 0;
    }
    fft(re, im);
    for (let i = 0; i < size; i++) {
      const real = re[i] * kernelRe[i] - im[i] * kernelIm[i];
      im[i] = re[i] * kernelIm[i] + im[i] * kernelRe[i];
      re[i] = real;
    }
    fft(im, re);
    for (let i = 0; i < step; i++) {
      if (start + i < samples.length) answer[start + i] = re[taps - 1 + i] / size;
      if (start + step + i < samples.length) answer[start + step + i] = im[taps - 1 + i] / size;
    }
  }
  return answer;
}

const SPECTRA = new Map();

/** Of a symmetric impulse response of 100 ms (Hann window), padded to a power of two. */
function highPassSpectrum(rate, low, full) {
  const key = `${rate} ${low} ${full}`;
  if (!SPECTRA.has(key)) {
    const half = Math.round((HIGH_PASS_S / 2) * rate), taps = 2 * half + 1;
    let size = 1;
    while (size <= 8 * half) size *= 2;
    const re = new Float64Array(size), im = new Float64Array(size);
    for (let i = 0; i < size; i++) {
      const hz = (Math.min(i, size - i) * rate) / size;
      const share = Math.min(1, Math.max(0, (hz - low) / (full - low)));
      re[i] = 0.5 - 0.5 * Math.cos(Math.PI * share);
    }
    fft(im, re);
    let padded = 1;
    while (padded < 8 * taps) padded *= 2;
    const kernelRe = new Float64Array(padded), kernelIm = new Float64Array(padded);
    for (let i = 0; i < taps; i++) {
      const hann = 0.5 - 0.5 * Math.cos((2 * Math.PI * i) / (taps - 1));
      kernelRe[i] = (re[(i - half + size) % size] / size) * hann;
    }
    fft(kernelRe, kernelIm);
    SPECTRA.set(key, { re: kernelRe, im: kernelIm, size: padded, taps });
  }
  return SPECTRA.get(key);
}

export const STEPS = {
  trim, loudness, dc, high_pass: highPass,
  pre_emphasis: (samples, rate, { coefficient = 0.97 }) => preEmphasis(samples, coefficient),
};
