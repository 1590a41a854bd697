/** The service's HTTP interface. The token lives in this tab's storage and nowhere else. */

import { tabStore } from "./store.js";

const TOKEN = "intonate.token";
// What modules say that the page without a service has, too.
export const NO_ANSWER = "The service does not answer. Is “intonate serve” running?";
export const HOW_TO_SECURE = "open http://localhost, or start the service with --tls-cert and --tls-key.";

class ServiceError extends Error {
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

export const url = (path) => new URL(path, document.baseURI);
export const token = () => tabStore.get(TOKEN) ?? "";
export const setToken = (value) => tabStore.set(TOKEN, value);

const credentials = () => (token() ? { Authorization: `Bearer ${token()}` } : {});

/** Whether the service answers at all, and not a proxy that does not reach it. */
export const isThere = () => fetch(url("healthz"), { cache: "no-store" }).then(({ ok }) => ok, () => false);

/** `GET /v1/models`: {models: [{name, labels, …}], default}. Throws ServiceError; status 401 asks for a token. */
export async function models() {
  let response;
  try {
    response = await fetch(url("v1/models"), { headers: credentials() });
  } catch {
    throw new ServiceError(NO_ANSWER, 0);
  }
  const body = await response.json().catch(() => ({}));
  if (!response.ok) throw new ServiceError(sentence(body, response.status), response.status);
  return body;
}

/**
 * `POST /v1/predictions`: one model's answer to a file, with its timeline.
 *
 * @param onUpload called with the share that was sent, 0 to 1.
 * @param signal an AbortSignal.
 */
export function predict(file, name, { model, denoise = false, onUpload = () => {}, signal }) {
  const form = new FormData();
  form.append("timeline", "1");
  form.append("model", model);
  if (denoise) form.append("denoise", "1");
  form.append("audio", file, name);
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    // fetch cannot tell how much was sent; XMLHttpRequest can.
    const request = new XMLHttpRequest();
    request.open("POST", url("v1/predictions"));
    for (const [header, value] of Object.entries(credentials())) request.setRequestHeader(header, value);
    request.responseType = "json";
    request.upload.onprogress = ({ loaded, total }) => onUpload(total ? loaded / total : 0);
    request.onload = () => {
      const body = request.response;
      if (request.status === 200 && body && !body.error) resolve(body);
      else reject(new ServiceError(sentence(body, request.status), request.status));
    };
    request.onerror = () => reject(new ServiceError("The service cannot be reached: the file was not sent.", 0));
    request.onabort = () => reject(new DOMException("Stopped.", "AbortError"));
    signal?.addEventListener("abort", () => request.abort());
    request.send(form);
  });
}

/** `POST /v1/explanations`: what moves one model's answer to a sound, which lies `offset` seconds into a session. */
export async function explain(sound, { model, label, text, offset, signal }) {
  const form = new FormData();
  for (const [name, value] of Object.entries({ model, label, text, offset })) if (value) form.append(name, value);
  form.append("audio", sound, "stretch.wav");
  let response;
  try {
    response = await fetch(url("v1/explanations"), { method: "POST", body: form, headers: credentials(), signal });
  } catch {
    throw new ServiceError("The service cannot be reached: nothing was explained.", 0);
  }
  const body = await response.json().catch(() => ({}));
  if (!response.ok) throw new ServiceError(sentence(body, response.status), response.status);
  return body;
}

function sentence(body, status) {
  if (typeof body?.error === "string") return body.error;
  if (status === 401) return "This service asks for its token.";
  if (status === 413) return "This file is larger than the service accepts.";
  if (status === 503) return "The service is busy: please try again in a moment.";
  return `The service answered with status ${status} and no reason.`;
}
