/** The page: what is pressed, what is shown, and in which order. */

import { models as fetchModels, predict, setToken } from "./api.js";
import { $, announce, el, icon, notice, write } from "./dom.js";
import { decode, toSend } from "./files.js";
import { saveSession } from "./saving.js";
import { Gauges } from "./gauges.js";
import { bindKeys } from "./keys.js";
import { LabelMode } from "./label-mode.js";
import { listen, record } from "./live.js";
import { Player } from "./player.js";
import { Ribbon } from "./ribbon.js";
import { newSession, overall, seconds, takePrediction, transcript } from "./session.js";
import { Stage } from "./stage.js";
import { table } from "./table.js";
import { clock, inWords } from "./timeline.js";
import { wav } from "./writers.js";

const IDLE = { word: "Ready", also: "Press Listen and speak, or choose a recording." };
const WAITING = { word: "Listening", also: "The first answer comes after about a second." };
const THINKING = { word: "One moment", also: "The recording is being listened to." };
const RECORD_S = 3;

// Where the page is: idle, opening, live, stopping, recording, answering; `session` is what is on the ribbon.
const state = { phase: "idle", known: [], session: undefined, live: undefined, moment: false };

const stage = new Stage($("#stage"));
const gauges = new Gauges();
const player = new Player(() => setPlaying(false));
const ribbon = new Ribbon($("#ribbon"), (time) => {
  player.time = time;
  state.moment = true;
  showMoment();
});
const labelMode = new LabelMode($("#labelling"), player, {
  onChange: () => ribbon.refresh(),
  onShow: (start) => {
    ribbon.follow(start);
    setPlaying(player.playing);
  },
});

// Models

function chosen() {
  const names = new Set([...document.querySelectorAll("#models input:checked")].map(({ value }) => value));
  return state.known.filter(({ name }) => names.has(name));
}

async function loadModels() {
  const { models, default: preferred } = await fetchModels();
  state.known = models;
  const rows = models.map((model) => {
    const box = el("input", { type: "checkbox", value: model.name, checked: model.name === preferred || models.length === 1 });
    return el("label", { title: model.licence }, box, model.name);
  });
  $("#models").replaceChildren(el("legend", { class: "unseen" }, "Models, side by side"), ...rows);
  $("#models").hidden = models.length < 2;
  $("#models").onchange = ({ target }) => {
    if (!chosen().length) target.checked = true;
    if (!state.session) stage.setModels(chosen());
    show();
  };
  stage.setModels(chosen());
  connection("ready", "ready");
  show();
}

async function connect() {
  try {
    await loadModels();
    return true;
  } catch (error) {
    connection("lost", "no service");
    if (error.status === 401) return askToken();
    notice(error.message, "error", true);
    return false;
  }
}

function askToken() {
  const dialog = $("#token");
  if (!dialog.open) dialog.showModal();
  $("#token form").onsubmit = async (event) => {
    event.preventDefault();
    setToken($("#token-value").value.trim());
    try {
      await loadModels();
      dialog.close();
      notice("");
    } catch (error) {
      $("#token-wrong").textContent = error.status === 401 ? "That is not the token." : error.message;
      $("#token-wrong").hidden = false;
    }
  };
}

function connection(name, text) {
  $("#connection").dataset.state = name;
  write($("#connection-text"), text);
}

// What is shown

function setPhase(phase) {
  state.phase = phase;
  const on = phase === "live" || phase === "opening";
  const busy = phase !== "idle" && phase !== "live";
  $("#listen").classList.toggle("on", on);
  $("#listen").replaceChildren(icon(on ? "stop" : "mic"), el("span", {}, on ? "Stop" : "Listen"));
  $("#listen").disabled = busy;
  for (const id of ["#record", "#open"]) $(id).disabled = phase !== "idle";
  for (const input of document.querySelectorAll("#options input, #models input")) input.disabled = phase !== "idle";
  const running = phase === "live" || phase === "recording" || phase === "answering" || phase === "stopping";
  write($("#claim-state"), running ? "Emotion recognition is running." : "Emotion recognition starts when you press Listen or choose a recording.");
  $("#gauges").hidden = !(phase === "live" || phase === "recording" || phase === "stopping");
  $("#progress").hidden = !(phase === "recording" || phase === "answering");
  $("#after").hidden = phase !== "idle";
  $("#cancel").hidden = phase !== "answering";
  ribbon.live = phase === "live" || phase === "stopping";
  document.title = phase === "live" ? "● intonate" : "intonate";
  show();
}

