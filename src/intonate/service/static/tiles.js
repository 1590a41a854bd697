/** Draws what speaks for an answer, in tiles of time and frequency over the sound's spectrum. */

import { el } from "./dom.js";
import { ticks } from "./scale.js";
import { clock } from "./timeline.js";

// Sizes, CSS pixels.
const LEFT = 98;
const RIGHT = 18;
const HEIGHT = 190;
const AXIS = 22;
const LABEL_PX = 12;
// How strong the strongest tile is drawn.
const STRONGEST = 0.8;

/** Frequency as the ear has it (mel, as in HTK). */
const mel = (hertz) => 1127 * Math.log1p(hertz / 700);

/** `0.5–1.3 kHz`, `over 4.6 kHz`. */
export function bandName({ low_hz: low, high_hz: high }, isHighest) {
  const kilo = (hertz) => (hertz / 1000).toFixed(1);
  if (!low) return `under ${kilo(high)} kHz`;
  return isHighest ? `over ${kilo(low)} kHz` : `${kilo(low)}–${kilo(high)} kHz`;
}

/** A canvas that draws itself anew where its width, or the theme, changes: call `draw`. */
export class TilePicture {
  constructor(explanation) {
    this.explanation = explanation;
    this.spectrum = spectrum(explanation.spectrum);
    const name = `What speaks for ${explanation.explained} and what against it, by time and frequency; the same is below, in figures`;
    this.node = el("canvas", { class: "tiles", role: "img", "aria-label": name });
    this.watch = new ResizeObserver(() => this.draw());
    this.watch.observe(this.node);
  }

  draw() {
    const { node, explanation } = this;
    const { start, end, stretches, bands, region } = explanation;
    const width = node.clientWidth;
    if (!width) return;
    const scale = devicePixelRatio || 1;
    node.width = Math.round(width * scale);
    node.height = Math.round((HEIGHT + AXIS) * scale);
    const pen = node.getContext("2d");
    pen.scale(scale, scale);
    const style = getComputedStyle(node);
    const colour = (name) => style.getPropertyValue(name).trim();
    const x = (timeS) => LEFT + ((timeS - start) / (end - start)) * (width - LEFT - RIGHT);
    const y = (hertz) => HEIGHT * (1 - mel(hertz) / mel(bands.at(-1).high_hz));
    pen.fillStyle = colour("--sunk");
    pen.fillRect(LEFT, 0, width - LEFT - RIGHT, HEIGHT);
    pen.drawImage(tinted(this.spectrum, colour("--muted")), LEFT, 0, width - LEFT - RIGHT, HEIGHT);
    const largest = Math.max(1e-9, ...explanation.map.flat().map(Math.abs));
    stretches.forEach((stretch, column) => {
      bands.forEach((band, row) => {
        const value = explanation.map[column][row];
        pen.globalAlpha = (STRONGEST * Math.abs(value)) / largest;
        pen.fillStyle = colour(value > 0 ? "--accent" : "--warm");
        const left = x(stretch.start), top = y(band.high_hz);
        pen.fillRect(left, top, x(stretch.end) - left - 1, y(band.low_hz) - top - 1);
      });
    });
    pen.globalAlpha = 1;
    pen.strokeStyle = colour("--ink");
    pen.lineWidth = 2;
    const left = x(region.start), top = y(region.high_hz);
    pen.strokeRect(left, top + 1, x(region.end) - left - 1, y(region.low_hz) - top - 3);
    pen.font = `${LABEL_PX}px ${style.fontFamily}`;
    pen.fillStyle = colour("--muted");
    pen.textBaseline = "middle";
    pen.textAlign = "right";
    bands.forEach((band, row) => pen.fillText(bandName(band, row === bands.length - 1), LEFT - 8, (y(band.low_hz) + y(band.high_hz)) / 2));
    const { step, times } = ticks({ start, span: end - start }, width - LEFT - RIGHT);
    pen.textAlign = "center";
    for (const timeS of times) pen.fillText(clock(timeS, step < 1), x(timeS), HEIGHT + AXIS / 2 + 2);
  }

  close() {
    this.watch.disconnect();
  }
}

/** The levels as a mask: {canvas, columns, rows}, its opacity the level. */
function spectrum({ rows, columns, levels }) {
  const bytes = Uint8Array.from(atob(levels), (letter) => letter.charCodeAt(0));
  const image = new ImageData(columns, rows);
  bytes.forEach((level, at) => (image.data[4 * at + 3] = level * 0.8));
  const canvas = new OffscreenCanvas(columns, rows);
  canvas.getContext("2d").putImageData(image, 0, 0);
  return canvas;
}

function tinted(mask, colour) {
  const canvas = new OffscreenCanvas(mask.width, mask.height);
  const pen = canvas.getContext("2d");
  pen.drawImage(mask, 0, 0);
  pen.globalCompositeOperation = "source-in";
  pen.fillStyle = colour;
  pen.fillRect(0, 0, mask.width, mask.height);
  return canvas;
}
