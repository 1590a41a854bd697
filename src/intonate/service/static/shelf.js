/** The sessions of this tab, side by side: a new one takes nobody's place, and none goes before somebody says so. */

import { el } from "./dom.js";
import { isAtRisk, seconds } from "./session.js";
import { clock } from "./timeline.js";

export class Shelf {
  sessions = [];

  /** @param node where they are listed; onOpen is called with a session, onClose with one that was closed. */
  constructor(node, { onOpen, onClose }) {
    Object.assign(this, { node, onOpen, onClose });
  }

  /** Whether closing the page would lose something. */
  get isAtRisk() {
    return this.sessions.some(isAtRisk);
  }

  add(session) {
    if (!this.sessions.includes(session)) this.sessions.push(session);
  }

  /** Take a session away, after a question if it would be lost; returns the one to show instead. */
  close(session) {
    if (isAtRisk(session) && !confirm(`“${session.name}” is not saved. Close it and lose it?`)) return;
    this.drop(session);
    this.onClose(session);
  }

  drop(session) {
    this.sessions = this.sessions.filter((other) => other !== session);
  }

  show(current, isBusy) {
    this.node.hidden = this.sessions.length < 2;
    const state = this.sessions.map((one) => [one.name, isAtRisk(one), one === current, isBusy, clock(seconds(one))]).join();
    if (this.node.hidden || state === this.state) return;
    this.state = state;
    // Built anew, the tabs lose the focus: whoever has it stays where they were.
    const focused = this.#buttons.indexOf(document.activeElement);
    this.node.replaceChildren(
      ...this.sessions.map((session) => {
        const about = `${clock(seconds(session))}${isAtRisk(session) ? ", not saved" : ""}`;
        const attributes = { type: "button", disabled: isBusy, "aria-pressed": String(session === current) };
        return el(
          "span",
          { class: "tab" },
          el("button", { ...attributes, onclick: () => this.onOpen(session) }, el("b", {}, session.name), el("small", {}, about)),
          el("button", { type: "button", class: "quiet", disabled: isBusy, "aria-label": `Close ${session.name}`, onclick: () => this.close(session) }, "×"),
        );
      }),
    );
    if (focused >= 0) this.#buttons[Math.min(focused, this.#buttons.length - 1)].focus();
  }

  get #buttons() {
    return [...this.node.querySelectorAll("button")];
  }
}
