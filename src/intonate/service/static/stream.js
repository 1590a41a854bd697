/** The live connection: sends the tape, receives events, comes back when it is cut. */

import { isThere, token, url } from "./api.js";
import { Delivery } from "./tape.js";

// Waiting times before the next attempt, milliseconds; the last one is repeated.
const RETRY_MS = [150, 400, 800, 1_500, 3_000];
// Attempts before a service that never answered is given up.
const FIRST_ATTEMPTS = 4;
// A message while catching up holds at most this, seconds; normally it is one chunk of the microphone.
const MESSAGE_S = 0.5;
// The browser holds at most this much unsent, bytes.
const UNSENT = 1_000_000;
// A connection that says nothing for this long is dead, milliseconds; it is asked every PING_MS.
const SILENT_MS = 9_000;
const PING_MS = 3_000;
// What is said where no connection came to be: the service is away, or only its streams do not get through.
const GONE = "The service does not take the connection. Is “intonate serve” still running?";
const NO_STREAM = "The service answers, but its live connection (a WebSocket) does not come through: a proxy in between has to pass on the headers Upgrade and Connection.";
// Error codes that pass: the same attempt may succeed a little later.
const PASSING = new Set(["full", "busy", "idle", "slow", "stopping"]);

/**
 * @param on callbacks: ready(message), event(message, latencyMs), behind(seconds), state("connecting" | "live" | "lost"),
 *   failed(sentence, code): the service's word for it, if it is the service that refuses.
 */
export class Stream {
  session = "";
  #delivery = new Delivery();
  #attempt = 0;
  #ready = false;
  #everReady = false;
  #finishing = false;
  #closed = false;
  #seq = 0;

  constructor(tape, models, options, on) {
    Object.assign(this, { tape, models, options, on });
    this.finished = new Promise((resolve) => (this.resolveFinished = resolve));
    window.addEventListener("online", this.#online);
    this.#connect();
  }

  /** The share of the tape that was sent, 0 to 1. */
  get sentShare() {
    return this.tape.length ? this.#delivery.next / this.tape.length : 1;
  }

  /** Send what the tape has and the server lacks. */
  push() {
    if (!this.#ready) return;
    const most = Math.round(this.tape.rate * MESSAGE_S);
    while (this.#delivery.next < this.tape.length) {
      if (this.socket.bufferedAmount > UNSENT) return void setTimeout(() => this.push(), 50);
      const to = Math.min(this.#delivery.next + most, this.tape.length);
      this.socket.send(this.tape.slice(this.#delivery.next, to).buffer);
      this.#delivery.sent(to, performance.now());
    }
    if (this.#finishing) this.#say({ type: "finish" });
  }

  /** No more sound will come; resolves when the stream is closed, to whether everything was answered. */
  finish() {
    this.#finishing = true;
    this.push();
    return this.finished;
  }

  close(isComplete = false) {
    if (this.#closed) return;
    this.#closed = true;
    this.#ready = false;
    clearTimeout(this.retry);
    clearInterval(this.heart);
    window.removeEventListener("online", this.#online);
    this.socket?.close();
    this.resolveFinished(isComplete);
  }

  #online = () => {
    if (!this.#ready && !this.#closed) this.#connect();
  };

  #connect() {
    clearTimeout(this.retry);
    this.#drop();
    const address = url("v1/stream");
    address.protocol = address.protocol.replace("http", "ws");
    const query = address.searchParams;
    query.set("rate", this.tape.rate);
    query.set("format", "s16le");
    for (const name of this.models) query.append("model", name);
    for (const [name, value] of Object.entries(this.options)) if (value) query.set(name, value);
    if (this.session) {
      // The number of the last event that came: those after it are sent again.
      query.set("session", this.session);
      query.set("seq", this.#seq);
    }
    this.on.state(this.#everReady ? "lost" : "connecting");
    try {
      this.socket = new WebSocket(address, token() ? [`intonate.token.${token()}`] : []);
    } catch {
      return this.#fail("The token holds characters that a browser cannot send: choose one of letters, digits, - and _.");
    }
    this.socket.binaryType = "arraybuffer";
    this.socket.onmessage = ({ data }) => this.#receive(JSON.parse(data));
    this.socket.onclose = () => this.#lost();
    this.heard = performance.now();
    this.heart = setInterval(() => this.#beat(), PING_MS);
  }

  #beat() {
    if (performance.now() - this.heard > SILENT_MS) this.#lost();
    else if (this.#ready) this.#say({ type: "ping", t: performance.now() });
  }

  /** Let go of a socket without hearing from it again. */
  #drop() {
    clearInterval(this.heart);
    this.#ready = false;
    if (!this.socket) return;
    this.socket.onmessage = this.socket.onclose = null;
    this.socket.close();
  }

  #lost() {
    if (this.#closed) return;
    this.#drop();
    if (!this.#everReady && this.#attempt >= FIRST_ATTEMPTS) return void this.#giveUp();
    this.on.state(this.#everReady ? "lost" : "connecting");
    const wait = RETRY_MS[Math.min(this.#attempt++, RETRY_MS.length - 1)];
    this.retry = setTimeout(() => this.#connect(), wait);
  }

  async #giveUp() {
    const refusal = this.refusal && `The service takes no further session now: ${this.refusal}.`;
    const reason = refusal || ((await isThere()) ? NO_STREAM : GONE);
    if (!this.#closed) this.#fail(reason);
  }

  #receive(message) {
    this.heard = performance.now();
    if (message.type === "ready") this.#begin(message);
    else if (["segment", "final", "transcript"].includes(message.type)) {
      this.#seq = message.seq ?? this.#seq;
      const endSample = Math.round(message.end * this.tape.rate);
      const latency = message.type === "segment" ? this.#delivery.latency(endSample, this.heard) : undefined;
      this.on.event(message, latency);
    } else if (message.type === "behind") this.on.behind(message.seconds);
    else if (message.type === "error") this.#refused(message);
    else if (message.type === "done") this.close(true);
  }

  #begin(message) {
    if (message.session !== this.session) this.#seq = 0;
    this.session = message.session;
    this.#attempt = 0;
    this.#ready = this.#everReady = true;
    // A server that knows nothing of the session says 0, and hears it all again.
    this.#delivery.resumeAt(message.received ?? 0);
    this.on.ready(message);
    this.on.state("live");
    this.push();
  }

  #refused({ error, code }) {
    if (PASSING.has(code)) {
      this.refusal = error;
      return this.#lost();
    }
    this.#fail(error, code);
  }

  #fail(sentence, code) {
    this.close();
    this.on.failed(sentence, code);
  }

  #say(message) {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(message));
  }
}
