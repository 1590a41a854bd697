/** The models against the person's labels: figures and a confusion matrix per model. */

import { el } from "./dom.js";
import { MERGES, score } from "./metrics.js";
import { pairs } from "./pieces.js";
import { percent } from "./timeline.js";

const CLASSES = [
  ["", "as labelled"],
  ["p4-4", "four: anger/disgust, fear/surprise, happiness, sadness"],
  ["valence", "three: negative, neutral, positive"],
];

export class Scores {
  constructor(session) {
    this.session = session;
    const update = () => this.update();
    this.leaveOut = el("input", { type: "checkbox", checked: true, id: "leave-out", onchange: update });
    this.classes = el("select", { id: "classes", onchange: update }, ...CLASSES.map(([value, text]) => el("option", { value }, text)));
    this.verdicts = el("div", { class: "verdicts" });
    this.node = el(
      "div",
      { class: "scores" },
      el("h3", {}, "How often the models agree with you"),
      el(
        "div",
        { class: "row" },
        el("label", {}, this.leaveOut, "Leave out neutral and silent pieces"),
        el("label", {}, "Classes", this.classes),
      ),
      this.verdicts,
    );
  }

  update() {
    const { models, pieces, given, timelines, labels } = this.session;
    const merge = MERGES[this.classes.value];
    this.verdicts.replaceChildren(
      ...models.map((model) => {
        const found = pairs(pieces, given, timelines.get(model), { leaveOut: this.leaveOut.checked, merge });
        return verdict(model, found, merge ? [...new Set(Object.values(merge))] : labels);
      }),
    );
  }
}

function verdict(model, found, order) {
  const node = el("section", { class: "verdict", "aria-label": `Scores of ${model}` }, el("h4", {}, model));
  if (!found.length) {
    node.append(el("p", { class: "muted" }, "Nothing to score yet: label a piece with speech."));
    return node;
  }
  const result = score(found, order);
  const figure = (name, value) => el("div", {}, el("dt", {}, name), el("dd", { "data-figure": name }, value));
  node.append(
    el(
      "dl",
      { class: "figures" },
      figure("Accuracy", percent(result.accuracy)),
      figure("Weighted F1", percent(result.weightedF1)),
      figure("Macro F1", percent(result.macroF1)),
      figure("Pieces", String(result.count)),
    ),
    el("p", { class: "how" }, "Rows: what you said. Columns: what the ribbon shows for most of the piece."),
    el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": `Confusion matrix of ${model}` }, matrix(result)),
  );
  return node;
}

function matrix({ classes, confusion }) {
  const largest = Math.max(1, ...confusion.flat());
  const cell = (n, row, column) => {
    const share = n / largest;
    const node = el("td", { class: [!n && "none", share > 0.55 && "strong", row === column && "right"].filter(Boolean).join(" ") }, String(n));
    node.style.setProperty("--share", share);
    return node;
  };
  return el(
    "table",
    { class: "confusion" },
    el("thead", {}, el("tr", {}, el("td", { class: "corner" }), ...classes.map((label) => el("th", { scope: "col" }, label)))),
    el(
      "tbody",
      {},
      ...classes.map((label, row) =>
        el("tr", {}, el("th", { scope: "row" }, label), ...confusion[row].map((n, column) => cell(n, row, column))),
      ),
    ),
  );
}
