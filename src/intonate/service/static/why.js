/** “Why?”: a panel that says what moves the answer to a stretch of the session. Its sound is sent only when asked for. */

import { explain } from "./api.js";
import { announce, el, write } from "./dom.js";
import { answerAt, stretchAt } from "./reasons.js";
import { labelsOf, takesText } from "./service.js";
import { bandName, TilePicture } from "./tiles.js";
import { clock, percent } from "./timeline.js";
import { wav } from "./writers.js";

export class Why {
  #offered;

  /** @param onPlay is called with the start and end of what is explained, seconds. */
  constructor(node, button, onPlay) {
    Object.assign(this, { node, button, onPlay });
    button.hidden = !explain;
    node.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      event.stopPropagation();
      this.close();
    });
  }

  get isOpen() {
    return !this.node.hidden;
  }

  /** What the button explains from now on; no session: nothing, `timeS` undefined: the whole of it. */
  offer(session, timeS, isHidden) {
    const answer = session?.tape && !isHidden ? answerAt(session, session.models[0], timeS) : undefined;
    this.#offered = { session, timeS };
    this.button.disabled = !answer;
    this.button.title = answer ? "" : session && !session.tape ? "There is no sound here to ask about" : "";
    write(this.button.firstElementChild, answer?.label ? `Why ${answer.label}?` : "Why?");
  }

  /** Explain what is offered. */
  open() {
    const { session, timeS } = this.#offered;
    if (!this.button.disabled && !this.button.hidden) this.#explain(session, timeS, session.models[0]);
  }

  async #explain(session, timeS, model) {
    this.#stop();
    const stretch = stretchAt(session, model, timeS);
    this.#build(session, timeS, model, stretch);
    this.node.hidden = false;
    this.title.focus({ preventScroll: true });
    if (!stretch) return this.#show(el("p", {}, `${model} heard nobody speak here.`));
    const { tape } = session;
    const samples = tape.slice(Math.round(stretch.start * tape.rate), Math.round(stretch.end * tape.rate));
    const label = labelsOf(model).includes(stretch.label) ? stretch.label : undefined;
    const abort = (this.abort = new AbortController());
    this.#show(
      el("p", { class: "waits" }, `${model} answers some 180 changed copies of it. `, el("button", { type: "button", class: "quiet", onclick: () => this.close() }, "Cancel")),
      el("progress", { "aria-label": "Explaining" }),
    );
    try {
      const sound = new Blob([wav(samples, tape.rate)], { type: "audio/wav" });
      const text = takesText(model) ? stretch.text : "";
      const options = { model, label, text, offset: stretch.start, signal: abort.signal };
      const explanation = await explain(sound, options);
      if (!abort.signal.aborted) this.#showAnswer(explanation);
    } catch (error) {
      if (!abort.signal.aborted) this.#show(el("p", { class: "wrong", role: "alert" }, error.message));
    }
  }

  close() {
    if (!this.isOpen) return;
    this.#stop();
    const hadFocus = this.node.contains(document.activeElement);
    this.node.hidden = true;
    if (hadFocus) this.button.focus();
  }

  /** The theme changed. */
  refresh() {
    this.picture?.draw();
  }

  #stop() {
    this.abort?.abort();
    this.picture?.close();
    this.picture = undefined;
  }

  #build(session, timeS, model, stretch) {
    this.title = el("h2", { id: "why-title", tabindex: "-1" }, stretch?.label ? `Why ${stretch.label}?` : "Why?");
    this.lead = el("p", { class: "muted" }, stretch ? `${clock(stretch.start, true)} to ${clock(stretch.end, true)}, ${model}` : model);
    this.body = el("div", { class: "reasons" });
    const several = session.models.length > 1;
    const choose = (name) => el("button", { type: "button", "aria-pressed": String(name === model), onclick: () => this.#explain(session, timeS, name) }, name);
    this.node.replaceChildren(
      el(
        "div",
        { class: "row" },
        this.title,
        several && el("div", { class: "choice", role: "group", "aria-label": "Model" }, ...session.models.map(choose)),
        el(
          "div",
          { class: "tools" },
          stretch && el("button", { type: "button", class: "quiet", onclick: () => this.onPlay(stretch.start, stretch.end) }, "Play it"),
          el("button", { type: "button", class: "quiet", id: "why-close", onclick: () => this.close() }, "Close"),
        ),
      ),
      this.lead,
      this.body,
    );
  }

  #show(...content) {
    this.body.replaceChildren(...content);
    this.picture?.draw();
    this.node.scrollIntoView({ block: "nearest" });
  }

  #showAnswer(explanation) {
    const { explained, abstained, scores, sentences, caution, notes, start, end, model } = explanation;
    const best = scores.slice(0, 3).map(({ label, score }) => `${label} ${percent(score)}`).join(", ");
    write(this.title, `Why ${explained}?`);
    write(this.lead, `${clock(start, true)} to ${clock(end, true)}, heard by itself by ${model}: ${abstained ? "unsure, at best " : ""}${best}`);
    this.picture = new TilePicture(explanation);
    const swatch = (kind, text) => el("li", {}, el("span", { class: `swatch ${kind}` }), text);
    const other = scores[0].label;
    const isOther = other !== explained && labelsOf(model).includes(other);
    const remarks = [isOther && `By itself this sounds ${other} to the model. What follows is about ${explained}`, ...notes];
    this.#show(
      ...remarks.filter(Boolean).map((text) => el("p", { class: "muted small" }, `${text[0].toUpperCase()}${text.slice(1)}.`)),
      el("ul", { class: "plain" }, ...sentences.map((sentence) => el("li", {}, sentence))),
      this.picture.node,
      el(
        "ul",
        { class: "legend" },
        swatch("for", `speaks for ${explained}`),
        swatch("against", "speaks against it"),
        swatch("region", "turned down in the first sentence"),
      ),
      el("p", { class: "muted small" }, caution),
      details(explanation),
    );
    announce(`Why ${explained}? ${sentences.join(" ")}`);
  }
}

/** Everything that was measured, as tables. */
function details({ explained, scores, stretches, bands, changes, faithfulness }) {
  const before = scores.find(({ label }) => label === explained).score;
  const row = (name, score) => el("tr", {}, el("th", { scope: "row" }, name), el("td", {}, percent(score)), el("td", {}, points(score - before)));
  const table = (head, rows) =>
    el(
      "table",
      {},
      el("thead", {}, el("tr", {}, ...[head, explained, "points"].map((text) => el("th", { scope: "col" }, text)))),
      el("tbody", {}, ...rows),
    );
  const last = bands.length - 1;
  return el(
    "details",
    {},
    el("summary", {}, "In figures"),
    el(
      "div",
      { class: "scroll", tabindex: "0", role: "region", "aria-label": "The explanation in figures" },
      table("turned down", [
        ...stretches.map(({ start, end, score_without: score }) => row(`${start.toFixed(1)} to ${end.toFixed(1)} s`, score)),
        ...bands.map((band, at) => row(bandName(band, at === last), band.score_without)),
      ]),
      table("changed", changes.map(({ change, score }) => row(change, score))),
    ),
    el("p", { class: "muted small" }, faithfulness.sentence),
  );
}

/** `+12`, `−3`, `0`. */
function points(share) {
  const whole = Math.round(100 * share);
  return whole > 0 ? `+${whole}` : whole < 0 ? `−${-whole}` : "0";
}
