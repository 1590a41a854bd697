// The page's logic without a page. Run with `node --test tests/page/logic.test.mjs`; test_logic.py does it.

import assert from "node:assert/strict";
import { test } from "node:test";

const load = (name) => import(`../../src/intonate/service/static/${name}.js`);
const { Timeline, clock, inWords, percent, weighted } = await load("timeline");
const { lineOf, thinned } = await load("plane");
const { Delivery, quantile, Tape, toInt16 } = await load("tape");
const { MERGES, mergedLabels, score } = await load("metrics");
const pieces = await load("pieces");
const writers = await load("writers");
const saved = await load("saved");
const reasons = await load("reasons");
const scale = await load("scale");
const session = await load("session");
const { inkOn, colour } = await load("palette");

const said = (label, sure) => [{ label, score: sure }, { label: "other", score: 1 - sure }];
const hop = (end, label = "angry", more = {}) => ({ start: end - 0.5, end, state: "speech", label, scores: said(label, 0.8), ...more });
const quiet = (end) => ({ start: end - 0.5, end, state: "silence", label: "silence", scores: [] });

test("a timeline keeps the newest answer to a moment, in order", () => {
  const timeline = new Timeline();
  for (const end of [0.5, 1, 1.5, 2]) timeline.add(hop(end));
  timeline.add(hop(1, "sad"));
  timeline.add(hop(1.5, "sad"));
  assert.deepEqual(timeline.stretches.map(({ label }) => label), ["angry", "sad", "sad", "angry"]);
  assert.equal(timeline.at(0.75).label, "sad");
  assert.equal(timeline.at(2).label, "angry", "the end is the last one's");
  assert.equal(timeline.at(5), undefined);
});

test("windows that overlap become stretches that do not", () => {
  const timeline = new Timeline();
  for (const end of [2, 2.5, 3]) timeline.add({ ...hop(end), start: end - 2 });
  assert.deepEqual(timeline.stretches.map(({ start, end }) => [start, end]), [[0, 2], [2, 2.5], [2.5, 3]]);
});

test("numbers come along, joined by length, and speech without a label stays in its stretches", () => {
  const timeline = new Timeline();
  const told = (end, arousal, label = "speech", scores = []) => timeline.add({ ...hop(end, label), scores, dimensions: { arousal, valence: 0.5 } });
  for (const [end, arousal] of [[0.5, 0.2], [1, 0.4], [1.5, 0.6]]) told(end, arousal);
  assert.equal(timeline.runs().length, 3);
  assert.deepEqual(timeline.dimensions, ["arousal", "valence"]);
  assert.deepEqual(timeline.trail(1.2).map(({ dimensions }) => dimensions.arousal), [0.2, 0.4, 0.6]);
  assert.deepEqual(timeline.trail(0.9, 0.5).map(({ dimensions }) => dimensions.arousal), [0.4]);
  assert.equal(inWords(timeline.at(0.1)), "speech, arousal 0.20, valence 0.50");
  for (const [end, arousal] of [[2, 0.2], [2.5, 0.4]]) told(end, arousal, "angry", said("angry", 0.8));
  const joined = timeline.runs().at(-1);
  assert.equal(joined.label, "angry");
  assert.ok(Math.abs(joined.dimensions.arousal - 0.3) < 1e-9);
  assert.equal("dimensions" in weighted([{ ...hop(1) }]), false);
});

test("numbers are in what is saved, and come back from it", () => {
  const one = session.newSession({ kind: "file", name: "a.wav", models: ["m"], labels: [] });
  const numbers = { arousal: 0.25, valence: 0.75 };
  const answer = { file: "a.wav", label: "speech", guess: "speech", abstained: false, scores: [], dimensions: numbers, model: "m" };
  session.takePrediction(one, "m", { ...answer, segments: [{ start: 0, end: 2, label: "speech", scores: [], dimensions: numbers }] });
  const text = writers.json(session.answers(one));
  assert.deepEqual(JSON.parse(text).dimensions, numbers);
  assert.deepEqual(JSON.parse(text).segments[0].dimensions, numbers);
  assert.match(writers.csv(session.answers(one), []), /score,arousal,valence,transcript,model\n.*,0\.250000,0\.750000,/);
  assert.match(writers.srt(session.answers(one)), /arousal 0\.25, valence 0\.75/);
  const [again] = saved.fromJson(text);
  assert.deepEqual(session.overall(again, "m").dimensions, numbers);
});

