/** Below the ribbon: how long the session is, for how long each emotion was heard, and what was said. */

import { $, el, write } from "./dom.js";
import { showLegend } from "./legend.js";
import { seconds, transcript } from "./session.js";
import { table } from "./table.js";
import { clock } from "./timeline.js";

/**
 * @param isLabelled whether somebody labels it now: what the models heard would sway the labels, and keeps its room.
 * @param isComplete whether no more comes, so that a table is worth its while.
 */
export function showHeard(session, isLabelled, isComplete) {
  write($("#session-length"), clock(seconds(session)));
  showLegend($("#legend"), session);
  $("#legend").style.visibility = isLabelled ? "hidden" : "";
  if ($("#as-table").open && isComplete) $("#as-table .scroll").replaceChildren(table(session));
  const lines = transcript(session);
  $("#said").hidden = !lines.length;
  const list = $("#said ol");
  if (list.childElementCount === lines.length) return;
  list.replaceChildren(...lines.map(({ start, text }) => el("li", {}, el("time", {}, clock(start)), el("span", {}, text))));
}