function showSession(session) {
  state.session = session;
  state.moment = false;
  labelMode.close();
  player.load(session.tape);
  const known = new Map(state.known.map((model) => [model.name, model.labels ?? []]));
  stage.setModels(session.models.map((name) => ({ name, labels: known.get(name)?.length ? known.get(name) : session.labels })));
  $("#session").hidden = false;
  $("#play").disabled = $("[data-save=wav]").disabled = !session.tape;
  $("#session-title").textContent = session.kind === "live" ? "Session" : session.name;
  ribbon.session = session;
  show();
}

function show() {
  const { session, phase } = state;
  if (phase === "live" || phase === "stopping") {
    write($("#now-title"), "Now");
    stage.show((model) => session.timelines.get(model).stretches.at(-1), WAITING);
  } else if (!session || phase === "opening" || phase === "recording") {
    write($("#now-title"), "Now");
    stage.show(() => undefined, phase === "recording" ? { word: "Speak", also: "Three seconds are recorded." } : IDLE);
  } else if (state.moment) {
    showMoment();
  } else {
    write($("#now-title"), session.kind === "live" ? "The whole session" : "The whole recording");
    stage.show((model) => overall(session, model), phase === "answering" ? THINKING : IDLE);
  }
  if (!session) return;
  write($("#session-length"), clock(seconds(session)));
  write($("#time"), `${clock(ribbon.playhead, true)} / ${clock(seconds(session), true)}`);
  const lines = transcript(session);
  $("#said").hidden = !lines.length;
  const list = $("#said ol");
  if (list.childElementCount !== lines.length) {
    list.replaceChildren(...lines.map(({ start, text }) => el("li", {}, el("time", {}, clock(start)), el("span", {}, text))));
  }
  if ($("#as-table").open && phase === "idle") $("#as-table .scroll").replaceChildren(table(session));
}

function showMoment() {
  const { session } = state;
  if (!session || state.phase !== "idle") return;
  write($("#now-title"), `At ${clock(ribbon.playhead, true)}`);
  write($("#time"), `${clock(ribbon.playhead, true)} / ${clock(seconds(session), true)}`);
  stage.show((model) => session.timelines.get(model).at(ribbon.playhead), { word: "–", also: "Nothing was judged here." });
}

// Listening

