/** Fourier transforms of a power of two, in place, in double precision. Pure. */

const TABLES = new Map();

function tables(size) {
  if (!TABLES.has(size)) {
    const cosines = new Float64Array(size / 2), sines = new Float64Array(size / 2), reversed = new Uint32Array(size);
    for (let k = 0; k < size / 2; k++) {
      cosines[k] = Math.cos((2 * Math.PI * k) / size);
      sines[k] = -Math.sin((2 * Math.PI * k) / size);
    }
    for (let i = 1; i < size; i++) reversed[i] = (reversed[i >> 1] >> 1) | (i & 1 ? size >> 1 : 0);
    TABLES.set(size, { cosines, sines, reversed });
  }
  return TABLES.get(size);
}

/** Transform `re + i im`; the inverse, not divided by the size, is the transform of (im, re). */
export function fft(re, im) {
  const size = re.length;
  const { cosines, sines, reversed } = tables(size);
  for (let i = 0; i < size; i++) {
    const j = reversed[i];
    if (j > i) {
      [re[i], re[j]] = [re[j], re[i]];
      [im[i], im[j]] = [im[j], im[i]];
    }
  }
  for (let half = 1; half < size; half *= 2) {
    const step = size / (2 * half);
    for (let start = 0; start < size; start += 2 * half) {
      for (let k = 0; k < half; k++) {
        const c = cosines[k * step], s = sines[k * step], a = start + k, b = a + half;
        const x = re[b] * c - im[b] * s, y = re[b] * s + im[b] * c;
        re[b] = re[a] - x;
        im[b] = im[a] - y;
        re[a] += x;
        im[a] += y;
      }
    }
  }
}
