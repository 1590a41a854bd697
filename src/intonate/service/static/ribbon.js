/** The session as a ribbon: zoom, scroll, seek, and its slider for the keyboard. The drawing is in painter.js. */

import { el, write } from "./dom.js";
import { layout, paint } from "./painter.js";
import { clamp, LIVE_SPAN_S, PHONE_SPAN_S, reveal, zoom } from "./scale.js";
import { seconds } from "./session.js";
import { clock, inWords } from "./timeline.js";

// What an arrow key moves the playhead by, seconds; with shift or the page keys, LEAP_S.
const STEP_S = 1;
const LEAP_S = 10;
const DRAG_PX = 4;

export class Ribbon {
  live = false;
  following = true;
  playhead = 0;
  view = { start: 0, span: LIVE_SPAN_S };
  // Moments whose answers are kept from a person who is labelling.
  hidden = () => false;
  mode = "label";
  dirty = true;

  /** @param node the focusable slider; onSeek is called with seconds. */
  constructor(node, onSeek) {
    this.node = node;
    this.onSeek = onSeek;
    this.canvas = el("canvas", { "aria-hidden": "true" });
    this.tip = el("div", { class: "tip", "aria-hidden": "true", hidden: true });
    node.append(this.canvas, this.tip);
    new ResizeObserver(() => this.refresh()).observe(node);
    node.addEventListener("keydown", (event) => this.#key(event));
    node.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    node.addEventListener("pointerdown", (event) => this.#down(event));
    node.addEventListener("pointermove", (event) => this.#hover(event));
    node.addEventListener("pointerleave", () => this.#point(undefined));
  }

  set session(session) {
    this.current = session;
    this.playhead = 0;
    this.following = true;
    this.view = { start: 0, span: this.node.clientWidth < 500 ? PHONE_SPAN_S : LIVE_SPAN_S };
    this.refresh();
  }

  get duration() {
    return this.current ? seconds(this.current) : 0;
  }

  /** Draw again before the next frame. */
  refresh() {
    this.dirty = true;
  }

  /** Called once a frame. */
  draw() {
    if (!this.current || !this.dirty) return;
    if (this.live) this.playhead = this.duration;
    if (this.live && this.following) this.view = { ...this.view, start: this.duration - this.view.span };
    this.view = clamp(this.view, this.duration);
    this.dirty = false;
    this.layout = layout(this.current, this.mode);
    paint(this.canvas, this);
  }

  /** Put the playhead somewhere without telling anyone, keeping it in sight while playing. */
  follow(timeS) {
    this.playhead = timeS;
    this.view = reveal(this.view, timeS);
    this.refresh();
  }

  seek(timeS) {
    const at = Math.max(0, Math.min(timeS, this.duration));
    this.follow(at);
    this.onSeek(at);
    this.describe();
  }

  /** The slider's value, in words, for those who do not see the ribbon. */
  describe() {
    const words = this.#words(this.playhead);
    this.node.setAttribute("aria-valuemax", this.duration.toFixed(1));
    this.node.setAttribute("aria-valuenow", Math.min(this.playhead, this.duration).toFixed(1));
    this.node.setAttribute("aria-valuetext", `${clock(this.playhead, true)}, ${words.join("; ")}`);
  }

  zoomBy(factor, aroundS) {
    const inside = this.playhead >= this.view.start && this.playhead <= this.view.start + this.view.span;
    const around = aroundS ?? (inside ? this.playhead : this.view.start + this.view.span / 2);
    this.view = clamp(zoom(this.view, factor, around), this.duration);
    this.refresh();
  }

  fit() {
    this.view = { start: 0, span: Math.max(this.duration, 2) };
    this.refresh();
  }

  scrollBy(deltaS) {
    this.view = clamp({ ...this.view, start: this.view.start + deltaS }, this.duration);
    if (this.live) this.following = this.view.start + this.view.span >= this.duration - 0.5;
    this.refresh();
  }

  /** What each model says about a moment. */
  #words(timeS) {
    if (this.hidden(timeS)) return ["not labelled yet"];
    const { models, timelines } = this.current;
    return models.map((model) => (models.length > 1 ? `${model}: ` : "") + inWords(timelines.get(model).at(timeS)));
  }

  #timeAt(event) {
    const box = this.canvas.getBoundingClientRect();
    return this.view.start + ((event.clientX - box.left) / box.width) * this.view.span;
  }

  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const step = event.shiftKey ? LEAP_S : STEP_S;
    const moves = {
      ArrowLeft: -step, ArrowDown: -step, ArrowRight: step, ArrowUp: step,
      PageDown: -LEAP_S, PageUp: LEAP_S, Home: -Infinity, End: Infinity,
    };
    if (event.key in moves) {
      event.preventDefault();
      if (this.live) this.scrollBy(moves[event.key]);
      else this.seek(Math.max(0, Math.min(this.duration, this.playhead + moves[event.key])));
    }
  }

  #wheel(event) {
    if (!this.current) return;
    if (event.ctrlKey || event.metaKey) {
      event.preventDefault();
      this.zoomBy(Math.exp(-event.deltaY / 200), this.#timeAt(event));
    } else if (Math.abs(event.deltaX) > Math.abs(event.deltaY) || event.shiftKey) {
      event.preventDefault();
      const pixels = event.deltaX || event.deltaY;
      this.scrollBy((pixels / this.canvas.clientWidth) * this.view.span);
    }
  }

  /** A click seeks; a drag scrolls, or where everything is in sight moves the playhead. */
  #down(event) {
    if (!this.current || event.button !== 0) return;
    this.node.setPointerCapture(event.pointerId);
    const from = event.clientX;
    let last = from;
    let dragged = false;
    const move = (next) => {
      dragged ||= Math.abs(next.clientX - from) > DRAG_PX;
      if (!dragged) return;
      const hidden = this.view.span < this.duration - 0.1;
      if (hidden) this.scrollBy(((last - next.clientX) / this.canvas.clientWidth) * this.view.span);
      else if (!this.live) this.seek(this.#timeAt(next));
      last = next.clientX;
    };
    const up = (next) => {
      this.node.removeEventListener("pointermove", move);
      if (!dragged && !this.live) this.seek(this.#timeAt(next));
    };
    this.node.addEventListener("pointermove", move);
    this.node.addEventListener("pointerup", up, { once: true });
    this.node.addEventListener("pointercancel", () => this.node.removeEventListener("pointermove", move), { once: true });
  }

  #hover(event) {
    if (this.current && event.pointerType !== "touch") this.#point(this.#timeAt(event));
  }

  #point(timeS) {
    this.pointed = timeS != null && timeS >= 0 && timeS <= this.duration ? timeS : undefined;
    this.tip.hidden = this.pointed == null;
    this.refresh();
    if (this.tip.hidden) return;
    write(this.tip, `${clock(timeS, true)}  ${this.#words(timeS).join("\n")}`);
    const width = this.canvas.clientWidth;
    const at = ((timeS - this.view.start) / this.view.span) * width;
    const half = this.tip.offsetWidth / 2;
    this.tip.style.left = `${Math.max(half, Math.min(width - half, at))}px`;
  }
}
