/** To another sample rate, by a windowed sinc (Kaiser) that passes what soxr's own filter passes. Pure. */

// Zero crossings of the sinc on each side, the window's shape, and where half passes, as a share of the lower Nyquist rate.
const CROSSINGS = 80, BETA = 10, CUTOFF = 0.957;
const KERNELS = new Map();

function besselI0(x) {
  let sum = 1, term = 1;
  for (let k = 1; term > 1e-12 * sum; k++) sum += term *= (x / (2 * k)) ** 2;
  return sum;
}

const gcd = (a, b) => (b ? gcd(b, a % b) : a);

/** The weights of every phase: output sample n lies at n * down / up input samples. */
function kernels(from, to) {
  const key = `${from} ${to}`;
  if (!KERNELS.has(key)) {
    const divisor = gcd(from, to), up = to / divisor, down = from / divisor;
    const cutoff = CUTOFF * Math.min(1, to / from);
    const half = Math.ceil(CROSSINGS / cutoff);
    const phases = Array.from({ length: up }, (_, phase) => {
      const weights = new Float64Array(2 * half);
      for (let i = 0; i < 2 * half; i++) {
        const distance = i - half + 1 - phase / up;
        const x = Math.PI * cutoff * distance;
        const inside = Math.max(0, 1 - (distance / half) ** 2);
        weights[i] = cutoff * (x ? Math.sin(x) / x : 1) * (besselI0(BETA * Math.sqrt(inside)) / besselI0(BETA));
      }
      return weights;
    });
    KERNELS.set(key, { up, down, half, phases });
  }
  return KERNELS.get(key);
}

/** @returns Float32Array of round(samples * to / from) samples. */
export function resample(samples, from, to) {
  if (from === to) return samples;
  const { up, down, half, phases } = kernels(Math.round(from), Math.round(to));
  const out = new Float32Array(Math.round((samples.length * up) / down));
  for (let n = 0; n < out.length; n++) {
    const at = Math.floor((n * down) / up);
    const weights = phases[(n * down) % up];
    const first = at - half + 1;
    const begin = Math.max(0, -first), end = Math.min(2 * half, samples.length - first);
    let sum = 0;
    for (let i = begin; i < end; i++) sum += weights[i] * samples[first + i];
    out[n] = sum;
  }
  return out;
}