test("a long way through the plane is thinned, and keeps its ends", () => {
  assert.deepEqual(thinned([1, 2, 3]), [1, 2, 3]);
  const many = thinned(Array.from({ length: 500 }, (_, i) => i), 40);
  assert.equal(many.length, 40);
  assert.deepEqual([many[0], many.at(-1)], [0, 499]);
});

test("every line has dashes or a colour of its own", () => {
  const names = ["arousal", "valence", "dominance", "tension", "warmth"];
  assert.equal(new Set(names.map((name) => JSON.stringify(lineOf(name, names)))).size, names.length);
});

test("an answer that comes late finds its place", () => {
  const timeline = new Timeline();
  for (const end of [0.5, 1.5, 1]) timeline.add(hop(end));
  assert.deepEqual(timeline.stretches.map(({ start }) => start), [0, 0.5, 1]);
});

test("neighbours with one label are one run; silence called neutral is not speech called neutral", () => {
  const timeline = new Timeline();
  timeline.add(hop(0.5, "neutral"));
  timeline.add(hop(1, "neutral", { scores: said("neutral", 0.4) }));
  timeline.add({ ...quiet(1.5), label: "neutral" });
  const runs = timeline.runs();
  assert.deepEqual(runs.map(({ start, end, speech }) => [start, end, speech]), [[0, 1, true], [1, 1.5, false]]);
  assert.ok(Math.abs(runs[0].score - 0.6) < 1e-9);
});

test("how sure a word is, is the score of that word, also where another one is likelier and it is held", () => {
  const timeline = new Timeline();
  const held = [{ label: "angry", score: 0.24 }, { label: "neutral", score: 0.2 }];
  for (const end of [0.5, 1]) timeline.add(hop(end, "neutral", { scores: held }));
  timeline.add(hop(1.5, "unsure", { scores: held }));
  assert.deepEqual(timeline.stretches.map(({ score }) => score), [0.2, 0.2, 0.24]);
  assert.deepEqual(timeline.runs().map(({ label, score }) => [label, score]), [["neutral", 0.2], ["unsure", 0.24]]);
  assert.equal(inWords(timeline.at(0.2)), "neutral, 20\u00a0% sure");
  assert.match(writers.csv([{ ...answer, runs: timeline.runs() }], []), /neutral,neutral,false,0\.200000/);
  assert.match(writers.srt([{ ...answer, runs: timeline.runs() }]), /neutral 20%[^]*unsure \(angry 24%\)/);
});

test("a label that is held while nobody speaks is saved as the silence that is shown", () => {
  const timeline = new Timeline();
  const held = { labels: ["angry"], scores: said("angry", 0.8), dimensions: { arousal: 0.5 } };
  timeline.add(hop(0.5, "angry", held));
  timeline.add({ ...hop(1, "angry", held), state: "silence" });
  timeline.add(quiet(1.5));
  timeline.add({ ...hop(2, "silence", { scores: [] }), state: "speech" }); // the first word waits until the pause was shown
  const [, still] = JSON.parse(writers.json([{ ...answer, runs: timeline.runs() }])).segments;
  assert.deepEqual(still, { start: 0.5, end: 2, label: "silence", guess: "silence", abstained: false, labels: [], score: 0, scores: [] });
  assert.match(writers.csv([{ ...answer, runs: timeline.runs() }], ["angry"]), /0\.500,2\.000,silence,silence,false,,,,,,m/);
  assert.equal(writers.srt([{ ...answer, runs: timeline.runs() }]).split("-->").length, 2);
});

test("words for people", () => {
  assert.equal(clock(72.44), "1:12");
  assert.equal(clock(72.44, true), "1:12.4");
  assert.equal(clock(59.96, true), "1:00.0");
  assert.equal(clock(3700), "1:01:40");
  assert.equal(percent(0.614), "61\u00a0%");
  assert.equal(inWords({ state: "speech", label: "unsure", score: 0.2, scores: said("sad", 0.2) }), "unsure, closest is sad, 20\u00a0%");
  assert.equal(inWords({ state: "silence", label: "neutral", scores: [] }), "silence");
});

