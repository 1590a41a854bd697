/** The page: what is pressed, what is shown, and in which order. */

import { $, announce, cancelSignal, el, icon, notice, progress, write } from "./dom.js";
import { bindDevices, chosenDevice, listDevices } from "./devices.js";
import { ask, decode, example, orCancelled, reopen } from "./files.js";
import { Gauges } from "./gauges.js";
import { bindKeys } from "./keys.js";
import { LabelMode } from "./label-mode.js";
import { showHeard } from "./heard.js";
import { listen, record } from "./live.js";
import { bindDrop, bindTheme, bindView } from "./look.js";
import { showPhase } from "./phase.js";
import { Player } from "./player.js";
import { Ribbon } from "./ribbon.js";
import { saveSession } from "./saving.js";
import { chosen, connect, lookForService, modelsOf, recover, showConnection, showStream, watch } from "./service.js";
import { newSession, overall, seconds, takePrediction } from "./session.js";
import { Shelf } from "./shelf.js";
import { Stage } from "./stage.js";
import { clock, inWords } from "./timeline.js";
import { Why } from "./why.js";
import { wav } from "./writers.js";

const IDLE = { word: "Ready", also: "Press Listen and speak, or choose a recording." };
const WAITING = { word: "Listening", also: "The first answer comes after about a second." };
const CUT = { word: "Waiting", also: "The service does not answer. What you say is kept, and sent when it is back." };
const THINKING = { word: "One moment", also: "The recording is being listened to." };
const LABELLING = { word: "You say", also: "The models’ answers are shown when you have labelled this piece." };
const RECORD_S = 3;
// So much of the way through the plane is shown behind a moment, seconds.
const TRAIL_S = 15;

// `phase` is one of phase.js; `session` is what is on the ribbon; `isCut` while a live session waits for the service.
const state = { phase: "idle", session: undefined, live: undefined, isCut: false, moment: false };

const stage = new Stage($("#stage"));
const gauges = new Gauges();
const player = new Player(() => setPlaying(false));
const ribbon = new Ribbon($("#ribbon"), (time) => {
  player.time = time;
  state.moment = true;
  showMoment();
});
const labelMode = new LabelMode($("#labelling"), $("#label-open"), player, {
  onChange: () => {
    ribbon.refresh();
    show();
  },
  onShow: (start) => {
    ribbon.follow(start);
    state.moment = true;
    show();
  },
});
const why = new Why($("#why"), $("#why-open"), (start, end) => player.play(start, end));
ribbon.hidden = (time) => labelMode.hides(time);
const shelf = new Shelf($("#shelf"), {
  onOpen: (session) => {
    showSession(session);
    finishSession();
  },
  onClose: (session) => {
    if (session === state.session) leaveSession();
    show();
    if (shelf.sessions.length < 2) $("#ribbon").focus();
  },
});

// What is shown

function setPhase(phase) {
  state.phase = phase;
  if (phase !== "idle") why.close();
  showPhase(phase, state.isCut);
  ribbon.live = phase === "live" || phase === "stopping";
  show();
}

function showSession(session) {
  // What is open is closed while the session it belongs to is still there.
  labelMode.close();
  why.close();
  state.session = session;
  state.moment = false;
  player.load(session.tape);
  stage.setModels(modelsOf(session));
  $("#label-open").hidden = !session.labels.length;
  $("#session").hidden = false;
  for (const id of ["#play", "[data-save=wav]", "[data-save=session]"]) $(id).disabled = !session.tape;
  $("#session-title").textContent = session.kind === "live" ? "Session" : session.name;
  ribbon.session = session;
  show();
}

function show() {
  const { session, phase } = state;
  if (phase === "live" || phase === "stopping") {
    write($("#now-title"), "Now");
    const trail = (model) => session.timelines.get(model).trail(Infinity, seconds(session) - TRAIL_S);
    const newest = (model) => (state.isCut ? undefined : session.timelines.get(model).stretches.at(-1));
    stage.show(newest, state.isCut ? CUT : WAITING, trail);
  } else if (!session || phase === "opening" || phase === "recording") {
    write($("#now-title"), "Now");
    stage.show(() => undefined, phase === "recording" ? { word: "Speak", also: "Three seconds are recorded." } : IDLE);
  } else if (state.moment) {
    showMoment();
  } else {
    write($("#now-title"), session.kind === "live" ? "Whole session" : "Whole recording");
    stage.show((model) => overall(session, model), phase === "answering" ? THINKING : IDLE, (model) => session.timelines.get(model).trail());
  }
  shelf.show(session, phase !== "idle");
  if (phase !== "idle" || !session) why.offer();
  else if (!state.moment) why.offer(session, undefined, labelMode.hidesSome);
  if (!session) return;
  write($("#time"), `${clock(ribbon.playhead, true)} / ${clock(seconds(session), true)}`);
  showHeard(session, labelMode.hidesSome, phase === "idle");
}

