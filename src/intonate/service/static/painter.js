/** Draws the ribbon on its canvas, crisp on every screen. */

import { hatching } from "./hatching.js";
import { colour, inkOn } from "./palette.js";
import { lineOf } from "./plane.js";
import { ticks } from "./scale.js";
import { clock, nameOf } from "./timeline.js";

// Heights, CSS pixels.
const WAVE = 76;
const LABEL_LANE = 32;
const RIVER_LANE = 84;
const NUMBER_LANE = 84;
const GIVEN_LANE = 20;
const CAPTION = 18;
const AXIS = 24;
const GAP = 8;
// A stretch longer than a hop of the stream, seconds.
const LONG_S = 1.2;
// A bar of the wave and the gap after it.
const BAR = 2;
const PITCH = 3;
// A bar that holds so much is drawn as from afar, seconds.
const AFAR_S = 0.6;
// The mean of speech with its pauses is about half of what its louder moments are.
const MEAN_GAIN = 1.8;

/** Where everything lies: {wave, lanes: [{model, top, height, caption}], given, axis, height}. */
export function layout(session, mode) {
  const several = session.models.length > 1;
  let top = 0;
  const take = (height, gap = GAP) => {
    const at = top;
    top += height + gap;
    return { top: at, height };
  };
  const wave = session.tape ? take(WAVE) : undefined;
  const lanes = session.models.map((model) => {
    const caption = several ? take(CAPTION, 0) : undefined;
    const { dimensions, hasScores } = session.timelines.get(model);
    // Of a model that tells numbers and no labels there is no word to write.
    const hasLabels = hasScores || !dimensions.length;
    const river = hasLabels && mode !== "label";
    const labels = hasLabels ? take(LABEL_LANE, river ? 4 : GAP) : undefined;
    const lane = { model, caption, labels, river: river && take(RIVER_LANE) };
    return { ...lane, numbers: dimensions.length > 0 && { names: dimensions, caption: take(CAPTION, 2), ...take(NUMBER_LANE) } };
  });
  const given = session.given.size ? { caption: take(CAPTION, 0), ...take(GIVEN_LANE) } : undefined;
  const axis = take(AXIS, 0);
  return { wave, lanes, given, axis, height: top };
}

/** @param ribbon {current, layout, view, playhead, pointed, mode, live, duration, hidden} */
export function paint(canvas, ribbon) {
  const width = canvas.parentElement.clientWidth;
  const { height } = ribbon.layout;
  const dots = window.devicePixelRatio || 1;
  if (canvas.width !== Math.round(width * dots) || canvas.height !== Math.round(height * dots)) {
    canvas.width = Math.round(width * dots);
    canvas.height = Math.round(height * dots);
    canvas.style.height = `${height}px`;
  }
  const g = canvas.getContext("2d");
  g.setTransform(dots, 0, 0, dots, 0, 0);
  g.clearRect(0, 0, width, height);
  const style = getComputedStyle(canvas);
  const ink = {
    text: style.getPropertyValue("--ink"), muted: style.getPropertyValue("--muted"), line: style.getPropertyValue("--line"),
    surface: style.getPropertyValue("--surface"), font: style.fontFamily,
  };
  const scene = { g, width, height, ink, ...ribbon, x: (s) => ((s - ribbon.view.start) / ribbon.view.span) * width };
  scene.duration = ribbon.duration;
  scene.hatch = hatching(g, dots, ink);
  axis(scene);
  if (scene.layout.wave) wave(scene);
  for (const lane of scene.layout.lanes) {
    if (lane.caption) title(scene, lane.caption, lane.model);
    if (lane.labels) labelLane(scene, { model: lane.model, ...lane.labels });
    if (lane.river) riverLane(scene, lane.model, lane.river);
    if (lane.numbers) numberLane(scene, lane.model, lane.numbers);
  }
  if (scene.layout.given) givenLane(scene);
  marks(scene);
}

function axis({ g, view, width, ink, layout: { axis: { top }, height }, x }) {
  const { step, times } = ticks(view, width);
  g.font = `12px ${ink.font}`;
  g.textBaseline = "middle";
  for (const time of times) {
    const at = Math.round(x(time)) + 0.5;
    g.fillStyle = ink.line;
    g.fillRect(at - 0.5, 0, 1, top + 4);
    g.fillStyle = ink.muted;
    const text = clock(time, step < 1);
    const wide = g.measureText(text).width;
    g.fillText(text, Math.max(0, Math.min(at - wide / 2, width - wide)), (top + height) / 2 + 2);
  }
}

