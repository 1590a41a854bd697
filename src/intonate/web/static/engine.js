/** The page's side of worker.js: calls that are answered, and events of streams. */

const calls = new Map();
const streams = new Map();
let worker, last = 0;
let onLoading = () => {};

function start() {
  worker = new Worker(new URL("worker.js", import.meta.url), { type: "module" });
  worker.onmessage = ({ data }) => {
    if ("loading" in data) onLoading(data.loading);
    else if (data.stream) streams.get(data.stream)?.(data.event);
    else if ("share" in data) calls.get(data.id)?.onShare?.(data.share);
    else settle(data);
  };
  worker.onerror = () => {
    for (const id of calls.keys()) settle({ id, error: "This browser could not start the model: update it, and load the page again." });
  };
}

function settle({ id, error, name, result }) {
  const call = calls.get(id);
  calls.delete(id);
  if (!call) return;
  if (error) call.reject(name === "AbortError" ? new DOMException(error, name) : new Error(error));
  else call.resolve(result);
}

/** @returns a promise of the answer; it has the call's `id`. */
export function call(name, data = {}, transfer = [], onShare = undefined) {
  if (!worker) start();
  const id = ++last;
  const answer = new Promise((resolve, reject) => calls.set(id, { resolve, reject, onShare }));
  worker.postMessage({ id, call: name, ...data }, transfer);
  return Object.assign(answer, { id });
}

/** Load everything; `loading` gets shares, 0 to 1. Resolves to {models, default}. */
export function open(loading) {
  onLoading = loading;
  return call("open");
}

/** A new stream; `onEvent` gets its events. */
export function openStream(onEvent) {
  const stream = ++last;
  streams.set(stream, onEvent);
  return stream;
}

export const closeStream = (stream) => streams.delete(stream);