function showMoment() {
  const { session } = state;
  if (!session || state.phase !== "idle") return;
  write($("#now-title"), `At ${clock(ribbon.playhead, true)}`);
  write($("#time"), `${clock(ribbon.playhead, true)} / ${clock(seconds(session), true)}`);
  const hidden = labelMode.hides(ribbon.playhead);
  const idle = hidden ? LABELLING : { word: "–", also: "Nothing was judged here." };
  const trail = (model) => (hidden ? [] : session.timelines.get(model).trail(ribbon.playhead, ribbon.playhead - TRAIL_S));
  why.offer(session, ribbon.playhead, hidden);
  stage.show((model) => (hidden ? undefined : session.timelines.get(model).at(ribbon.playhead)), idle, trail);
}

// Listening

async function toggleListening() {
  if (state.phase === "live") return stopListening();
  if (state.phase !== "idle" || !(await ensureModels())) return;
  notice("");
  player.pause();
  setPhase("opening");
  let lastSaid = "";
  gauges.reset();
  try {
    const options = $("#plain").checked ? { plain: 1, labels: "p4-4" } : {};
    state.live = await listen(chosen(), options, chosenDevice(), {
      level: (dbfs) => {
        gauges.level = stage.level = dbfs;
        ribbon.refresh();
        gauges.elapsed = state.live ? seconds(state.live.session) : 0;
      },
      answer: (model, stretch, latency) => {
        if (latency != null) gauges.latency = latency;
        if (!stretch) return;
        gauges.activity = stretch.state;
        if (model === chosen()[0].name && stretch.label !== lastSaid) {
          lastSaid = stretch.label;
          announce(inWords(stretch));
        }
        show();
      },
      state: (name) => {
        showStream(name, state.isCut);
        if (state.isCut === (name === "lost")) return;
        state.isCut = name === "lost";
        gauges.clear();
        setPhase(state.phase);
      },
      behind: (lag) => showConnection("live", lag ? `live, ${lag.toFixed(0)}\u00a0s behind` : "live"),
      over: (sentence, code) => stopListening(sentence).then(() => recover({ code }, modelsChanged)),
    });
    listDevices();
    shelf.add(state.live.session);
    showSession(state.live.session);
    setPhase("live");
  } catch (error) {
    state.live = undefined;
    setPhase("idle");
    notice(error.message, "error", true);
  }
}

async function stopListening(sentence) {
  const { live } = state;
  if (!live || state.phase === "stopping") return;
  setPhase("stopping");
  const unansweredS = await live.stop();
  Object.assign(state, { live: undefined, isCut: false });
  stage.level = -100;
  if (unansweredS) lookForService();
  else showConnection("ready", "ready");
  finishSession();
  const loss = unansweredS > 0 && `The last ${unansweredS.toFixed(1)}\u00a0s were never answered. Save the audio, and open it later to have all of it answered.`;
  const said = [sentence, loss].filter(Boolean);
  if (said.length) notice(said.join(" "), "error", true);
}

/** The session is complete: it can be played, saved and labelled. */
function finishSession() {
  const { session } = state;
  ribbon.live = false;
  ribbon.follow(0);
  ribbon.fit();
  ribbon.describe();
  setPhase("idle");
  announce(session.models.map((model) => `${model}: ${inWords(overall(session, model))}`).join("; "));
}

// Recording and files

async function recordShort() {
  if (state.phase !== "idle" || !(await ensureModels())) return;
  notice("");
  player.pause();
  setPhase("recording");
  gauges.reset();
  try {
    const onProgress = (share, dbfs) => {
      gauges.level = stage.level = dbfs;
      gauges.elapsed = share * RECORD_S;
      progress("Recording. Speak now.", share);
    };
    const { tape, warnings } = await record(RECORD_S, chosenDevice(), onProgress, cancelSignal()).finally(() => (stage.level = -100));
    const blob = new File([wav(tape.slice(), tape.rate)], "recording.wav", { type: "audio/wav" });
    await attempt(blob, [], (signal) => answer(blob, tape, { signal, warnings, isKept: false }));
  } catch (error) {
    setPhase("idle");
    if (error.name === "AbortError") notice("Stopped.");
    else notice(error.message, "error", true);
  }
}

/** Files, one after the other: recordings are answered, and what was saved here is opened again. */
async function openFiles(files, failures = []) {
  if (state.phase !== "idle") return notice("Something is running: press Stop or wait for its end, and choose the files again.", "error");
  for (const file of files) if ((await attempt(file, failures, (signal) => openFile(file, signal))) === false) break;
  if (failures.length && files.length > 1) notice(failures.join(". "), "error", true); // each began without those before
}

/**
 * Answer or open a file by `work`, which gets a signal of Cancel; without success all is as it was before. Resolves to
 * false where the rest is not to be opened either; what went wrong is put to the failures.
 */
async function attempt(file, failures, work) {
  const before = state.session;
  const signal = cancelSignal();
  notice("");
  player.pause();
  progress(`Opening ${file.name}`);
  setPhase("answering");
  try {
    return await orCancelled(signal, work(signal));
  } catch (error) {
    if (state.session !== before) leaveSession(before);
    setPhase("idle");
    if (error.name === "AbortError") notice("Stopped.");
    else notice(failures[failures.push(`${file.name}: ${error.message}`) - 1], "error", true);
    recover(error, modelsChanged);
    return error.name !== "AbortError" && error.status !== 0 && error.status !== 401;
  }
}

