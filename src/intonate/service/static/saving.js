/** Saves a session as a file of one kind. */

import { download } from "./dom.js";
import { answers } from "./session.js";
import { sessionFile } from "./saved.js";
import { csv, json, srt, wav } from "./writers.js";

const KINDS = {
  session: ["audio/wav", sessionFile],
  wav: ["audio/wav", ({ tape }) => wav(tape.slice(), tape.rate)],
  json: ["application/json", (session) => json(answers(session))],
  csv: ["text/csv", (session) => csv(answers(session), session.labels)],
  srt: ["application/x-subrip", (session) => srt(answers(session))],
};

/** `onSaved` is called when it was handed over. */
export function saveSession(session, kind, onSaved) {
  const [type, write] = KINDS[kind];
  const stem = session.kind === "live" ? session.name : session.name.replace(/\.[^.]+$/, "");
  download(`${stem}.${kind === "session" ? "session.wav" : kind}`, type, write(session));
  if (kind === "session" || kind === "wav") session.isKept = true;
  if (kind === "session") session.hasNewLabels = false;
  onSaved();
}
