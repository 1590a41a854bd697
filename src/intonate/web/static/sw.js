// The page's own store: everything is kept here at the first visit, and answered from here ever after.

const STORE = "intonate-VERSION";
const PAGE = ["FILES"];

addEventListener("install", (event) => {
  // The runtime and the models come when the page asks for them, so that they are loaded once and their bar moves.
  const fresh = PAGE.map((path) => new Request(path, { cache: "reload" }));
  event.waitUntil(caches.open(STORE).then((store) => store.addAll(fresh)).then(() => skipWaiting()));
});

addEventListener("activate", (event) => {
  const others = (names) => names.filter((name) => name.startsWith("intonate-") && name !== STORE);
  const clean = async () => {
    await Promise.all(others(await caches.keys()).map((name) => caches.delete(name)));
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
  const response = await fetch(event.request);
  if (response.ok) event.waitUntil(store.put(event.request, response.clone()));
  return response;
}
