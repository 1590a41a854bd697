"""How soon the page shows an answer: one live stream in headless Chromium, a recording in place of the microphone.

    python benchmarks/page.py > benchmarks/results/page.json      # needs the extra `dev` and Chromium

Starts `intonate serve` on loopback and listens for 40 s. The page itself measures, for every window, the time from
sending the chunk that completes it to receiving its answer.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import soundfile
import soxr
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parents[1]
SECONDS = 40
FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--use-fake-device-for-media-stream --use-fake-ui-for-media-stream --use-file-for-fake-audio-capture="
)


def main() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    service = subprocess.Popen([sys.executable, "-m", "intonate", "serve", "--port", str(port)], stdout=sys.stderr)
    try:
        wait_for(f"http://127.0.0.1:{port}/readyz")
        with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
            clip = Path(folder) / "microphone.wav"
            samples, rate = soundfile.read(ROOT / "examples" / "changing.flac", dtype="float32")
            soundfile.write(clip, soxr.resample(samples, rate, 48_000), 48_000)
            chromium = shutil.which("chromium") or shutil.which("chromium-browser")
            browser = playwright.chromium.launch(executable_path=chromium, args=f"{FLAGS}{clip}".split())
            page = browser.new_page()
            page.goto(f"http://127.0.0.1:{port}/")
            page.click("#listen")
            page.wait_for_timeout(SECONDS * 1000)
            told = page.eval_on_selector("#latency", "node => ({...node.dataset})")
            version = browser.version
            browser.close()
    finally:
        service.terminate()
        service.wait(20)
    figures = {"seconds": SECONDS, "latency": told, "chromium": version, "load_average": os.getloadavg()[0]}
    print(json.dumps(figures, indent=2))


def wait_for(url: str, seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while True:
        try:
            urllib.request.urlopen(url, timeout=2).close()
            return
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.1)


if __name__ == "__main__":
    main()