async function toggleListening() {
  if (state.phase === "live") return stopListening();
  if (state.phase !== "idle" || !mayReplace() || !(await ensureModels())) return;
  notice("");
  player.pause();
  setPhase("opening");
  let lastSaid = "";
  let cut = false;
  gauges.reset();
  try {
    const options = { plain: $("#plain").checked ? 1 : 0 };
    state.live = await listen(chosen(), options, {
      level: (dbfs) => {
        gauges.level = stage.level = dbfs;
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
        connection(name, { connecting: "connecting", live: "live", lost: "reconnecting" }[name]);
        if (name === "lost" && !cut) notice("The connection was lost. Your session goes on, and is sent when it is back.", "info", true);
        if (name === "live" && cut) notice("Connected again. Nothing was lost.", "good");
        cut = name === "lost";
      },
      over: (sentence) => stopListening(sentence),
    });
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
  await live.stop();
  state.live = undefined;
  stage.level = -100;
  connection("ready", "ready");
  finishSession();
  if (sentence) notice(sentence, "error", true);
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
  if (state.phase !== "idle" || !mayReplace() || !(await ensureModels())) return;
  notice("");
  player.pause();
  setPhase("recording");
  gauges.reset();
  try {
    const tape = await record(RECORD_S, (share, dbfs) => {
      gauges.level = stage.level = dbfs;
      gauges.elapsed = share * RECORD_S;
      progress("Recording. Speak now.", share);
    });
    stage.level = -100;
    const blob = new File([wav(tape.slice(), tape.rate)], "recording.wav", { type: "audio/wav" });
    await answer(blob, tape);
  } catch (error) {
    setPhase("idle");
    notice(error.message, "error", true);
  }
}

async function openFile(file) {
  if (!file || state.phase !== "idle" || !mayReplace() || !(await ensureModels())) return;
  notice("");
  player.pause();
  setPhase("answering");
  progress(`Opening ${file.name}`);
  await answer(file, await decode(file));
}

async function answer(file, tape) {
  const models = chosen();
  const labels = [...new Set(models.flatMap((model) => model.labels ?? []))];
  const before = state.session;
  const session = newSession({ kind: "file", name: file.name, tape, models: models.map(({ name }) => name), labels });
  setPhase("answering");
  if (tape) showSession(session);
  ribbon.fit();
  const [blob, name] = toSend(file, tape);
  const abort = new AbortController();
  $("#cancel").onclick = () => abort.abort();
  try {
    for (const { name: model } of models) {
      const sound = tape ? ` to ${clock(tape.seconds)}` : "";
      const onUpload = (share) =>
        share < 1 ? progress(`Sending ${file.name}`, share) : progress(`${model} listens${sound}`);
      const options = { model, denoise: $("#denoise").checked, onUpload, signal: abort.signal };
      takePrediction(session, model, await predict(blob, name, options));
      ribbon.refresh();
    }
    showSession(session);
    finishSession();
    if (!tape) notice("This browser cannot play this file; its answer is complete.");
  } catch (error) {
    state.session = undefined;
    if (before) showSession(before);
    else $("#session").hidden = true;
    setPhase("idle");
    if (error.name === "AbortError") notice("Stopped.");
    else notice(error.message, "error", true);
    if (error.status === 401) askToken();
  }
}

function progress(text, share) {
  write($("#progress-text"), text);
  if (share == null) $("#progress-bar").removeAttribute("value");
  else $("#progress-bar").value = share;
}

/** Labels are somebody's work: a new session asks before it takes their place. */
function mayReplace() {
  return !labelMode.unsaved || confirm("The labels of this session are not saved. Go on and lose them?");
}

async function ensureModels() {
  return chosen().length > 0 || ((await connect()) && chosen().length > 0);
}

// Playing

function setPlaying(on) {
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
  if (player.playing) {
    ribbon.follow(player.time);
    showMoment();
  }
  ribbon.draw();
  requestAnimationFrame(frame);
}

// View, theme, help

function setView(name) {
  document.body.dataset.view = ribbon.mode = name;
  for (const button of document.querySelectorAll("#view button")) {
    button.setAttribute("aria-pressed", String(button.dataset.view === name));
  }
  localStorage.setItem("intonate.view", name);
  ribbon.refresh();
}

function toggleTheme() {
  const root = document.documentElement;
  const dark = getComputedStyle(root).colorScheme === "dark";
  root.dataset.theme = dark ? "light" : "dark";
  localStorage.setItem("intonate.theme", root.dataset.theme);
  ribbon.refresh();
}

function wire() {
  const on = (selector, type, handler) => $(selector).addEventListener(type, handler);
  const help = () => $("#help").showModal();
  const flip = () => setView(ribbon.mode === "label" ? "probability" : "label");
  on("#listen", "click", toggleListening);
  on("#record", "click", recordShort);
  on("#open", "click", () => $("#file").click());
  on("#file", "change", ({ target }) => {
    const [file] = target.files;
    openFile(file);
    target.value = "";
  });
  on("#view", "click", ({ target }) => target.dataset.view && setView(target.dataset.view));
  on("#theme", "click", toggleTheme);
  on("#help-open", "click", help);
  on("#notice-close", "click", () => notice(""));
  on("#near", "click", () => ribbon.zoomBy(1.6));
  on("#far", "click", () => ribbon.zoomBy(1 / 1.6));
  on("#fit", "click", () => ribbon.fit());
  on("#play", "click", togglePlaying);
  on("#label-open", "click", () => labelMode.open(state.session, seconds(state.session)));
  on("#as-table", "toggle", show);
  for (const button of document.querySelectorAll("[data-save]")) {
    button.addEventListener("click", () => saveSession(state.session, button.dataset.save));
  }
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => ribbon.refresh());
  bindKeys(
    {
      l: toggleListening, r: recordShort, o: () => $("#open").click(), v: flip, t: toggleTheme, "?": help,
      " ": togglePlaying, "+": () => ribbon.zoomBy(1.6), "=": () => ribbon.zoomBy(1.6), "-": () => ribbon.zoomBy(1 / 1.6),
      0: () => ribbon.fit(), escape: () => labelMode.close(),
    },
    (key) => labelMode.isOpen && state.phase === "idle" && labelMode.key(key),
  );
  let over = 0;
  addEventListener("dragenter", () => ($("#drop").hidden = !(++over && state.phase === "idle")));
  addEventListener("dragleave", () => ($("#drop").hidden = --over <= 0 || $("#drop").hidden));
  addEventListener("dragover", (event) => event.preventDefault());
  addEventListener("drop", (event) => {
    event.preventDefault();
    over = 0;
    $("#drop").hidden = true;
    openFile(event.dataTransfer.files[0]);
  });
  addEventListener("beforeunload", (event) => (state.phase === "live" || labelMode.unsaved) && event.preventDefault());
}

wire();
setView(localStorage.getItem("intonate.view") ?? "probability");
setPhase("idle");
connect();
requestAnimationFrame(frame);