function wave(scene) {
  const { g, current, view, width, ink, duration, layout: { wave: { top, height } }, x } = scene;
  const middle = top + height / 2;
  const spanS = (PITCH / width) * view.span;
  // Bars stand at fixed times, so that they scroll instead of shimmering.
  const first = Math.max(0, Math.floor(view.start / spanS));
  const last = Math.min(duration, view.start + view.span) / spanS;
  const found = inSight(scene, current.models[0]);
  // A quiet recording fills the height too, but a silent one stays flat.
  const gain = 1 / Math.max(0.1, current.tape.loudest);
  let at = 0;
  for (let n = first; n < last; n++) {
    const time = n * spanS;
    while (at < found.length && found[at].end <= time) at++;
    const stretch = found[at]?.start <= time ? found[at] : undefined;
    const speaks = stretch?.state === "speech";
    g.fillStyle = speaks ? colour(stretch.label) : ink.muted;
    const bar = (size, alpha) => {
      const half = Math.max(0.75, size * (height / 2 - 2));
      g.globalAlpha = alpha;
      g.fillRect(x(time), middle - half, BAR, 2 * half);
    };
    // Near, every bar is a moment, drawn by its peak. From afar each holds seconds whose peaks are all alike: there the
    // mean tells loud from soft, and the peak stays as a shadow.
    const peak = Math.sqrt(gain * current.tape.peak(time, time + spanS));
    const afar = Math.min(1, spanS / AFAR_S);
    bar(peak, (speaks ? 1 : 0.55) * (1 - 0.75 * afar));
    const mean = Math.min(1, MEAN_GAIN * gain * current.tape.mean(time, time + spanS));
    if (afar > 0.1) bar(afar * mean + (1 - afar) * peak, speaks ? 1 : 0.55);
  }
  g.globalAlpha = 1;
}

function labelLane(scene, { model, top, height }) {
  const { g, ink, current } = scene;
  for (const run of current.timelines.get(model).runs(inSight(scene, model))) {
    const [from, wide] = span(scene, run);
    if (!run.speech) {
      g.fillStyle = ink.line;
      g.fillRect(from, top + height / 2 - 1, wide, 2);
      continue;
    }
    const unsure = run.label === "unsure";
    g.fillStyle = unsure ? scene.hatch : colour(run.label);
    box(g, from, top, wide, height);
    const text = unsure ? "unsure" : nameOf(run);
    name(scene, text, from, wide, top + height / 2, unsure ? undefined : inkOn(colour(run.label)));
  }
}

/** Where what is told in a group of stretches stands, [{at, stretch}]: hops flow into each other, long ones hold. */
function pointsOf({ x }, group) {
  const points = [];
  group.forEach((stretch, index) => {
    // A segment of a file holds from its start to its end.
    const long = stretch.end - stretch.start > LONG_S;
    if (long || index === 0) points.push({ at: x(stretch.start), stretch });
    if (!long) points.push({ at: (x(stretch.start) + x(stretch.end)) / 2, stretch });
    if (long || index === group.length - 1) points.push({ at: x(stretch.end), stretch });
  });
  return points;
}

/** A line for each dimension, 0 below and 1 above, with its name and its dashes over it. */
function numberLane(scene, model, { names, caption, top, height }) {
  const { g, ink, width } = scene;
  g.font = `12px ${ink.font}`;
  g.textBaseline = "middle";
  let left = 0;
  for (const name of names) {
    const { colour: stroke, dash } = lineOf(name, names);
    const middle = caption.top + caption.height / 2;
    Object.assign(g, { strokeStyle: stroke, lineWidth: 2.5, lineCap: "butt" });
    g.setLineDash(dash);
    g.beginPath();
    g.moveTo(left, middle);
    g.lineTo(left + 24, middle);
    g.stroke();
    g.fillStyle = ink.muted;
    g.fillText(name, left + 30, middle);
    left += 46 + g.measureText(name).width;
  }
  g.setLineDash([]);
  g.fillStyle = ink.line;
  for (const share of [0, 0.5, 1]) g.fillRect(0, Math.round(top + (1 - share) * (height - 1)), width, 1);
  for (const group of spoken(inSight(scene, model))) {
    const points = pointsOf(scene, group);
    for (const name of names) {
      const { colour: stroke, dash } = lineOf(name, names);
      Object.assign(g, { strokeStyle: stroke, lineWidth: 2.5, lineJoin: "round" });
      g.setLineDash(dash);
      g.beginPath();
      for (const { at, stretch } of points) {
        const value = stretch.dimensions?.[name];
        if (value != null) g.lineTo(at, top + (1 - value) * (height - 1));
      }
      g.stroke();
    }
  }
  g.setLineDash([]);
}

