/** Numbers beside the labels, or instead of them: a line for each, and the way of the voice in the arousal–valence plane. */

import { el, write } from "./dom.js";

const SVG = "http://www.w3.org/2000/svg";
// A line's colour and dashes: told apart without colour, too. Others take what is left, in their order.
const LINES = { arousal: ["#d9681c", []], valence: ["#2b8ad0", [7, 4]], dominance: ["#3a9468", [2, 3]] };
const OTHERS = [["#9a6fc4", [10, 3, 2, 3]], ["#b0892a", [4, 4]], ["#7d8896", [1, 4]]];
// So many points of the way are drawn; on it, the newest are the clearest.
const TRAIL = 40;

/** {colour, dash} of a dimension among those of its model. */
export function lineOf(name, names) {
  const [colour, dash] = LINES[name] ?? OTHERS[names.filter((other) => !LINES[other]).indexOf(name) % OTHERS.length];
  return { colour, dash };
}

/** The last `TRAIL` points of a way, evenly thinned where it is longer. */
export function thinned(points, most = TRAIL) {
  if (points.length <= most) return points;
  return Array.from({ length: most }, (_, i) => points[Math.round((i * (points.length - 1)) / (most - 1))]);
}

function svg(name, attributes) {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  return node;
}

/** Valence to the right and arousal up, each from 0 to 1. */
class Plane {
  constructor() {
    this.svg = svg("svg", { viewBox: "-1 -1 102 102", role: "img", "aria-label": "Arousal and valence" });
    this.svg.append(
      svg("rect", { class: "ground", x: 0, y: 0, width: 100, height: 100, rx: 6 }),
      svg("path", { class: "cross", d: "M50 0V100M0 50H100" }),
    );
    this.way = svg("g", { class: "way" });
    this.point = svg("circle", { class: "point", r: 4.5 });
    this.svg.append(this.way, this.point);
    const side = (name, text) => el("span", { class: name, "aria-hidden": "true" }, text);
    const sides = [side("up", "arousal ↑"), side("right", "valence →")];
    this.node = el("div", { class: "plane" }, this.svg, ...sides);
  }

  /** @param trail the way until now, [{arousal, valence}]; @param now where the voice is, or undefined. */
  show(trail, now) {
    const at = ({ arousal, valence }) => [100 * valence, 100 - 100 * arousal];
    const points = thinned(trail).map(at);
    const state = JSON.stringify([points, now]);
    if (state === this.shown) return;
    this.shown = state;
    this.way.replaceChildren(
      ...points.slice(1).map(([x, y], i) => {
        const [fromX, fromY] = points[i];
        const age = (i + 1) / points.length;
        const width = (0.8 + 1.4 * age).toFixed(2);
        return svg("line", { x1: fromX, y1: fromY, x2: x, y2: y, "stroke-opacity": (0.12 + 0.7 * age ** 2).toFixed(2), "stroke-width": width });
      }),
    );
    this.point.style.visibility = now ? "" : "hidden";
    if (now) this.point.style.transform = `translate(${at(now).map((value) => `${value}px`).join(",")})`;
    this.svg.setAttribute("aria-label", now ? `Arousal ${now.arousal.toFixed(2)}, valence ${now.valence.toFixed(2)}` : "Arousal and valence");
  }
}

/** The numbers of one model: the plane, if it has both of its axes, and a line for each dimension. */
export class Numbers {
  constructor(names, model) {
    this.plane = names.includes("arousal") && names.includes("valence") && new Plane();
    this.rows = new Map(
      names.map((name) => {
        const mark = el("i");
        mark.style.backgroundColor = lineOf(name, names).colour;
        const value = el("span", { class: "share" }, "–");
        return [name, { mark, value, node: el("li", {}, el("span", { class: "name" }, name), el("span", { class: "track" }, mark), value) }];
      }),
    );
    const list = el("ul", { class: "dimensions", "aria-label": model ? `Dimensions, ${model}` : "Dimensions" }, ...[...this.rows.values()].map(({ node }) => node));
    this.node = el("div", { class: "numbers" }, this.plane && this.plane.node, list);
  }

  /** @param dimensions {name: 0 to 1} of now, or undefined; @param trail of the same, the newest last. */
  show(dimensions, trail = []) {
    for (const [name, { mark, value, node }] of this.rows) {
      const share = dimensions?.[name];
      node.classList.toggle("none", share == null);
      if (share != null) mark.style.left = `${100 * share}%`;
      write(value, share == null ? "–" : share.toFixed(2));
    }
    if (this.plane) this.plane.show(trail, dimensions?.arousal == null || dimensions.valence == null ? undefined : dimensions);
  }
}
