/** What is to be explained: which stretch of a session, and which answer to it. Pure. */

import { overall, seconds, transcript } from "./session.js";
import { labelled } from "./timeline.js";

// What the service explains at once, and what is sent at least: as much as one answer is about, seconds.
const LONGEST_S = 30;
const SHORTEST_S = { live: 2, file: 3 };

/** A model's answer to a moment, or to the whole session without one: `{label}`, or undefined where nobody speaks. */
export function answerAt(session, model, timeS) {
  const answer = timeS == null ? overall(session, model) : session.timelines.get(model).at(timeS);
  if (!answer || answer.state !== "speech") return undefined;
  return { label: answer.scores.length ? labelled(answer).guess : undefined };
}

/**
 * The stretch around a moment that has one label, or the session where it is short (else its longest stretch with the
 * label of the whole): {start, end, label, text}, times in seconds. Undefined where nobody speaks.
 */
export function stretchAt(session, model, timeS) {
  const answer = answerAt(session, model, timeS);
  if (!answer) return undefined;
  const end = session.tape.seconds;
  const stretch = timeS == null ? wholeOrLongest(session, model, end) : runAt(session, model, timeS);
  const around = timeS ?? (stretch.start + stretch.end) / 2;
  const [from, to] = fitted(stretch, around, end, SHORTEST_S[session.kind]);
  const lines = transcript(session).filter((line) => line.start < to && line.end > from);
  return { start: from, end: to, ...answer, text: lines.map(({ text }) => text).join(" ") };
}

function wholeOrLongest(session, model, end) {
  if (seconds(session) <= LONGEST_S) return { start: 0, end };
  const { label } = overall(session, model);
  const spoken = session.timelines.get(model).runs().filter(({ speech }) => speech);
  const runs = spoken.filter((run) => run.label === label);
  return (runs.length ? runs : spoken).reduce((best, run) => (run.end - run.start > best.end - best.start ? run : best));
}

function runAt(session, model, timeS) {
  const timeline = session.timelines.get(model), { start: startS } = timeline.at(timeS);
  return timeline.runs().find(({ start, end }) => start <= startS && startS < end);
}

/** [start, end] of at least the shortest and at most LONGEST_S, around a moment of it, within the sound. */
function fitted({ start, end }, aroundS, soundEnd, shortestS) {
  if (end - start > LONGEST_S) {
    const from = Math.max(start, Math.min(end - LONGEST_S, aroundS - LONGEST_S / 2));
    return [from, from + LONGEST_S];
  }
  const missing = Math.max(0, shortestS - (end - start));
  const from = Math.max(0, Math.min(start - missing / 2, soundEnd - shortestS));
  return [from, Math.min(soundEnd, Math.max(end, from + shortestS))];
}