test("a tape gives back what was put on it, across its blocks", () => {
  const tape = new Tape(48_000);
  const samples = Int16Array.from({ length: 200_000 }, (_, i) => (i * 7919) % 30_000);
  for (let at = 0; at < samples.length; at += 3072) tape.append(samples.subarray(at, at + 3072));
  assert.equal(tape.length, 200_000);
  assert.deepEqual(tape.slice(), samples);
  assert.deepEqual(tape.slice(65_000, 140_001), samples.slice(65_000, 140_001));
  assert.equal(tape.slice(199_990, 300_000).length, 10);
  assert.equal(tape.peaks.length, Math.floor(200_000 / 960));
});

test("floats become 16 bits, clipped, and what is no number is silence", () => {
  assert.deepEqual([...toInt16(Float32Array.of(0, 1, -1, 2, -3, NaN, 0.5))], [0, 32767, -32767, 32767, -32767, 0, 16384]);
});

test("after a cut, sending goes on where the server stopped hearing", () => {
  const delivery = new Delivery();
  delivery.sent(3072, 10);
  delivery.sent(6144, 74);
  delivery.sent(9216, 138);
  assert.equal(delivery.latency(6000, 90), 16);
  assert.equal(delivery.latency(9216, 150), 12);
  delivery.resumeAt(4000);
  assert.equal(delivery.next, 4000);
  assert.equal(delivery.latency(4000, 200), undefined);
});

test("quantiles", () => {
  assert.equal(quantile([], 0.5), undefined);
  assert.equal(quantile([3, 1, 2], 0.5), 2);
  assert.equal(quantile(Array.from({ length: 100 }, (_, i) => i), 0.95), 95);
});

test("figures as scikit-learn gives them", () => {
  // accuracy_score, f1_score(average="weighted"), f1_score(average="macro") of scikit-learn for these pairs.
  const truth = ["a", "a", "a", "b", "b", "c"], answer = ["a", "a", "b", "b", "d", "a"];
  const result = score(truth.map((t, i) => ({ truth: t, answer: answer[i] })));
  assert.ok(Math.abs(result.accuracy - 0.5) < 1e-12);
  assert.ok(Math.abs(result.weightedF1 - 0.5) < 1e-12);
  assert.ok(Math.abs(result.macroF1 - 7 / 24) < 1e-12);
  assert.deepEqual(result.confusion[0], [2, 1, 0, 0]);
  assert.deepEqual(score([]).classes, []);
});

test("four classes of seven", () => {
  assert.deepEqual(mergedLabels("p4-4"), ["anger/disgust", "fear/surprise", "happiness", "sadness"]);
});

test("pieces of two seconds, and what the model said about each", () => {
  assert.deepEqual(pieces.cut(5.2).map(({ start, end }) => [start, end]), [[0, 2], [2, 4], [4, 5.2]]);
  assert.equal(pieces.cut(4.3).length, 2);
  const timeline = new Timeline();
  for (const end of [0.5, 1, 1.5]) timeline.add(hop(end, "fear"), 2);
  timeline.add(hop(2, "angry", { raw: said("sad", 0.9) }), 2);
  for (const end of [2.5, 3, 3.5, 4]) timeline.add(quiet(end), 2);
  assert.equal(pieces.answerTo(timeline, { start: 0, end: 2 }).label, "fear", "what the ribbon shows for longest");
  assert.equal(pieces.answerTo(timeline, { start: 1.5, end: 2 }).label, "angry");
  assert.equal(pieces.answerTo(timeline, { start: 2, end: 4 }).speech, false);
  const cut = pieces.cut(4);
  const given = new Map([[0, "fear"], [1, "neutral"]]);
  assert.deepEqual(pieces.pairs(cut, given, timeline), [{ truth: "fear", answer: "fear" }]);
  assert.deepEqual(pieces.pairs(cut, given, timeline, { leaveOut: false })[1], { truth: "neutral", answer: "silence" });
  assert.deepEqual(pieces.pairs(cut, given, timeline, { merge: MERGES["p4-4"] }), [{ truth: "fear/surprise", answer: "fear/surprise" }]);
});

