/** Which models the service has, which of them are chosen, and the token where it asks for one. */

import { isThere, models as fetchModels, setToken } from "./api.js";
import { $, el, notice, write } from "./dom.js";

// What a token may hold (`settings.py`): other letters cannot travel in a header or subprotocol.
const TOKEN = /^[A-Za-z0-9._~-]+$/;
// How often it is asked whether the service is still there, while nothing runs, milliseconds.
const WATCH_MS = 5_000;

let known = [];

/** The chosen models, [{name, labels, …}], in the service's order. */
export function chosen() {
  const names = new Set([...document.querySelectorAll("#models input:checked")].map(({ value }) => value));
  return known.filter(({ name }) => names.has(name));
}

/** The labels of a model, as far as the service told them. */
export function labelsOf(name) {
  return known.find((model) => model.name === name)?.labels ?? [];
}

/** What the stage shows of the models of a session: [{name, labels, dimensions}]. */
export function modelsOf(session) {
  return session.models.map((name) => {
    const timeline = session.timelines.get(name);
    const labels = labelsOf(name).filter((label) => session.labels.includes(label));
    const dimensions = [...new Set([...dimensionsOf(name), ...timeline.dimensions])];
    const isUnlabelled = dimensions.length > 0 && !labelsOf(name).length && !timeline.hasScores;
    return { name, labels: labels.length || isUnlabelled ? labels : session.labels, dimensions };
  });
}

/** Whether a model reads what was said, too. */
export function takesText(name) {
  return known.find((model) => model.name === name)?.text === true;
}

/** The numbers that a model tells beside its labels or instead of them, as far as the service told them. */
function dimensionsOf(name) {
  return known.find((model) => model.name === name)?.dimensions ?? [];
}

/** Ask what there is; `onChange` is called now and whenever the choice changes. Resolves to whether it worked. */
export async function connect(onChange) {
  try {
    await load(onChange);
    return true;
  } catch (error) {
    showConnection("lost", error.status === 401 ? "needs its token" : "no service");
    if (error.status === 401) askToken(onChange);
    else notice(error.message, "error", true);
    return false;
  }
}

/** While `isIdle`, see whether the service is there, and say so; `onChange` as in `connect`. */
export function watch(isIdle, onChange) {
  setInterval(async () => {
    if (!isIdle() || document.hidden || $("#token").open) return;
    const before = $("#connection").dataset.state;
    const answers = await isThere();
    if (!isIdle()) return;
    if (!answers) showConnection("lost", "no service");
    else if (before === "lost" && (await connect(onChange))) notice("The service is back.", "good");
  }, WATCH_MS);
}

/** Say whether the service is there, after it did not do what it was asked. */
export async function lookForService() {
  showConnection("lost", "no service");
  if (await isThere()) showConnection("ready", "ready");
}

/** After an error of the service: ask for the token that it wants by now, or see which models it has by now. */
export function recover({ status, code }, onChange) {
  if (status === 401 || code === "token") askToken(onChange);
  else if (status === 404 || code === "model") load(onChange).catch(() => {});
}

/** Say how the live connection is: connecting, live or lost. */
export function showStream(name, wasCut) {
  showConnection(name, name === "lost" ? "reconnecting" : name);
  if (name === "lost" && !wasCut) notice("The connection was lost. Your session goes on, and is sent when it is back.", "info", true);
  if (name === "live" && wasCut) notice("Connected again. Nothing was lost.", "good");
}

export function showConnection(name, text) {
  $("#connection").dataset.state = name;
  write($("#connection-text"), text);
}

function askToken(onChange) {
  const dialog = $("#token");
  if (!dialog.open) dialog.showModal();
  $("#token form").onsubmit = async (event) => {
    event.preventDefault();
    const value = $("#token-value").value.trim();
    $("#token-wrong").hidden = true;
    try {
      if (!TOKEN.test(value)) throw new Error("A token has only letters, digits and . _ ~ - in it: was something else pasted along?");
      setToken(value);
      await load(onChange);
      dialog.close();
      notice("");
    } catch (error) {
      write($("#token-wrong"), error.status === 401 ? "That is not the token." : error.message);
      $("#token-wrong").hidden = false;
    }
  };
}

async function load(onChange) {
  const { models, default: preferred } = await fetchModels();
  known = models;
  const rows = models.map(({ name, licence }) =>
    el("label", { title: licence }, el("input", { type: "checkbox", value: name, checked: name === preferred }), name),
  );
  $("#models").replaceChildren(el("legend", { class: "unseen" }, "Models, side by side"), ...rows);
  $("#models").hidden = models.length < 2;
  $("#models").onchange = ({ target }) => {
    if (!chosen().length) target.checked = true; // one has to answer
    onChange();
  };
  showConnection("ready", "ready");
  onChange();
}
