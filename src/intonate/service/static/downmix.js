/**
 * Several channels as one, without losing what is said on any: `audio/downmix.py`, where each number is explained. Pure.
 *
 * Of speech it knows the level alone (`energy.js`), not the network that Python asks where that finds none.
 */

import { count, speechFrames } from "./energy.js";
import { fft } from "./fft.js";

const PIECE_S = 10, PHASE_S = 1, LATE_S = 0.05;
// Python reads so many samples of all channels at once; pieces are whole numbers of that.
export const READ_SAMPLES = 2 ** 18;
const OPPOSITE = -0.5, SAME = 0.5, SAME_CORRELATION = 0.9, SOFT_SAME = 0.1;
const BAND_HZ = [300, 3_400];
const NEARER = 16, LOUD = 0.01, SPOKEN_SHARE = 0.15, EMPTY_DB = -50;

/** The channels of one sound as one channel; what was done to them is told by `warnings` at the end. */
export class Downmix {
  #inverted = new Set();
  #inMix = new Set();
  #noisy = new Map(); // channel -> samples in which it was left out
  #samples = 0;
  #hasDifferentSounds = false;
  #channels = 0;

  constructor(rate) {
    this.rate = rate;
    this.second = Math.round(PHASE_S * rate);
    this.size = 2 ** Math.ceil(Math.log2(this.second));
    this.band = BAND_HZ.map((hz) => Math.round((hz * this.size) / rate));
  }