/** Probabilities stacked from the bottom up, as a river through each stretch of speech. */
function riverLane(scene, model, { top, height }) {
  const { g, ink, current } = scene;
  g.fillStyle = ink.line;
  g.fillRect(0, top + height - 1, scene.width, 1);
  for (const group of spoken(inSight(scene, model))) {
    const points = pointsOf(scene, group).map(({ at, stretch }) => {
      // Where several labels may be true at once they add up to more than the river is high.
      const total = Math.max(1, stretch.scores.reduce((sum, { score }) => sum + score, 0));
      return { at, scores: new Map(stretch.scores.map(({ label, score }) => [label, score / total])) };
    });
    const base = points.map(() => top + height);
    for (const label of current.labels) {
      const upper = points.map(({ scores }, i) => base[i] - (scores.get(label) ?? 0) * height);
      g.fillStyle = g.strokeStyle = colour(label);
      g.beginPath();
      points.forEach(({ at }, i) => g.lineTo(at, upper[i]));
      for (let i = points.length - 1; i >= 0; i--) g.lineTo(points[i].at, base[i]);
      g.fill();
      upper.forEach((y, i) => (base[i] = y));
    }
  }
}

function givenLane(scene) {
  const { g, current, layout: { given: { top, height, caption } } } = scene;
  title(scene, caption, "your labels");
  for (const [index, label] of current.given) {
    const piece = current.pieces[index];
    const [from, wide] = span(scene, piece);
    g.fillStyle = label === "silence" ? scene.ink.line : colour(label);
    box(g, from, top, wide, height, 4);
    const ink = label === "silence" ? undefined : inkOn(colour(label));
    name(scene, label, from, wide, top + height / 2, ink, 11);
  }
}

function marks({ g, x, width, ink, playhead, pointed, live, duration, view, layout: { axis: { top } } }) {
  const line = (time, wide, alpha) => {
    g.globalAlpha = alpha;
    g.fillStyle = ink.text;
    g.fillRect(Math.round(x(time) - wide / 2), 0, wide, top);
    g.globalAlpha = 1;
  };
  if (pointed != null) line(pointed, 1, 0.4);
  if (!live) {
    line(playhead, 2, 1);
    g.beginPath();
    g.arc(x(playhead), top, 4, 0, 2 * Math.PI);
    g.fill();
  }
  if (view.span < duration - 0.1) {
    // How much of the session is in sight, and where.
    g.fillStyle = ink.muted;
    g.globalAlpha = 0.6;
    const wide = Math.max(24, (view.span / duration) * width);
    const from = (view.start / Math.max(1e-9, duration - view.span)) * (width - wide);
    box(g, from, top + 20, wide, 3, 1.5);
    g.globalAlpha = 1;
  }
}

/** A model's stretches in the view, and a little beyond, without those that are kept hidden. */
function inSight({ current, view, hidden }, model) {
  const stretches = current.timelines.get(model).between(view.start - 2, view.start + view.span + 2);
  return stretches.filter(({ start, end }) => !hidden((start + end) / 2));
}

function spoken(stretches) {
  const groups = [];
  let last;
  for (const stretch of stretches) {
    if (stretch.state === "speech") {
      if (last && stretch.start - last.end < 0.01) groups.at(-1).push(stretch);
      else groups.push([stretch]);
      last = stretch;
    } else last = undefined;
  }
  return groups;
}

function span({ x }, { start, end }) {
  return [x(start) + 0.5, Math.max(1, x(end) - x(start) - 1)];
}

function box(g, left, top, width, height, radius = 6) {
  g.beginPath();
  g.roundRect(left, top, width, height, Math.min(radius, width / 2, height / 2));
  g.fill();
}

function title({ g, ink }, { top, height }, text) {
  g.font = `12px ${ink.font}`;
  g.textBaseline = "middle";
  g.fillStyle = ink.muted;
  g.fillText(text, 0, top + height / 2 - 1);
}

/**
 * A name inside its mark and never beyond it, where it would be read as a neighbour's: whole, smaller, or its first letters,
 * down to one; nothing without room for that. What is scrolled out at the left keeps its name in sight.
 */
function name({ g, ink, width }, text, from, wide, middle, colourOfText, size = 13) {
  const left = Math.max(from, 0);
  const room = Math.min(from + wide, width) - left;
  const small = Math.min(size, 11);
  const letters = (count) => text.slice(0, count);
  const forms = [[text, size, 8], [text, small, 4], [`${letters(4)}.`, small, 3], [letters(2), small, 3], [letters(1), small, 2]];
  for (const [written, points, margin] of forms) {
    g.font = `${colourOfText ? 600 : 500} ${points}px ${ink.font}`;
    const needs = g.measureText(written).width;
    if (needs > room - 2 * margin) continue;
    const inset = written === text ? margin : (room - needs) / 2;
    return plate(g, ink, written, left + inset, middle, needs, points, Math.min(margin, 3), colourOfText);
  }
}

/** A word in a colour of its own; without one on a plate, to be read on anything. */
function plate(g, ink, text, left, middle, wide, points, edge, colourOfText) {
  g.textBaseline = "middle";
  if (!colourOfText) {
    g.fillStyle = ink.surface;
    box(g, left - edge, middle - points / 2 - 3, wide + 2 * edge, points + 6, 4);
  }
  g.fillStyle = colourOfText ?? ink.text;
  g.fillText(text, left, middle + 0.5);
}
