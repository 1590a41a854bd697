/** Small helpers for the page. */

export const $ = (selector, root = document) => root.querySelector(selector);

/** An element: `el("button", {type: "button", class: "x", "aria-label": "…", onclick}, "text", child)`. */
export function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== false && value != null) node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child != null && child !== false));
  return node;
}

/** One of the icons drawn in index.html. */
export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `#i-${name}`);
  svg.append(use);
  return svg;
}

/** Set a text only where it changes: no needless layout, and nothing is read out twice. */
export function write(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Let the browser save a file. */
export function download(name, type, content) {
  const url = URL.createObjectURL(new Blob([content], { type }));
  el("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

/** One quiet line at the foot of the page; `kind` is info, good or error. It goes by itself unless it `stays`. */
export function notice(text, kind = "info", stays = false) {
  const line = $("#notice");
  clearTimeout(notice.timer);
  line.className = kind;
  line.setAttribute("role", kind === "error" ? "alert" : "status");
  line.hidden = !text;
  write($("#notice-text"), text);
  if (text && !stays) notice.timer = setTimeout(() => notice(""), kind === "error" ? 12_000 : 4_000);
}

/** What is read out to people who cannot see the page: at most one sentence in `QUIET_MS`, the newest one. */
const QUIET_MS = 4_000;
let lastSaid = -QUIET_MS;
let saying;
export function announce(text) {
  clearTimeout(saying);
  const wait = Math.max(0, lastSaid + QUIET_MS - performance.now());
  saying = setTimeout(() => {
    lastSaid = performance.now();
    write($("#announcer"), text);
  }, wait);
}

/** A number with an en dash for what is not known. */
export function orDash(value, text) {
  return value == null ? "–" : text;
}

/** What is being done, and how much of it, 0 to 1; without a share the bar only moves. */
export function progress(text, share) {
  write($("#progress-text"), text);
  if (share == null) $("#progress-bar").removeAttribute("value");
  else $("#progress-bar").value = share;
}

/** An AbortSignal for what is begun now: it is sent when Cancel is pressed, beside the progress. */
export function cancelSignal() {
  const abort = new AbortController();
  $("#cancel").onclick = () => abort.abort();
  return abort.signal;
}