async function openFile(file, signal) {
  const { sessions, warnings } = await reopen(file);
  signal.throwIfAborted();
  if (sessions.length) {
    showSession(sessions[0]);
    for (const session of sessions) shelf.add(session);
    return finishSession();
  }
  const isReady = await ensureModels();
  signal.throwIfAborted();
  if (isReady) return answer(file, await decode(file), { signal, warnings });
  setPhase("idle");
  return false;
}

async function answer(file, tape, { signal, warnings, isKept }) {
  signal.throwIfAborted();
  const models = chosen();
  const labels = [...new Set(models.flatMap((model) => model.labels ?? []))];
  const session = newSession({ kind: "file", name: file.name, tape, models: models.map(({ name }) => name), labels, isKept });
  if (tape) showSession(session);
  ribbon.fit();
  const found = await ask(file, tape, session.models, {
    denoise: $("#denoise").checked,
    signal,
    onProgress: progress,
    onAnswer: (model, answer) => {
      takePrediction(session, model, answer);
      ribbon.refresh();
    },
  });
  signal.throwIfAborted();
  shelf.add(session);
  showSession(session);
  finishSession();
  const said = [...warnings, ...found];
  if (said.length) notice(said.join(". "), "info", true);
  else if (!tape) notice("This browser cannot play this file; its answer is complete.");
}

/** The session on the ribbon goes; another one takes its place, if there is one. */
function leaveSession(next = shelf.sessions.at(-1)) {
  labelMode.close();
  why.close();
  if (next) return showSession(next);
  state.session = undefined;
  $("#session").hidden = true;
  stage.setModels(chosen());
}

function modelsChanged() {
  if (!state.session) stage.setModels(chosen());
  show();
}

async function ensureModels() {
  return chosen().length > 0 || ((await connect(modelsChanged)) && chosen().length > 0);
}

// Playing

let shownPlaying = false;
function setPlaying(on) {
  shownPlaying = on;
  $("#play").replaceChildren(icon(on ? "pause" : "play"), el("span", {}, on ? "Pause" : "Play"));
  if (!on && state.session) ribbon.describe();
}

function togglePlaying() {
  if (state.phase !== "idle" || !state.session?.tape) return;
  if (player.playing) player.pause();
  else player.play(ribbon.playhead);
  state.moment = true;
  setPlaying(player.playing);
}

function frame() {
  requestAnimationFrame(frame);
  if (player.playing) {
    ribbon.follow(player.time);
    showMoment();
  }
  if (player.playing !== shownPlaying) setPlaying(player.playing);
  ribbon.draw();
}

// What is pressed

function wire() {
  const on = (selector, type, handler) => $(selector).addEventListener(type, handler);
  const help = () => $("#help").showModal();
  const flipTheme = bindTheme(() => {
    ribbon.refresh();
    ribbon.draw(); // at once: a printer does not wait for the next frame
    why.refresh();
  });
  const flipView = bindView((name) => {
    ribbon.mode = name;
    ribbon.refresh();
  });
  on("#listen", "click", toggleListening);
  on("#record", "click", recordShort);
  on("#open", "click", () => $("#file").click());
  on("#file", "change", ({ target }) => {
    openFiles([...target.files]);
    target.value = "";
  });
  on("#example", "click", () => example().then((file) => openFiles([file]), ({ message }) => notice(message, "error", true)));
  on("#help-open", "click", help);
  on("#notice-close", "click", () => notice(""));
  on("#near", "click", () => ribbon.zoomBy(1.6));
  on("#far", "click", () => ribbon.zoomBy(1 / 1.6));
  on("#fit", "click", () => ribbon.fit());
  on("#play", "click", togglePlaying);
  on("#why-open", "click", () => why.open());
  on("#label-open", "click", () => {
    why.close();
    labelMode.open(state.session, seconds(state.session));
  });
  on("#as-table", "toggle", show);
  for (const button of document.querySelectorAll("[data-save]")) {
    button.addEventListener("click", () => saveSession(state.session, button.dataset.save, show));
  }
  bindKeys(
    {
      l: toggleListening, r: recordShort, o: () => $("#open").click(), v: flipView, t: flipTheme, "?": help,
      " ": togglePlaying, "+": () => ribbon.zoomBy(1.6), "=": () => ribbon.zoomBy(1.6), "-": () => ribbon.zoomBy(1 / 1.6),
      0: () => ribbon.fit(), w: () => why.open(), escape: () => (why.isOpen ? why.close() : labelMode.close()),
    },
    (key) => labelMode.isOpen && state.phase === "idle" && labelMode.key(key),
  );
  bindDrop(openFiles);
  bindDevices();
  addEventListener("beforeunload", (event) => (state.phase === "live" || shelf.isAtRisk) && event.preventDefault());
}

wire();
setPhase("idle");
connect(modelsChanged);
watch(() => state.phase === "idle", modelsChanged);
requestAnimationFrame(frame);
