// The page's own store: everything is kept here at the first visit, and answered from here ever after.

const STORE = "intonate-VERSION";
const PAGE = ["PAGE"];
const RUNTIME_AND_MODELS = ["REST"];

const others = async () => (await caches.keys()).filter((name) => name.startsWith("intonate-") && name !== STORE);

addEventListener("install", (event) => {
  const fill = async () => {
    // At the first visit the runtime and the models come when the page asks for them, so that they are loaded once and
    // their bar moves. Later the older page has them, and the new one takes its place only with all of its own.
    const paths = (await others()).length ? [...PAGE, ...RUNTIME_AND_MODELS] : PAGE;
    const store = await caches.open(STORE);
    await store.addAll(paths.map((path) => new Request(path, { cache: "no-cache" })));
    await skipWaiting();
  };
  event.waitUntil(fill());
});

addEventListener("activate", (event) => {
  const clean = async () => {
    await Promise.all((await others()).map((name) => caches.delete(name)));
    await clients.claim();
  };
  event.waitUntil(clean());
});

addEventListener("fetch", (event) => {
  const { request } = event;
  if (request.method !== "GET" || !request.url.startsWith(registration.scope)) return;
  event.respondWith(answer(event));
});

async function answer(event) {
  const store = await caches.open(STORE);
  const kept = await store.match(event.request, { ignoreSearch: true });
  if (kept) return kept;
  const response = await fetch(event.request, { cache: "no-cache" });
  if (response.ok) event.waitUntil(store.put(event.request, response.clone()));
  return response;
}
