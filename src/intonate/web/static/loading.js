/** What stands in the big state's place until the model is there. */

import { $, el, write } from "./dom.js";
import { ring } from "./stage.js";
import { percent } from "./timeline.js";

export class Loading {
  constructor() {
    this.number = el("span", { class: "number" });
    this.word = el("p", { class: "word" }, "Loading");
    this.also = el("p", { class: "also" }, "Once: later visits need no network.");
    this.node = el(
      "section",
      { class: "state", "data-kind": "sure", "aria-label": "Loading" },
      el("div", { class: "dial" }, ring(), this.number),
      el("div", { class: "said" }, this.word, this.also),
    );
    this.node.style.setProperty("--emotion", "var(--accent)");
    this.show(0);
    // Cards of models that are there already stay.
    if (!$("#stage").firstChild) $("#stage").append(this.node);
  }

  /** @param share of the bytes, 0 to 1. */
  show(share) {
    write(this.number, percent(share));
    this.node.querySelector(".arc").style.strokeDasharray = `${100 * share} 100`;
    write($("#connection-text"), share < 1 ? "loading" : "starting");
    if (share < 1) return;
    write(this.word, "Starting");
    write(this.also, "A few seconds more.");
  }
}
