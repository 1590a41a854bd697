/** What the colours of the ribbon mean, and for how long each was heard. */

import { el } from "./dom.js";
import { colour } from "./palette.js";
import { secondsPerLabel } from "./session.js";
import { clock } from "./timeline.js";

let shown = "";

const lasted = (seconds) => (seconds < 59.5 ? `${seconds.toFixed(seconds < 9.95 ? 1 : 0)}\u00a0s` : clock(seconds));

export function showLegend(node, session) {
  const rows = session.models.map((model) => [model, secondsPerLabel(session, model)]);
  const state = JSON.stringify(rows);
  if (state === shown) return;
  shown = state;
  node.replaceChildren(
    ...rows.map(([model, found]) =>
      el(
        "ul",
        { class: "legend", "aria-label": `What was heard for how long, ${model}` },
        session.models.length > 1 && el("li", { class: "muted" }, model),
        ...found.map(([label, seconds]) => {
          const dot = el("span", { class: `dot ${label === "unsure" ? "hatched" : ""}` });
          if (label !== "unsure") dot.style.backgroundColor = colour(label);
          return el("li", {}, dot, label, el("span", { class: "figure" }, lasted(seconds)));
        }),
      ),
    ),
  );
}
