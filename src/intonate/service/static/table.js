/** The ribbon as text: a table that a screen reader reads and anyone can copy. */

import { el } from "./dom.js";
import { clock, nameOf, percent } from "./timeline.js";

// More rows than this would make the page slow; the CSV has them all.
const MOST_ROWS = 500;

export function table(session) {
  const several = session.models.length > 1;
  const rows = session.models.flatMap((model) =>
    session.timelines.get(model).runs().map((run) => ({ model, ...run })),
  );
  rows.sort((a, b) => a.start - b.start);
  const names = [...new Set(session.models.flatMap((model) => session.timelines.get(model).dimensions))];
  const hasScores = !names.length || rows.some(({ scores }) => scores.length);
  const head = ["From", "To", several && "Model", "Sounds", hasScores && "Sure", ...names].filter(Boolean);
  const cells = (run) => [
    clock(run.start, true), clock(run.end, true), ...(several ? [run.model] : []), nameOf(run),
    ...(hasScores ? [run.speech && run.scores.length ? percent(run.score) : ""] : []), ...names.map((name) => run.dimensions?.[name]?.toFixed(2) ?? ""),
  ];
  const body = rows.slice(0, MOST_ROWS).map((run) => el("tr", {}, ...cells(run).map((text) => el("td", {}, text))));
  if (rows.length > MOST_ROWS) {
    body.push(el("tr", {}, el("td", { colspan: head.length }, `and ${rows.length - MOST_ROWS} more: save as CSV`)));
  }
  return el(
    "table",
    {},
    el("thead", {}, el("tr", {}, ...head.map((text) => el("th", { scope: "col" }, text)))),
    el("tbody", {}, ...body),
  );
}