test("the segments of a file can be scored too", () => {
  const timeline = new Timeline();
  timeline.add({ start: 0, end: 3, label: "sad", score: 0.6, scores: said("sad", 0.6) });
  timeline.add({ start: 3, end: 6, label: "unsure", score: 0.3, scores: [{ label: "fear", score: 0.3 }, { label: "sad", score: 0.2 }] });
  const given = new Map([[0, "sad"], [2, "happy"]]);
  const found = pieces.pairs(pieces.cut(6), given, timeline);
  assert.deepEqual(found, [{ truth: "sad", answer: "sad" }, { truth: "happy", answer: "unsure" }]);
  assert.equal(pieces.pairs(pieces.cut(6), given, timeline, { merge: MERGES["p4-4"] })[1].answer, "unsure");
});

test("labels that are saved can be loaded, and only where they belong", () => {
  const cut = pieces.cut(6);
  const given = new Map([[2, "sad"], [0, "angry"]]);
  const text = pieces.save(cut, given, "x.wav", 6);
  assert.deepEqual([...pieces.load(text, cut)], [[0, "angry"], [2, "sad"]]);
  assert.throws(() => pieces.load(text, pieces.cut(3)), /another recording/);
  assert.throws(() => pieces.load("{}", cut), /no labels/);
  assert.throws(() => pieces.load("no", cut), /not JSON/);
  const edited = JSON.stringify({ ...JSON.parse(text), labels: [{ start: 0, end: "2", label: "sad" }] });
  assert.throws(() => pieces.load(edited, cut), /damaged: labels\[0\].end should be a time in seconds/);
});

test("a WAV that is what it says", () => {
  const view = new DataView(writers.wav(Int16Array.of(1, -2, 3), 48_000));
  assert.equal(view.byteLength, 50);
  assert.equal(view.getUint32(4, true), 42);
  assert.equal(view.getUint32(24, true), 48_000);
  assert.equal(view.getInt16(46, true), -2);
});

const answer = {
  file: 'say "hi", x.wav', model: "m", label: "angry", guess: "angry", abstained: false, scores: said("angry", 0.8), transcript: "",
  runs: [
    { start: 0, end: 1.5, label: "angry", speech: true, score: 0.8, scores: said("angry", 0.8) },
    { start: 1.5, end: 2, label: "silence", speech: false, score: 0, scores: [] },
    { start: 2, end: 3661.25, label: "unsure", speech: true, score: 0.2, scores: said("sad", 0.2) },
  ],
};

