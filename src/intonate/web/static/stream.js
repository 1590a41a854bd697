/** The live stream that the service's page knows (`service/static/stream.js`), heard in this tab. */

import { call, closeStream, openStream } from "./engine.js";
import { Delivery } from "./tape.js";

// Answers that come later than this after their sound are late, seconds.
const BEHIND_S = 2;

/** @param on callbacks: ready(message), event(message, latencyMs), behind(seconds), state(name), failed(sentence). */
export class Stream {
  #delivery = new Delivery();
  #ready = false;
  #closed = false;

  constructor(tape, models, _options, on) {
    Object.assign(this, { tape, on });
    this.stream = openStream((event) => this.#receive(event));
    this.#begin(models);
  }

  /** Hand over what the tape has and the model has not heard. */
  push() {
    const { next } = this.#delivery;
    if (!this.#ready || this.#closed || next >= this.tape.length) return;
    const samples = Float32Array.from(this.tape.slice(next), (value) => value / 32_768);
    this.#delivery.sent(this.tape.length, performance.now());
    call("hear", { stream: this.stream, samples }, [samples.buffer]).catch((error) => this.#fail(error.message));
  }

  /** No more sound will come; resolves at the end, to whether everything was answered. */
  async finish() {
    await this.opened;
    this.push();
    return call("finish", { stream: this.stream }).then(() => !this.#closed, () => false);
  }

  close() {
    this.#closed = true;
    closeStream(this.stream);
  }

  #begin(names) {
    this.opened = call("listen", { stream: this.stream, names, rate: this.tape.rate }).then(
      (message) => {
        this.#ready = true;
        this.on.ready(message);
        this.on.state("live");
        this.push();
      },
      (error) => this.#fail(error.message),
    );
  }

  #receive(event) {
    const endSample = Math.round(event.end * this.tape.rate);
    this.on.event(event, this.#delivery.latency(endSample, performance.now()));
    const lag = this.tape.seconds - event.end;
    this.on.behind?.(lag > BEHIND_S ? lag : 0);
  }

  #fail(sentence) {
    if (this.#closed) return;
    this.close();
    this.on.failed(sentence);
  }
}
