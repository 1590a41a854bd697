/** Labelling: hear a piece, press a key, next. The figures below follow at once. */

import { download, el, icon, notice, write } from "./dom.js";
import { colour } from "./palette.js";
import { cut, load, save } from "./pieces.js";
import { Scores } from "./scores.js";
import { clock } from "./timeline.js";

export class LabelMode {
  /**
   * @param button opens it, and has the focus again when it is closed; player plays the pieces; onChange is called when a
   *   label came or went, onShow with a piece's start.
   */
  constructor(node, button, player, { onChange, onShow }) {
    Object.assign(this, { node, button, player, onChange, onShow });
  }

  get isOpen() {
    return !this.node.hidden;
  }

  /** Whether the models' answers to a moment are still kept from the person: they would sway the label. */
  hides(timeS) {
    return this.isOpen && !this.session.given.has(this.session.pieces.findIndex(({ end }) => timeS < end));
  }

  /** Whether there is such a moment. */
  get hidesSome() {
    return this.isOpen && this.session.pieces.some((_, index) => !this.session.given.has(index));
  }

  open(session, durationS) {
    this.session = session;
    session.pieces = cut(durationS);
    if (!session.pieces.length) return notice("This session is too short to label: half a second is the least.", "error");
    this.durationS = durationS;
    this.past = [];
    this.choices = [...session.labels.filter((label) => label !== "silence" && label !== "unsure" && label !== "noise")];
    this.#build();
    this.node.hidden = false;
    this.node.scrollIntoView({ block: "nearest" });
    this.title.focus({ preventScroll: true });
    const first = session.pieces.findIndex((_, index) => !session.given.has(index));
    this.#go(Math.max(0, first));
  }

  close() {
    if (!this.isOpen) return;
    const hadFocus = this.node.contains(document.activeElement);
    this.node.hidden = true;
    if (hadFocus) this.button.focus({ preventScroll: true });
    this.player.pause();
    this.onChange();
  }

  /** A key of the keyboard; true where it meant something here. */
  key(key) {
    const number = Number(key);
    if (key === "0") this.#give("silence");
    else if (number >= 1 && number <= this.choices.length) this.#give(this.choices[number - 1]);
    else if (key === "a") this.#play();
    else if (key === "s") this.#go(this.at + 1);
    else if (key === "z") this.#undo();
    else return false;
    return true;
  }

  #build() {
    const button = (label, text, key) => {
      const dot = el("span", { class: "dot" });
      dot.style.backgroundColor = colour(label);
      const show = el("button", { type: "button", "data-label": label, onclick: () => this.#give(label) }, dot, text);
      if (key) show.append(el("kbd", { "aria-hidden": "true" }, key));
      if (key) show.setAttribute("aria-keyshortcuts", key);
      return show;
    };
    const act = (text, key, onclick, iconName) =>
      el("button", { type: "button", onclick, "aria-keyshortcuts": key }, iconName && icon(iconName), text, el("kbd", { "aria-hidden": "true" }, key));
    this.title = el("h2", { id: "labelling-title", tabindex: "-1" }, "Label and score");
    this.place = el("b");
    this.count = el("span", { class: "muted", role: "status" });
    this.bar = el("progress", { max: this.session.pieces.length, "aria-label": "Labelled pieces" });
    this.emotions = el(
      "div",
      { class: "emotions", role: "group", "aria-label": "What does this piece sound like?" },
      ...this.choices.map((label, index) => button(label, label, index < 9 ? String(index + 1) : "")),
      button("silence", "no speech", "0"),
    );
    this.file = el("input", { type: "file", accept: ".json,application/json", hidden: true, onchange: () => this.#load() });
    this.scores = new Scores(this.session);
    this.node.replaceChildren(
      el(
        "div",
        { class: "row" },
        this.title,
        el(
          "div",
          { class: "tools" },
          el("button", { type: "button", class: "quiet", id: "labels-load", onclick: () => this.file.click() }, "Load labels"),
          el("button", { type: "button", class: "quiet", id: "labels-save", onclick: () => this.#save() }, "Save labels"),
          el("button", { type: "button", class: "quiet", id: "labels-close", onclick: () => this.close() }, "Close"),
        ),
        this.file,
      ),
      el("p", { class: "muted" }, "Listen to each piece and say what it sounds like to you. Until then the models’ answers to it stay hidden."),
      el("div", { class: "piece" }, this.place, this.count),
      this.bar,
      this.emotions,
      el(
        "div",
        { class: "row" },
        act("Again", "A", () => this.#play(), "again"),
        act("Skip", "S", () => this.#go(this.at + 1)),
        act("Undo", "Z", () => this.#undo()),
      ),
      this.scores.node,
    );
  }

  #go(index) {
    const { pieces } = this.session;
    const last = index >= pieces.length;
    this.at = Math.min(index, pieces.length - 1);
    this.#show();
    if (last) {
      this.player.pause();
      return notice("That was the last piece.", "good");
    }
    this.#play();
  }

  #show() {
    const { pieces, given } = this.session;
    const { start, end } = pieces[this.at];
    write(this.place, `Piece ${this.at + 1} of ${pieces.length}`);
    write(this.count, `${clock(start, true)} – ${clock(end, true)} · ${given.size} labelled`);
    this.bar.value = given.size;
    for (const button of this.emotions.children) {
      button.setAttribute("aria-pressed", String(given.get(this.at) === button.dataset.label));
    }
    this.scores.update();
    this.onShow(start);
  }

  #play() {
    const { start, end } = this.session.pieces[this.at];
    if (this.session.tape) this.player.play(start, Math.min(end, this.session.tape.seconds));
  }

  #give(label) {
    const { given } = this.session;
    this.past.push([this.at, given.get(this.at)]);
    given.set(this.at, label);
    this.session.hasNewLabels = true;
    this.onChange();
    this.#go(this.at + 1);
  }

  #undo() {
    const last = this.past.pop();
    if (!last) return notice("There is nothing to undo.");
    const [index, before] = last;
    if (before) this.session.given.set(index, before);
    else this.session.given.delete(index);
    this.onChange();
    this.#go(index);
  }

  #save() {
    const text = save(this.session.pieces, this.session.given, this.session.name, this.durationS);
    download(`${this.session.name} labels.json`, "application/json", text);
    this.session.hasNewLabels = false;
  }

  async #load() {
    const [file] = this.file.files;
    this.file.value = "";
    if (!file) return;
    try {
      const labels = load(await file.text(), this.session.pieces);
      if (this.session.hasNewLabels && !confirm(`Your ${this.session.given.size} labels are not saved. Replace them and lose them?`)) return;
      this.session.given.clear();
      for (const [index, label] of labels) this.session.given.set(index, label);
      this.past = [];
      this.session.hasNewLabels = false;
      this.onChange();
      this.#show();
      notice(`${labels.size} labels were loaded.`, "good");
    } catch (error) {
      notice(error.message, "error");
    }
  }
}