test("CSV, SRT and JSON", () => {
  const lines = writers.csv([answer], ["angry", "sad"]).split("\n");
  assert.equal(lines[0], "file,start,end,label,guess,abstained,score,angry,sad,transcript,model");
  assert.equal(lines[1], '"say ""hi"", x.wav",0.000,1.500,angry,angry,false,0.800000,0.800000,,,m');
  assert.equal(lines[2], '"say ""hi"", x.wav",1.500,2.000,silence,silence,false,,,,,m');
  assert.match(lines[3], /unsure,sad,true,0\.200000/);
  const cues = writers.srt([answer]);
  assert.match(cues, /^1\n00:00:00,000 --> 00:00:01,500\nangry 80%\n\n2\n00:00:02,000 --> 01:01:01,250\nunsure \(sad 20%\)\n\n$/);
  const shape = JSON.parse(writers.json([answer]));
  assert.deepEqual(Object.keys(shape), ["file", "label", "guess", "abstained", "scores", "segments", "transcript", "model"]);
  assert.ok(Array.isArray(JSON.parse(writers.json([answer, answer]))));
  assert.match(writers.csv([{ ...answer, file: "=1+1" }], []), /^'=1\+1/m);
});

test("the ribbon's view", () => {
  assert.deepEqual(scale.clamp({ start: 50, span: 10 }, 20), { start: 10, span: 10 });
  assert.deepEqual(scale.clamp({ start: -5, span: 30 }, 20), { start: 0, span: 30 });
  assert.deepEqual(scale.zoom({ start: 0, span: 10 }, 2, 5), { start: 2.5, span: 5 });
  assert.equal(scale.reveal({ start: 0, span: 10 }, 12).start, 3);
  const { step, times } = scale.ticks({ start: 0, span: 30 }, 1000);
  assert.equal(step, 5);
  assert.deepEqual(times, [0, 5, 10, 15, 20, 25, 30]);
});

test("what is said of a whole session", () => {
  const one = session.newSession({ kind: "live", name: "s", models: ["m"], labels: ["angry", "sad"] });
  assert.equal(session.overall(one, "m"), undefined);
  for (const end of [0.5, 1, 1.5]) session.take(one, { type: "segment", model: "m", ...hop(end) });
  session.take(one, { type: "segment", model: "m", ...hop(2, "sad") });
  session.take(one, { type: "final", model: "m", start: 0.1, end: 2, label: "angry", scores: [], transcript: "Well." });
  session.take(one, { type: "final", model: "m", start: 0.1, end: 2, label: "angry", scores: [], transcript: "Well." });
  assert.equal(session.overall(one, "m").label, "angry");
  assert.deepEqual(session.transcript(one), [{ start: 0.1, end: 2, text: "Well." }]);
  assert.equal(session.answers(one)[0].transcript, "Well.");
  // Words that come later than the answer that they belong to.
  session.take(one, { type: "final", model: "m", start: 2.1, end: 3, label: "sad", scores: [], transcript: "" });
  session.take(one, { type: "transcript", model: "m", start: 2.1, end: 3, transcript: "Done." });
  assert.equal(session.answers(one)[0].transcript, "Well. Done.");
});

test("the label of a whole session is the best of its scores, or unsure where that was shown for longest", () => {
  const one = session.newSession({ kind: "live", name: "s", models: ["m"], labels: ["angry", "sad"] });
  for (const end of [0.5, 1]) session.take(one, { type: "segment", model: "m", ...hop(end), scores: said("angry", 0.35) });
  session.take(one, { type: "segment", model: "m", ...hop(1.5, "sad"), scores: said("sad", 0.99) });
  const whole = session.overall(one, "m");
  assert.equal(whole.label, whole.scores[0].label);
  assert.equal(whole.score, whole.scores[0].score);
  for (const end of [2, 2.5, 3]) session.take(one, { type: "segment", model: "m", ...hop(end, "unsure") });
  assert.equal(session.overall(one, "m").label, "unsure");
});

test("a session whose scores are on the mean below the model's threshold is unsure, as a file with these scores is", () => {
  const labels = ["angry", "sad", "happy", "fear"];
  const told = (threshold, more = {}) => {
    const one = session.newSession({ kind: "live", name: "s", models: ["m"], labels, thresholds: { m: threshold } });
    for (const [at, label] of ["angry", "sad", "happy", "unsure", "unsure", "unsure", "unsure"].entries()) {
      session.take(one, { type: "segment", model: "m", ...hop((at + 1) / 2, label), scores: [{ label: label === "unsure" ? "fear" : label, score: 0.7 }], ...more });
    }
    const [{ label, guess, abstained, labels: all }] = session.answers(one);
    return [label, guess, abstained, all];
  };
  assert.deepEqual(told(0.5), ["unsure", "fear", true, undefined]);
  assert.deepEqual(told(0.3), ["fear", "fear", false, undefined]);
  assert.deepEqual(told(undefined)[0], "unsure", "shown for longest");
  assert.deepEqual(told(0.5, { labels: ["fear"] })[3], []);
});

test("how much a session is like what the model learnt from", () => {
  const one = session.newSession({ kind: "live", name: "s", models: ["m", "n"], labels: ["angry", "sad"] });
  for (const model of ["m", "n"]) for (const end of [0.5, 1]) session.take(one, { type: "segment", model, ...hop(end) });
  session.take(one, { type: "final", model: "m", start: 0, end: 3, label: "angry", scores: [], familiarity: 0.2 });
  session.take(one, { type: "final", model: "m", start: 4, end: 5, label: "angry", scores: [], familiarity: 0.6 });
  session.take(one, { type: "final", model: "n", start: 0, end: 3, label: "angry", scores: [] });
  const [known, unknown] = session.answers(one);
  assert.ok(Math.abs(known.familiarity - 0.3) < 1e-9);
  assert.equal(unknown.familiarity, undefined);
  const file = session.newSession({ kind: "file", name: "s", models: ["m"], labels: [] });
  session.takePrediction(file, "m", { label: "sad", abstained: false, scores: said("sad", 0.9), familiarity: 0.05 });
  assert.equal(session.overall(file, "m").familiarity, 0.05);
});

test("an answer that is unsure", () => {
  const one = session.newSession({ kind: "file", name: "s", models: ["m"], labels: ["angry", "sad"] });
  session.takePrediction(one, "m", { label: "unsure", abstained: true, scores: said("sad", 0.2) });
  assert.equal(session.overall(one, "m").label, "unsure");
  const [{ guess, abstained }] = session.answers(one);
  assert.deepEqual([guess, abstained], ["sad", true]);
});

test("what was heard for how long", () => {
  const one = session.newSession({ kind: "file", name: "s", models: ["m"], labels: [] });
  for (const event of [hop(0.5), hop(1, "sad"), hop(1.5, "sad"), { ...quiet(4), start: 1.5 }]) session.take(one, { type: "segment", ...event });
  assert.deepEqual(session.secondsPerLabel(one, "m"), [["sad", 1], ["angry", 0.5], ["silence", 2.5]]);
});

test("a session that was saved is opened again, in a WAV that any player plays", () => {
  const tape = new Tape(48_000);
  tape.append(Int16Array.from({ length: 96_001 }, (_, i) => i % 300));
  const one = session.newSession({ kind: "live", name: "süß", tape, models: ["m"], labels: ["angry", "sad"], thresholds: { m: 0.9 } });
  assert.ok(session.isAtRisk(one));
  for (const end of [0.5, 1, 1.5]) session.take(one, { type: "segment", ...hop(end) });
  session.take(one, { type: "final", model: "m", start: 0.1, end: 1.5, label: "angry", scores: [], transcript: "Well." });
  one.given.set(0, "sad");
  const file = saved.sessionFile(one);
  assert.equal(new DataView(file).getUint32(4, true), file.byteLength - 8);
  const again = saved.fromWav(file);
  assert.deepEqual(again.tape.slice(), tape.slice());
  assert.deepEqual(session.answers(again), session.answers(one));
  assert.deepEqual([...again.given], [[0, "sad"]]);
  assert.ok(!session.isAtRisk(again));
  assert.equal(saved.fromWav(writers.wav(Int16Array.of(1, 2), 8000)), undefined, "any other WAV is a recording");
  assert.equal(saved.fromWav(new ArrayBuffer(3)), undefined);
  const edited = (from, to) => {
    const copy = file.slice(0);
    Buffer.from(copy).write(to, Buffer.from(copy).indexOf(from));
    return copy;
  };
  assert.throws(() => saved.fromWav(file.slice(0, -9)), /cut off/);
  assert.throws(() => saved.fromWav(edited('"version":1', '"version":2')), /version should be 1/);
  assert.throws(() => saved.fromWav(edited('["m"]', '[   ]')), /models should hold something/);
  assert.throws(() => saved.fromWav(edited('"given":[[0', '"given":[[9')), /given\[0\]\[0\] should be a whole number below 1/);
});

test("answers are opened again", () => {
  const [one] = saved.fromJson(writers.json([answer]));
  assert.deepEqual(session.answers(one)[0].runs.map(({ label }) => label), ["angry", "silence", "unsure"]);
  const unsure = { file: "a.wav", label: "unsure", scores: said("sad", 0.2), segments: [], transcript: "", abstained: true, model: "m" };
  assert.equal(session.overall(saved.fromJson(JSON.stringify(unsure))[0], "m").label, "unsure");
  const several = [unsure, { ...unsure, model: "n" }, { ...unsure, file: "b.wav" }, { file: "c.wav", error: "no" }];
  assert.deepEqual(saved.fromJson(JSON.stringify(several)).map(({ name, models }) => [name, models]), [["a.wav", ["m", "n"]], ["b.wav", ["m"]]]);
  for (const text of ["{}", "nonsense", "[]", "null"]) assert.throws(() => saved.fromJson(text), /no answers/);
});

test("text on a colour can be read", () => {
  assert.equal(inkOn(colour("happy")), "#10141a");
  assert.equal(inkOn(colour("sad")), "#ffffff");
});

test("what is explained: the stretch with one label around a moment, no shorter than an answer, within the sound", () => {
  const one = session.newSession({ kind: "live", name: "s", models: ["m"], labels: ["angry", "sad"] });
  const timeline = one.timelines.get("m");
  for (let n = 1; n <= 20; n++) timeline.add(n <= 3 ? quiet(n / 2) : hop(n / 2, n <= 6 ? "angry" : "sad"));
  one.tape = new Tape(1000);
  one.tape.append(new Int16Array(10_000));
  assert.equal(reasons.answerAt(one, "m", 1), undefined);
  assert.equal(reasons.stretchAt(one, "m", 1), undefined);
  assert.deepEqual(reasons.answerAt(one, "m", 2), { label: "angry" });
  const angry = reasons.stretchAt(one, "m", 2);
  assert.deepEqual([angry.start, angry.end, angry.label], [1.25, 3.25, "angry"]);
  const sad = reasons.stretchAt(one, "m", 9.9);
  assert.deepEqual([sad.start, sad.end, sad.label], [3, 10, "sad"]);
  const whole = reasons.stretchAt(one, "m");
  assert.deepEqual([whole.start, whole.end, whole.label], [0, 10, "sad"]);
});

test("what is explained of a long session is bounded, and an unsure answer is explained by its guess", () => {
  const one = session.newSession({ kind: "live", name: "s", models: ["m"], labels: ["angry"] });
  for (let n = 1; n <= 200; n++) one.timelines.get("m").add(hop(n / 2, "unsure", { scores: said("angry", 0.6) }));
  one.tape = new Tape(1000);
  one.tape.append(new Int16Array(100_000));
  for (const [at, from, to] of [[0, 0, 30], [50, 35, 65], [99.9, 70, 100], [undefined, 35, 65]]) {
    const { start, end, label } = reasons.stretchAt(one, "m", at);
    assert.deepEqual([start, end], [from, to]);
    assert.equal(label, "angry");
  }
});

test("several labels at once: the ribbon is cut where one comes or goes, and every file has them all", () => {
  const timeline = new Timeline();
  const both = [{ label: "happy", score: 0.9 }, { label: "laughing", score: 0.7 }];
  const one = [{ label: "happy", score: 0.8 }, { label: "laughing", score: 0.2 }];
  timeline.add(hop(0.5, "happy", { scores: both, labels: ["happy", "laughing"] }));
  timeline.add(hop(1, "happy", { scores: both, labels: ["laughing", "happy"] }));
  timeline.add(hop(1.5, "happy", { scores: one, labels: ["happy"] }));
  timeline.add({ start: 1.5, end: 2, state: "silence", label: "silence", labels: [], scores: [] });
  const runs = timeline.runs();
  assert.deepEqual(runs.map(({ end, labels }) => [end, labels]), [[1, ["happy", "laughing"]], [1.5, ["happy"]], [2, []]]);
  assert.equal(inWords(timeline.at(0.2)), "happy 90\u00a0%, laughing 70\u00a0%");
  assert.equal(inWords(timeline.at(1.2)), "happy, 80\u00a0% sure");
  const answer = { file: "a.wav", model: "m", label: "happy", labels: ["happy", "laughing"], guess: "happy", abstained: false, scores: both, transcript: "", runs };
  const shape = JSON.parse(writers.json([answer]));
  assert.deepEqual(shape.labels, ["happy", "laughing"]);
  assert.deepEqual(shape.segments.map(({ labels }) => labels), [["happy", "laughing"], ["happy"], []]);
  const [head, first] = writers.csv([answer], ["happy", "laughing"]).split("\n");
  assert.ok(head.includes(",score,labels,happy,laughing,"));
  assert.ok(first.includes(",happy; laughing,"));
  assert.ok(writers.srt([answer]).includes("happy 90%, laughing 70%"));
  const live = session.newSession({ kind: "live", name: "s", models: ["m"], labels: ["happy", "laughing"] });
  for (const [end, labels] of [[1, ["happy", "laughing"]], [2, ["happy"]], [3, ["happy"]]]) {
    session.take(live, { type: "segment", model: "m", start: end - 1, end, state: "speech", label: "happy", labels, scores: one });
  }
  assert.deepEqual(session.overall(live, "m").labels, ["happy"]);
  assert.equal(session.answers(live)[0].runs.length, 2);
});
