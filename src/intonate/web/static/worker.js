/** Beside the page's own thread: ONNX Runtime Web, the models, recordings and streams. */

import * as ort from "./runtime/ort.js";
import { Listener, WINDOW_S } from "./listener.js";
import { predictRecording } from "./recording.js";

const here = (path) => new URL(path, import.meta.url).href;
const models = new Map();
const streams = new Map();
const stopped = new Set();
let opening;

// Of a page that was written again, the browser itself may keep an older file.
const fetched = (path) => fetch(here(path), { cache: "no-cache" });

/** The bytes of a file; `onBytes` gets how many more came. */
async function download(path, onBytes) {
  const response = await fetched(path);
  if (!response.ok) throw new Error(`${path} could not be loaded (status ${response.status}).`);
  const parts = [];
  let length = 0;
  for (const reader = response.body.getReader(); ; ) {
    const { done, value } = await reader.read();
    if (done) break;
    parts.push(value);
    length += value.length;
    onBytes(value.length);
  }
  const whole = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** Load the runtime and every model, once: what models.json lists. */
async function open() {
  const list = await (await fetched("models.json")).json();
  const total = list.bytes;
  let loaded = 0, shown = -1;
  const onBytes = (bytes) => {
    loaded += bytes;
    const percent = Math.floor((100 * loaded) / total);
    if (percent > shown) postMessage({ loading: (shown = percent) / 100 });
  };
  ort.env.wasm.numThreads = 1;
  ort.env.wasm.wasmPaths = { mjs: here("runtime/ort-wasm.js") };
  ort.env.wasm.wasmBinary = await download("runtime/ort-wasm.wasm", onBytes);
  for (const model of list.models) {
    const graph = await download(model.file, onBytes);
    const session = await ort.InferenceSession.create(graph, { executionProviders: ["wasm"], graphOptimizationLevel: "disabled" });
    models.set(model.name, { ...model, session });
    await runner(model.name)(new Float32Array(model.sample_rate_hz)); // the first run lays out the memory
  }
  return { models: list.models, default: list.models[0].name };
}

/** The graph of a model: `(samples, moments) => {scores, moments}`, the dimensions behind the scores of the labels. */
function runner(name) {
  const { session, labels, dimensions, moments: columns } = models.get(name);
  return async (samples, moments) => {
    const feeds = { waveform: new ort.Tensor("float32", samples, [1, samples.length]) };
    for (const [input, size] of Object.entries(columns)) {
      feeds[input] = new ort.Tensor("float64", moments?.[input] ?? new Float64Array(3 * size), [3, size]);
    }
    const answer = await session.run(feeds);
    const heard = Object.fromEntries(Object.keys(columns).map((input) => [input, answer[`${input}_out`].data.slice()]));
    return { scores: answer.scores.data.slice(0, labels.length + dimensions.length), moments: heard };
  };
}

const CALLS = {
  open: () => (opening ??= open().catch((error) => {
    opening = undefined; // pressed again, it is tried again
    throw error;
  })),

  async predict({ id, samples, name }) {
    const began = performance.now();
    // Between windows others are let in: a wish to stop, a stream.
    const between = async (share) => {
      postMessage({ id, share });
      await new Promise((resolve) => setTimeout(resolve));
      if (stopped.has(id)) throw new DOMException("Stopped.", "AbortError");
    };
    const answer = await predictRecording(samples, models.get(name), runner(name), between);
    return { ...answer, model: name, ms: performance.now() - began };
  },

  listen({ stream, names, rate }) {
    streams.set(stream, names.map((name) => [name, new Listener(models.get(name), rate, runner(name))]));
    return { window: WINDOW_S };
  },

  async hear({ stream, samples }) {
    for (const [model, listener] of streams.get(stream) ?? []) {
      for (const event of await listener.push(samples)) postMessage({ stream, event: { ...event, model } });
    }
  },

  async finish({ stream }) {
    for (const [model, listener] of streams.get(stream) ?? []) {
      for (const event of await listener.finish()) postMessage({ stream, event: { ...event, model } });
    }
    streams.delete(stream);
  },

  stop({ target }) {
    stopped.add(target);
  },
};

// Chunks of a stream are heard in their order, one after the other.
let queue = Promise.resolve();
onmessage = ({ data }) => {
  const answer = async () => {
    try {
      postMessage({ id: data.id, result: await CALLS[data.call](data) });
    } catch (error) {
      postMessage({ id: data.id, error: error.message, name: error.name });
    }
  };
  if (data.call === "stop") answer();
  else queue = queue.then(answer);
};
