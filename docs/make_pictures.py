"""Make the pictures of the README: the live page and a report, in light and in dark, from a real run.

    python docs/make_pictures.py [MANIFEST.csv]    # needs the extras train and dev, and Chromium

Without a manifest only the page. With one the report, too: `intonate evaluate` of the same model.
The page is that of `intonate serve` with the default model; its microphone is Chromium's own for tests, and plays
examples/changing.flac. The manifest of the README's report is of TESS, which no built-in model was trained on.
"""

from __future__ import annotations

import io
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from hashlib import sha256
from pathlib import Path
from typing import Any

import soundfile
import soxr
from PIL import Image
from playwright.sync_api import sync_playwright

from intonate.recognizer.builtin import DEFAULT, path_of

ROOT = Path(__file__).resolve().parents[1]
PICTURES = ROOT / "docs" / "pictures"
CLIP = ROOT / "examples" / "changing.flac"
INTONATE = [sys.executable, "-m", "intonate"]
FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --autoplay-policy=no-user-gesture-required "
    "--use-fake-device-for-media-stream --use-fake-ui-for-media-stream --use-file-for-fake-audio-capture="
)
# Pixels of CSS; half as many again are taken.
SIZES = {"live": (820, 930), "report": (1020, 1157)}
# Few enough that a picture is under 100 kB, and no colour is lost that is rare, as those of the emotions are.
COLOURS = 256


def main(manifest: str | None = None) -> None:
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        microphone = Path(folder) / "microphone.wav"
        samples, rate_hz = soundfile.read(CLIP, dtype="float32")
        soundfile.write(microphone, soxr.resample(samples, rate_hz, 48_000), 48_000)
        chromium = shutil.which("chromium") or shutil.which("chromium-browser")
        browser = playwright.chromium.launch(executable_path=chromium, args=f"{FLAGS}{microphone}".split())
        page = browser.new_page(device_scale_factor=1.5)
        live(page, len(samples) / rate_hz)
        if manifest:
            report = Path(folder) / "report"
            subprocess.run([*INTONATE, "evaluate", DEFAULT, manifest, "--report", str(report)], check=True)
            page.goto((report / "report.html").as_uri())
            take(page, "report")
            # Of which model all pictures are; tests/test_docs.py tells when it is another.
            (PICTURES / "model.sha256").write_text(sha256(path_of(DEFAULT).read_bytes()).hexdigest() + "\n")
        browser.close()


def live(page: Any, seconds: float) -> None:
    """The page while the last sentence of the clip is heard for the first time."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"http://127.0.0.1:{free.getsockname()[1]}"
    service = subprocess.Popen([*INTONATE, "serve", "--port", address.rpartition(":")[2]], stdout=subprocess.DEVNULL)
    try:
        wait_for(f"{address}/readyz")
        page.goto(f"{address}/")
        page.click("#listen")
        page.wait_for_timeout(1000 * (seconds - 3.5))
        take(page, "live")
    finally:
        service.terminate()
        service.wait(20)


def take(page: Any, name: str) -> None:
    page.set_viewport_size(dict(zip(("width", "height"), SIZES[name], strict=True)))
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        page.wait_for_timeout(500)
        picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
        picture = picture.quantize(COLOURS, Image.Quantize.MAXCOVERAGE, kmeans=1, dither=Image.Dither.NONE)
        path = PICTURES / f"{name}-{scheme}.png"
        picture.save(path, optimize=True)
        print(f"{path.relative_to(ROOT)}: {path.stat().st_size / 1000:.0f} kB")


def wait_for(url: str, seconds: float = 60.0) -> None:
    until = time.monotonic() + seconds
    while True:
        try:
            with urllib.request.urlopen(url, timeout=1):
                return
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.2)


if __name__ == "__main__":
    main(*sys.argv[1:2])
