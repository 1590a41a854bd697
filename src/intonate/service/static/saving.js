/** Saves a session as a file of one kind. */

import { download } from "./dom.js";
import { answers } from "./session.js";
import { csv, json, srt, wav } from "./writers.js";

const KINDS = {
  wav: ["audio/wav", ({ tape }) => wav(tape.slice(), tape.rate)],
  json: ["application/json", (session) => json(answers(session))],
  csv: ["text/csv", (session) => csv(answers(session), session.labels)],
  srt: ["application/x-subrip", (session) => srt(answers(session))],
};

export function saveSession(session, kind) {
  const [type, write] = KINDS[kind];
  const stem = session.kind === "live" ? session.name : session.name.replace(/\.[^.]+$/, "");
  download(`${stem}.${kind}`, type, write(session));
}
