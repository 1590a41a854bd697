"""The page without a server: how much the first visit loads, and how long 3 s take beside Python, in one run.

    python benchmarks/web.py > benchmarks/results/web.json      # needs the extra `dev`, npm and Chromium

`intonate web` is written to a temporary folder and opened in headless Chromium, whose models run in one thread. The
same 3 s of a recording are answered by turns in the tab (from samples to the answer, cleaning and voice activity
included, as the page itself measures) and by `Recognizer.predict` in this process, on one core each.
"""

from __future__ import annotations

import functools
import http.server
import json
import os
import shutil
import statistics
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import soundfile
from playwright.sync_api import Page, sync_playwright

import intonate
from intonate.web.site import write_site

ROOT = Path(__file__).resolve().parents[1]
TURNS, SECONDS = 30, 3
FLAGS = "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
READY = "#connection[data-state=ready]"


class Handler(http.server.SimpleHTTPRequestHandler):
    requests: list[str] = []  # noqa: RUF012

    def do_GET(self) -> None:
        # The browser itself looks for a newer service worker, now and then.
        if self.path != "/sw.js":
            self.requests.append(self.path)
        super().do_GET()

    def log_message(self, *_: object) -> None:
        pass


def main() -> None:
    figures = {model: measure(model) for model in ("compact", "standard")}
    print(json.dumps({"seconds": SECONDS, "turns": TURNS, **figures, "load_average": os.getloadavg()[0]}, indent=2))


def measure(name: str) -> dict[str, object]:
    """The figures of one model."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        site = write_site(Path(folder) / "site", [name])
        clip = Path(folder) / "clip.wav"
        samples, rate = soundfile.read(ROOT / "examples/changing.flac", dtype="float32")
        soundfile.write(clip, samples[rate : rate * (1 + SECONDS)], rate)
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=str(site)))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        chromium = shutil.which("chromium") or shutil.which("chromium-browser")
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS.split())
        page = browser.new_page()
        began = time.perf_counter()
        page.goto(f"http://localhost:{server.server_port}")
        page.wait_for_selector(READY, timeout=120_000)
        ready_s = time.perf_counter() - began
        Handler.requests.clear()
        recognizer = intonate.load_model(name)
        # Decoded before, as the tab's time begins with samples.
        sound = soundfile.read(clip, dtype="float32")
        native, tab = [], []
        for _ in range(TURNS):
            tab.append(answer_in_tab(page, clip))
            began = time.perf_counter()
            answer = recognizer.predict(sound)
            native.append(1e3 * (time.perf_counter() - began))
        shown = {entry["label"]: entry["score"] for entry in save_answers(page)["scores"]}
        requests = len(Handler.requests)
        page.reload()
        page.wait_for_selector(READY, timeout=120_000)
        version = browser.version
        browser.close()
        server.shutdown()
        size = sum(path.stat().st_size for path in site.rglob("*") if path.is_file())
    return {
        "first_load_bytes": size,
        "first_ready_s": round(ready_s, 2),
        "requests_after_it": requests,
        "largest_difference": max(abs(shown[label] - score) for label, score in answer.scores.items()),
        "tab_ms": {"median": statistics.median(tab), "least": min(tab), "all": [round(value, 1) for value in tab]},
        "native_ms": {
            "median": statistics.median(native), "least": min(native), "all": [round(value, 1) for value in native],
        },
        "ratio_of_medians": statistics.median(tab) / statistics.median(native),
        "median_of_ratios": float(np.median(np.array(tab) / np.array(native))),
        "ratio_of_least": min(tab) / min(native),
        "chromium": version,
    }  # fmt: skip


def answer_in_tab(page: Page, clip: Path) -> float:
    """One answer; the milliseconds that the page's worker took for it."""
    page.evaluate("performance.clearMeasures()")
    page.set_input_files("#file", clip)
    while not (measures := page.evaluate("performance.getEntriesByName('intonate.predict').map((m) => m.duration)")):
        page.wait_for_timeout(10)
    page.wait_for_selector("#after:not([hidden])")
    return float(measures[0])


def save_answers(page: Page) -> dict[str, list[dict[str, float]]]:
    with page.expect_download() as waiting:
        page.click("[data-save=json]")
    answer: dict[str, list[dict[str, float]]] = json.loads(waiting.value.path().read_text(encoding="utf-8"))
    return answer


if __name__ == "__main__":
    main()
