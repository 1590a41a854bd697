/** The big state: per model a ring (how sure), a word (what it sounds like) and a bar for every label. */

import { el, write } from "./dom.js";
import { colour } from "./palette.js";
import { Numbers } from "./plane.js";
import { percent, percents } from "./timeline.js";

const SVG = "http://www.w3.org/2000/svg";
const RADIUS = 54;
// As in the terminal: nine in ten unknown recordings lie nearer to what the model was trained on.
const UNFAMILIAR = 0.1;

/** The ring, empty: its `arc` fills by `stroke-dasharray`, in percent. */
export function ring() {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 128 128");
  svg.setAttribute("aria-hidden", "true");
  for (const name of ["halo", "track", "arc"]) {
    const circle = document.createElementNS(SVG, "circle");
    circle.setAttribute("class", name);
    circle.setAttribute("cx", 64);
    circle.setAttribute("cy", 64);
    circle.setAttribute("r", RADIUS);
    if (name === "arc") circle.setAttribute("pathLength", 100);
    svg.append(circle);
  }
  return svg;
}

/** The page's own mark, in a ring that has nothing to show. */
function mark() {
  return document.querySelector("h1 .mark").cloneNode(true);
}

/** One model's card. */
class State {
  constructor(model, labels, dimensions, several) {
    this.numbers = dimensions.length > 0 && new Numbers(dimensions, several && model);
    this.number = el("span", { class: "number" });
    this.word = el("p", { class: "word" });
    this.also = el("p", { class: "also" });
    this.caution = el("p", { class: "caution", hidden: true }, "Unlike what the model learnt from: doubt this answer.");
    this.bars = new Map();
    this.list = el("ul", { class: "bars", "aria-label": several ? `Probabilities, ${model}` : "Probabilities" });
    this.node = el(
      "section",
      { class: "state", "aria-label": several ? `State, ${model}` : "State" },
      several && el("h3", { class: "model" }, model),
      el("div", { class: "dial" }, ring(), mark(), this.number),
      el("div", { class: "said" }, this.word, this.also, this.caution),
      labels.length > 0 && this.list,
      this.numbers && this.numbers.node,
    );
    this.node.classList.toggle("unlabelled", !labels.length && Boolean(this.numbers));
    this.arc = this.node.querySelector(".arc");
    this.halo = this.node.querySelector(".halo");
    for (const label of labels) this.#bar(label);
  }

  /** `stretch` as in timeline.js; undefined shows `idle`, {word, also}. `trail`: the stretches before it. */
  show(stretch, idle, trail = []) {
    // As with the bars, nothing is claimed while nobody speaks; the way stays.
    if (this.numbers) this.numbers.show(stretch?.state === "speech" ? stretch.dimensions : undefined, trail.map(({ dimensions }) => dimensions));
    const kind = !stretch ? "idle" : stretch.state !== "speech" ? "quiet" : stretch.label === "unsure" ? "unsure" : "sure";
    this.node.dataset.kind = kind;
    this.node.style.setProperty("--emotion", colour(kind === "sure" ? stretch.label : kind === "quiet" ? "silence" : "unsure"));
    const speaks = (kind === "sure" || kind === "unsure") && stretch.scores.length > 0;
    write(this.word, stretch ? (kind === "quiet" && stretch.label !== "noise" ? "silence" : stretch.label) : idle.word);
    write(this.number, speaks ? percent(stretch.score) : "");
    write(this.also, stretch ? this.#also(stretch, kind) : idle.also);
    this.caution.hidden = !(speaks && (stretch.familiarity ?? 1) <= UNFAMILIAR);
    this.arc.style.strokeDasharray = `${speaks ? 100 * stretch.score : 0} 100`;
    const scores = new Map(speaks ? stretch.scores.map(({ label, score }) => [label, score]) : []);
    for (const label of scores.keys()) this.#bar(label);
    const told = scores.has(stretch?.label) ? stretch.label : scores.keys().next().value;
    for (const [label, { row, fill, number }] of this.bars) {
      const share = scores.get(label);
      row.classList.toggle("best", label === told);
      fill.style.transform = `translateX(${100 * ((share ?? 0) - 1)}%)`;
      write(number, share == null ? "–" : percent(share));
    }
  }

  #also({ scores, label, labels, state }, kind) {
    if (kind === "quiet") return state === "noise" || label === "noise" ? "Something is heard, but no speech." : "Nobody speaks.";
    // Of several labels at once those that are there; else the nearest that are not.
    if (labels?.length) return labels.length > 1 ? `with ${percents({ scores, labels: labels.filter((name) => name !== label) })}` : "";
    const rest = scores.filter((entry) => entry.label !== label && entry.score >= 0.05).slice(0, 2);
    const listed = rest.map((entry) => `${entry.label} ${percent(entry.score)}`).join(", ");
    if (kind === "unsure") return listed ? `Could be ${listed}.` : "No clear answer.";
    return listed ? `also ${listed}` : "";
  }

  #bar(label) {
    if (this.bars.has(label)) return;
    const fill = el("i");
    fill.style.backgroundColor = colour(label);
    const number = el("span", { class: "share" }, "–");
    const row = el("li", {}, el("span", { class: "name" }, label), el("span", { class: "bar" }, fill), number);
    this.list.append(row);
    this.bars.set(label, { row, fill, number });
  }
}

/** The cards of all models. */
export class Stage {
  #states = new Map();

  constructor(node) {
    this.node = node;
  }

  /** @param models [{name, labels, dimensions}] */
  setModels(models) {
    const several = models.length > 1;
    this.#states = new Map(models.map(({ name, labels, dimensions = [] }) => [name, new State(name, labels, dimensions, several)]));
    this.node.replaceChildren(...[...this.#states.values()].map(({ node }) => node));
    this.node.classList.toggle("several", several);
    // Label or probabilities: only where there are labels.
    document.querySelector("#view").hidden = models.length > 0 && models.every(({ labels, dimensions = [] }) => !labels.length && dimensions.length);
  }

  /** @param stretchOf model name -> stretch or undefined; @param trailOf model name -> the stretches before it. */
  show(stretchOf, idle, trailOf = () => []) {
    for (const [model, state] of this.#states) state.show(stretchOf(model), idle, trailOf(model));
  }

  /** The voice's level, dBFS, as the glow of the rings; -60 and below is none. */
  set level(dbfs) {
    const share = Math.max(0, Math.min(1, (dbfs + 60) / 54));
    for (const { halo } of this.#states.values()) {
      halo.style.transform = `scale(${(0.86 + 0.3 * share).toFixed(3)})`;
      halo.style.opacity = (0.06 + 0.16 * share).toFixed(3);
    }
  }
}
