/** Diagonal hatching, for what is unsure. */

let hatched = {};

/** A pattern for `fillStyle`, made once for each screen and theme. */
export function hatching(g, dots, ink) {
  if (hatched.dots === dots && hatched.colour === ink.muted) return hatched.pattern;
  const size = Math.max(8, Math.round(8 * dots));
  const tile = new OffscreenCanvas(size, size);
  const t = tile.getContext("2d");
  t.strokeStyle = ink.muted;
  t.globalAlpha = 0.7;
  t.lineWidth = size / 5;
  for (const shift of [-size, 0, size]) {
    t.beginPath();
    t.moveTo(shift - 1, size + 1);
    t.lineTo(shift + size + 1, -1);
    t.stroke();
  }
  const pattern = g.createPattern(tile, "repeat");
  pattern.setTransform(new DOMMatrix().scale(8 / size));
  hatched = { dots, colour: ink.muted, pattern };
  return pattern;
}
