/** A flat top, where sound was cut: `audio/clipping.py`, where each number is explained. Pure. */

import { READ_SAMPLES } from "./downmix.js";

const AT_PEAK = 0.98, BENEATH = 0.8, FLAT = 0.6, LOUD_PEAK = 0.5, RIPPLE = 1.3, HEAVY_SHARE = 0.02;

/** Of the samples of all channels, Float32Arrays of one length, those that are a flat top, 0 to 1. */
export function clippedShare(channels) {
  const [{ length }] = channels, size = Math.floor(READ_SAMPLES / channels.length);
  let highest = 0, atPeak = 0, elsewhere = 0;
  for (let start = 0; start < length; start += size) {
    const block = channels.map((channel) => channel.subarray(start, start + size));
    let low = Infinity, high = -Infinity;
    for (const part of block) for (const value of part) [low, high] = [Math.min(low, value), Math.max(high, value)];
    const peak = Math.min(1, Math.max(high, -low));
    // All of what is so much softer than the peak lies beneath it.
    if (low === high || peak < Math.max(LOUD_PEAK, AT_PEAK * highest)) continue;
    if (AT_PEAK * peak > highest) atPeak = elsewhere = 0; // and all until now was
    highest = Math.max(highest, peak);
    for (const part of block) {
      for (const value of part) {
        const level = Math.abs(value) / peak;
        if (level >= AT_PEAK && level < RIPPLE) atPeak++;
        else if (level >= BENEATH) elsewhere++;
      }
    }
  }
  return atPeak > FLAT * elsewhere ? atPeak / (length * channels.length) : 0;
}

/** A sentence, where it is heavy. */
export function clippingWarnings(channels, name) {
  const share = clippedShare(channels);
  return share < HEAVY_SHARE ? [] : [`${name} is clipped: ${(100 * share).toFixed(0)} % of the samples lie at the peak, distorted`];
}
