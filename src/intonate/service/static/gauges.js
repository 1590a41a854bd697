/** Level, speech or silence, the time an answer takes, the time that went by. */

import { $, orDash, write } from "./dom.js";
import { quantile } from "./tape.js";
import { clock } from "./timeline.js";

// The meter's lower end, and where the microphone is close to clipping, dBFS.
const QUIET = -60;
const LOUD = -3;
// How fast the peak mark falls, dB per chunk.
const FALL = 0.7;
const WORDS = { speech: "speech", silence: "silence", noise: "noise" };

export class Gauges {
  #peak = QUIET;
  #latencies = [];

  reset() {
    this.#peak = QUIET;
    this.#latencies = [];
    this.clear();
    delete $("#latency").dataset.p95;
    this.elapsed = 0;
  }

  /** No answers come: what they told is not true any more. */
  clear() {
    this.activity = undefined;
    write($("#latency"), "–");
  }

  set level(dbfs) {
    const shown = Math.max(QUIET, Math.min(0, dbfs));
    const share = (value) => (value - QUIET) / -QUIET;
    this.#peak = Math.max(shown, this.#peak - FALL);
    const meter = $("#level");
    meter.firstElementChild.style.transform = `scaleX(${share(shown).toFixed(3)})`;
    meter.lastElementChild.style.left = `calc(${(100 * share(this.#peak)).toFixed(1)}% - 2px)`;
    meter.classList.toggle("loud", shown > LOUD);
    meter.setAttribute("aria-valuenow", Math.round(shown));
    meter.setAttribute("aria-valuetext", `${Math.round(shown)} decibels`);
    write($("#level-text"), `${Math.round(shown)}\u00a0dB`.replace("-", "−"));
  }

  set activity(name) {
    $("#activity").dataset.state = name ?? "none";
    write($("#activity-text"), WORDS[name] ?? "–");
  }

  /** Milliseconds of the newest answer; the median of the last twenty is shown. */
  set latency(ms) {
    this.#latencies.push(ms);
    const recent = quantile(this.#latencies.slice(-20), 0.5);
    const node = $("#latency");
    write(node, orDash(recent, `${Math.round(recent)}\u00a0ms`));
    node.dataset.p95 = quantile(this.#latencies, 0.95).toFixed(1);
    node.dataset.count = this.#latencies.length;
  }

  set elapsed(seconds) {
    write($("#elapsed"), clock(seconds));
  }
}
