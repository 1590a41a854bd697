/** Plays a tape from anywhere, a few seconds ahead at a time, so that hours need no second copy in memory. */

// Length of one scheduled buffer, and how far ahead of the playhead there is always sound, seconds.
const BUFFER_S = 2;
const AHEAD_S = 3;
// Time between pressing play and the first sample, seconds.
const LEAD_S = 0.05;

export class Player {
  playing = false;
  #from = 0;
  #sources = new Set();

  /** @param onEnd called when the end (or the given end of a piece) was reached. */
  constructor(onEnd) {
    this.onEnd = onEnd;
  }

  load(tape) {
    this.pause();
    this.#from = 0;
    this.tape = tape;
    this.context?.close();
    this.context = undefined;
  }

  /** Seconds into the tape. */
  get time() {
    if (!this.playing) return this.#from;
    return Math.min(this.to, Math.max(this.#from, this.#from + this.context.currentTime - this.startedAt));
  }

  set time(seconds) {
    const at = Math.max(0, Math.min(seconds, this.tape?.seconds ?? seconds));
    const { playing } = this;
    this.pause();
    this.#from = at;
    if (playing) this.play();
  }

  /** Play from where it is, or from `from`, to `to`. */
  play(from = this.time, to = this.tape.seconds) {
    this.pause();
    this.context ??= new AudioContext({ sampleRate: this.tape.rate });
    this.context.resume();
    this.#from = this.scheduledTo = from >= to - 0.01 ? 0 : from;
    this.to = to;
    this.startedAt = this.context.currentTime + LEAD_S;
    this.playing = true;
    this.#schedule();
    this.timer = setInterval(() => this.#schedule(), 100);
  }

  pause() {
    if (!this.playing) return;
    this.#from = this.time;
    this.playing = false;
    clearInterval(this.timer);
    for (const source of this.#sources) source.stop();
    this.#sources.clear();
  }

  #schedule() {
    if (this.time >= this.to) {
      this.pause();
      return this.onEnd();
    }
    const { rate } = this.tape;
    while (this.scheduledTo < Math.min(this.time + AHEAD_S, this.to)) {
      const first = Math.round(this.scheduledTo * rate);
      const last = Math.min(first + BUFFER_S * rate, Math.round(this.to * rate));
      const samples = Float32Array.from(this.tape.slice(first, last), (value) => value / 32_768);
      if (!samples.length) return;
      const source = this.context.createBufferSource();
      source.buffer = this.context.createBuffer(1, samples.length, rate);
      source.buffer.copyToChannel(samples, 0);
      source.connect(this.context.destination);
      source.start(this.startedAt + this.scheduledTo - this.#from);
      source.onended = () => this.#sources.delete(source);
      this.#sources.add(source);
      this.scheduledTo = last / rate;
    }
  }
}