  /** Channels, Float32Arrays of one length, as pieces of one channel; the page is let in between them. */
  async *mono(channels) {
    this.#channels = channels.length;
    const read = Math.floor(READ_SAMPLES / channels.length);
    const size = read * Math.ceil((PIECE_S * this.rate) / read);
    for (let at = 0; at < channels[0].length; at += size) {
      const piece = channels.map((channel) => channel.subarray(at, at + size));
      this.#samples += piece[0].length;
      const [first, ...others] = piece;
      if (others.every((channel) => channel.every((value, i) => value === first[i]))) {
        if (first.some(Boolean)) piece.forEach((_, channel) => this.#inMix.add(channel));
        yield first;
      } else {
        yield this.#mixed(piece);
        await new Promise((resolve) => setTimeout(resolve));
      }
    }
  }

  /** A sentence each about channels that were turned, left out, or hold different sounds. */
  warnings(name) {
    const sentences = [];
    const noisy = [...this.#noisy.keys()].sort((a, b) => a - b);
    const all = Array.from({ length: this.#channels }, (_, channel) => channel);
    const empty = all.filter((channel) => !this.#inMix.has(channel) && !this.#noisy.has(channel));
    const unused = noisy.filter((channel) => !this.#inMix.has(channel));
    if (this.#inverted.size) sentences.push(`${listOf([...this.#inverted])} in opposite phase to channel 1, and turned before the mix`);
    if (unused.length) sentences.push(`${listOf(unused)} only noise, and left out of the mix`);
    for (const channel of noisy.filter((channel) => this.#inMix.has(channel))) {
      const [seconds, total] = [this.#noisy.get(channel), this.#samples].map((samples) => Math.round(samples / this.rate));
      sentences.push(`${listOf([channel])} only noise in ${seconds} of ${total} s, and left out of the mix there`);
    }
    if (empty.length && this.#inMix.size) sentences.push(`${listOf(empty)} silent, and left out of the mix`);
    if (this.#hasDifferentSounds) sentences.push("its channels hold different sounds, and were mixed into one");
    return sentences.map((sentence) => `${name}: ${sentence}`);
  }

  #mixed(piece) {
    const seconds = this.#spectra(piece);
    const late = this.#lateChannels(seconds);
    const [sound, products] = this.#inPhase(piece, seconds, late);
    const power = sound.map((channel) => channel.reduce((sum, value) => sum + value * value, 0));
    const loudest = power.indexOf(Math.max(...power));
    const weights = power.map((value) => Number(value > power[loudest] * 10 ** (EMPTY_DB / 10)));
    for (const channel of sound.keys()) {
      const maySpeak = !weights[channel] && power[channel] > 0 && Math.abs(products[loudest][channel]) < SOFT_SAME * highest(products, loudest, channel);
      if (maySpeak && this.#speechShare(sound[channel]) >= SPOKEN_SHARE) weights[channel] = 1;
    }
    if (late.length) { // of one sound, the loudest channel; what is heard on it is in the mix
      const oneSound = [0, ...late];
      for (const channel of oneSound) {
        this.#inMix.add(channel);
        weights[channel] = 0;
      }
      weights[oneSound.reduce((best, channel) => (power[channel] > power[best] ? channel : best))] = 1;
    }
    const live = [...weights.keys()].filter((channel) => weights[channel]);
    if (!live.every((a) => live.every((b) => Math.abs(products[a][b]) > SAME * highest(products, a, b)))) this.#leaveNoiseOut(sound, live, weights);
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    const mono = new Float32Array(sound[0].length);
    sound.forEach((channel, place) => {
      if (!weights[place]) return;
      this.#inMix.add(place);
      for (let i = 0; i < mono.length; i++) mono[i] += channel[i] / total;
    });
    return mono;
  }

  #leaveNoiseOut(sound, live, weights) {
    const shares = new Map(live.map((channel) => [channel, this.#speechShare(sound[channel])]));
    const speaking = live.filter((channel) => shares.get(channel) >= SPOKEN_SHARE);
    for (const channel of speaking.length ? live.filter((channel) => !shares.get(channel)) : []) {
      weights[channel] = 0;
      this.#noisy.set(channel, (this.#noisy.get(channel) ?? 0) + sound[channel].length);
    }
    this.#hasDifferentSounds ||= speaking.length > 1;
  }

  /** Of each second {spectra, products}: the band of speech by channel ({re, im}), and their products, channel by channel. */
  #spectra(piece) {
    const seconds = [];
    for (let at = 0; at < piece[0].length; at += this.second) {
      const spectra = piece.map((channel) => this.#spectrum(channel.subarray(at, at + this.second)));
      seconds.push({ spectra, products: spectra.map((a) => spectra.map((b) => dot(a.re, b.re) + dot(a.im, b.im))) });
    }
    return seconds;
  }

  #spectrum(sound) {
    const re = new Float64Array(this.size), im = new Float64Array(this.size), last = Math.max(1, sound.length - 1);
    for (let i = 0; i < sound.length; i++) re[i] = sound[i] * (0.5 - 0.5 * Math.cos((2 * Math.PI * i) / last));
    fft(re, im);
    return { re: re.slice(...this.band), im: im.slice(...this.band) };
  }

  /** Channels with the sound of the first one a little sooner or later, which would make a comb of it in a sum. */
  #lateChannels(seconds) {
    const late = [];
    for (let channel = 1; channel < seconds[0].spectra.length; channel++) {
      const most = sum(seconds.map(({ products }) => highest(products, 0, channel)));
      const common = seconds.map(({ products }) => products[0][channel]);
      if (!most || !(common.some((product) => product < 0) || sum(common) < SAME * most)) continue;
      const [shift, product] = this.#shift(seconds, channel);
      if (!shift || !(Math.abs(product) > SAME_CORRELATION * most)) continue;
      const powers = [0, channel].map((place) => seconds.map(({ products }) => products[place][place]));
      const limits = powers.map((values) => LOUD * Math.max(...values));
      // Who speaks into one of them alone is louder there by far; one voice is not, now here and now there.
      const ratios = seconds.map((_, i) => i).filter((i) => powers.some((values, place) => values[i] > limits[place]))
        .map((i) => powers[0][i] / Math.max(powers[1][i], 1e-30));
      if (Math.max(...ratios) < NEARER * Math.min(...ratios)) late.push(channel);
    }
    return late;
  }

  /** By how many samples a channel is later than the first one, and their product then. */
  #shift(seconds, channel) {
    const re = new Float64Array(this.size), im = new Float64Array(this.size), [low] = this.band;
    for (const { spectra } of seconds) {
      const a = spectra[0], b = spectra[channel];
      for (let k = 0; k < a.re.length; k++) {
        re[low + k] += a.re[k] * b.re[k] + a.im[k] * b.im[k];
        im[low + k] += a.re[k] * b.im[k] - a.im[k] * b.re[k];
      }
    }
    fft(im, re); // the inverse
    const reach = Math.round(LATE_S * this.rate);
    let best = -reach;
    const at = (shift) => re[(shift + this.size) % this.size];
    for (let shift = -reach; shift <= reach; shift++) if (Math.abs(at(shift)) > Math.abs(at(best))) best = shift;
    return [best, at(best)];
  }

  /** The piece with each channel turned, second by second, where it is the first one in opposite phase; and all products. */
  #inPhase(piece, seconds, late) {
    const sound = piece.map((channel) => channel.slice());
    const total = piece.map(() => piece.map(() => 0));
    seconds.forEach(({ products }, second) => {
      const signs = piece.map((_, channel) => (!late.includes(channel) && products[0][channel] < OPPOSITE * highest(products, 0, channel) ? -1 : 1));
      signs.forEach((sign, a) => {
        signs.forEach((other, b) => (total[a][b] += products[a][b] * sign * other));
        if (sign > 0) return;
        this.#inverted.add(a);
        const part = sound[a].subarray(second * this.second, (second + 1) * this.second);
        for (let i = 0; i < part.length; i++) part[i] = -part[i];
      });
    });
    return [sound, total];
  }

  #speechShare(sound) {
    const frames = speechFrames(sound, this.rate);
    return count(frames) / frames.length;
  }
}

const sum = (values) => values.reduce((total, value) => total + value, 0);

function dot(a, b) {
  let total = 0;
  for (let i = 0; i < a.length; i++) total += a[i] * b[i];
  return total;
}

/** The product that two channels as loud as these would have if they were one sound. */
const highest = (products, a, b) => Math.sqrt(products[a][a]) * Math.sqrt(products[b][b]);

function listOf(channels) {
  const numbers = channels.map((channel) => channel + 1).sort((a, b) => a - b);
  return numbers.length === 1 ? `channel ${numbers[0]} is` : `channels ${numbers.join(", ")} are`;
}
