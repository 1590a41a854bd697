/** The interface that the service's page knows (`service/static/api.js`), answered in this tab. */

import { clippingWarnings } from "./clipping.js";
import { Downmix } from "./downmix.js";
import { call, open } from "./engine.js";
import { Loading } from "./loading.js";
import { chunksOf } from "./saved.js";

// The models' rate: the browser resamples what it decodes.
const RATE = 16_000;
// How long the page waits to be kept for use without a network, milliseconds; without it all works but that.
const KEPT_MS = 8_000;
// A compressed file larger than this may unfold to gigabytes, bytes.
const LARGEST = 150_000_000;
// From here on a size in a WAV is a placeholder of a recorder that was never told to stop, bytes.
const UNFINISHED = 0x7fff_0000;

// What the modules of the service's page say of the service.
export const NO_ANSWER = "A part of this page could not be loaded: see whether there is a network, and load the page again.";
export const HOW_TO_SECURE = "open its address with HTTPS.";

export class ServiceError extends Error {}

export const setToken = () => {};

/** What lies behind this page is in this tab. */
export const isThere = async () => true;

/** The service's `static/` is this folder. */
export const url = (path) => new URL(path.replace(/^static\//, ""), document.baseURI);

/** Load the models, and keep the page for use without a network: {models: [{name, labels, …}], default}. */
export async function models() {
  const loading = new Loading();
  await keep();
  try {
    return await open((share) => loading.show(share));
  } catch (error) {
    throw new ServiceError(`The model could not be loaded: ${error.message}`, { cause: error });
  }
}

/** The service worker answers from its own store: what is loaded after this is loaded once and for all. */
async function keep() {
  if (!("serviceWorker" in navigator)) return;
  try {
    const { serviceWorker } = navigator;
    const controlled = new Promise((resolve) => serviceWorker.addEventListener("controllerchange", resolve, { once: true }));
    await serviceWorker.register(new URL("sw.js", document.baseURI));
    const late = new Promise((resolve) => setTimeout(resolve, KEPT_MS));
    if (!serviceWorker.controller) await Promise.race([controlled, late]);
  } catch {
    // A private window, or storage that is full or switched off: the page works while there is a network.
  }
}

/** One model's answer to a file. */
export async function predict(file, name, { model, onUpload = () => {}, signal }) {
  const short = await shortOf(file, name);
  const { samples, warnings } = await decode(file, name);
  signal?.throwIfAborted();
  onUpload(1);
  const answer = call("predict", { samples, name: model }, [samples.buffer]);
  signal?.addEventListener("abort", () => call("stop", { target: answer.id }));
  const prediction = await answer;
  performance.measure("intonate.predict", { start: performance.now() - prediction.ms, duration: prediction.ms });
  return { ...prediction, warnings: [...short, ...warnings] };
}

/** Browsers decode what is there of a WAV that was cut off, and do not say so: what there is to say, in sentences. */
async function shortOf(file, name) {
  if (file.size > LARGEST) return [];
  const bytes = await file.arrayBuffer();
  const { data, "fmt ": format } = chunksOf(bytes) ?? {};
  // A file that was never finished promises nothing: 0, or all that the field can hold.
  if (!data || !(format?.size >= 16) || data.promised <= data.size || data.promised >= UNFINISHED) return [];
  const perS = new DataView(bytes).getUint32(format.at + 8, true);
  const [heardS, promisedS] = [data.size, data.promised].map((size) => (size / perS).toFixed(2));
  return [`${name} is damaged or cut off: ${heardS} s of ${promisedS} s were heard`];
}

/** The tab cannot change a voice and ask again: there is no “Why?”. */
export const explain = undefined;

/** {samples, warnings}: mono at the models' rate, and what is remarkable about its channels, in sentences. */
async function decode(file, name) {
  if (file.size > LARGEST) throw new ServiceError(`${name} is larger than ${LARGEST / 1e6} MB: cut it into pieces first.`);
  let sound;
  try {
    sound = await new OfflineAudioContext(1, 1, RATE).decodeAudioData(await file.arrayBuffer());
  } catch (error) {
    throw new ServiceError(`This browser cannot decode ${name}: WAV, MP3 and FLAC are read by all.`, { cause: error });
  }
  if (!sound.length) throw new ServiceError(`${name} holds no sound.`);
  const channels = Array.from({ length: sound.numberOfChannels }, (_, i) => sound.getChannelData(i));
  const downmix = new Downmix(RATE);
  const samples = new Float32Array(sound.length);
  let length = 0;
  for await (const piece of downmix.mono(channels)) {
    samples.set(piece, length);
    length += piece.length;
  }
  return { samples, warnings: [...downmix.warnings(name), ...clippingWarnings(channels, name)] };
}
