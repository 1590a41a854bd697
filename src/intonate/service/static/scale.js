/** Where the ribbon looks: a view is {start, span} in seconds. Pure. */

const SHORTEST_SPAN_S = 2;
// What a live session shows at once, seconds; on a phone, PHONE_SPAN_S.
export const LIVE_SPAN_S = 30;
export const PHONE_SPAN_S = 12;

// Distances between ticks that people read easily, seconds.
const STEPS_S = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200];

/** A view moved into the recording; while it is shorter than the view, it starts at 0. */
export function clamp({ start, span }, durationS, longestS = Math.max(durationS, LIVE_SPAN_S)) {
  const kept = Math.min(Math.max(span, SHORTEST_SPAN_S), Math.max(longestS, SHORTEST_SPAN_S));
  return { start: Math.max(0, Math.min(start, durationS - kept)), span: kept };
}

/** Zoom by a factor (2: twice as near), keeping a moment where it is. */
export function zoom({ start, span }, factor, aroundS) {
  const share = (aroundS - start) / span;
  return { start: aroundS - (share * span) / factor, span: span / factor };
}

/** Move a view by the smallest step that shows a moment, with a margin of a tenth. */
export function reveal({ start, span }, timeS) {
  const margin = span / 10;
  if (timeS < start + margin) return { start: timeS - margin, span };
  if (timeS > start + span - margin) return { start: timeS - span + margin, span };
  return { start, span };
}

/** {step, times} of the ticks, at least `leastPx` apart. */
export function ticks({ start, span }, widthPx, leastPx = 72) {
  const step = STEPS_S.find((s) => (s / span) * widthPx >= leastPx) ?? STEPS_S.at(-1);
  const times = [];
  for (let n = Math.max(0, Math.ceil(start / step - 1e-9)); n * step <= start + span + 1e-9; n++) times.push(n * step);
  return { step, times };
}
