"""A real browser with a microphone that plays a clip, in front of the scripted and of the real service."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import soxr

sys.path.insert(0, str(Path(__file__).parent))

ROOT = Path(__file__).parents[2]
ACTOR = ROOT / "../shared/corpora/ravdess/Actor_05"
# "Kids are talking by the door", happy, sad, angry and afraid, strongly.
CLIPS = [ACTOR / f"03-01-{emotion}-02-01-01-05.flac" for emotion in ("03", "04", "05", "06")]
RATE = 48_000


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the microphone hears, again and again: four sentences of an actor, or else the project's own examples."""
    sources = CLIPS if all(path.is_file() for path in CLIPS) else sorted((ROOT / "examples").glob("*.flac"))
    parts = []
    for source in sources:
        samples, rate = soundfile.read(source, dtype="float32")
        # Actors' clips are recorded softly; a person before a laptop is not.
        loud = 0.6 * samples / max(1e-6, float(np.abs(samples).max()))
        parts += [soxr.resample(loud, rate, RATE), np.zeros(RATE // 2, np.float32)]
    path = tmp_path_factory.mktemp("microphone") / "clip.wav"
    soundfile.write(path, np.concatenate(parts), RATE, subtype="PCM_16")
    return path


@pytest.fixture(scope="session")
def browser(clip: Path, launch: Any) -> Iterator[Any]:
    chromium = launch(clip)
    yield chromium
    chromium.close()


class Site:
    """The page, and what stands behind it."""

    def __init__(self, browser: Any, port: int, fake: Any = None) -> None:
        from wire import Wire

        self.browser, self.fake, self.wire = browser, fake, Wire(port)
        self.origin = f"http://localhost:{self.wire.port}"
        self.contexts: list[Any] = []
        self.problems: list[str] = []
        self.requests: list[str] = []

    def open(self, ready: bool = True, **options: Any) -> Any:
        """A new tab; `options` are those of a Playwright context."""
        context = self.browser.new_context(**{"viewport": {"width": 1200, "height": 860}} | options)
        self.contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(30_000)
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("websocket", lambda socket: self.requests.append(socket.url))
        page.on("pageerror", lambda error: self.problems.append(f"error: {error}"))
        page.on("console", lambda said: self.problems.append(said.text) if said.type in ("error", "warning") else None)
        page.goto(self.origin)
        if ready:
            page.wait_for_selector("#connection[data-state=ready]")
        return page

    def close(self) -> None:
        for context in self.contexts:
            context.close()
        self.wire.close()


@contextlib.contextmanager
def checked(site: Site) -> Iterator[Site]:
    """What every test asks of the page, whatever else it asks: no error, and not one request elsewhere."""
    try:
        yield site
        own = (site.origin, site.origin.replace("http", "ws"), "blob:", "data:")
        strangers = [url for url in site.requests if not url.startswith(own)]
        assert strangers == []
        assert site.problems == []
    finally:
        site.close()


@pytest.fixture
def fake(request: pytest.FixtureRequest) -> Iterator[Any]:
    """The scripted service; `indirect` parameters are those of `Fake`."""
    pytest.importorskip("uvicorn", reason="needs the extra service")
    from fake_service import Fake

    with Fake(**getattr(request, "param", {})) as running:
        yield running


@pytest.fixture
def site(browser: Any, fake: Any) -> Iterator[Site]:
    """The page before the scripted service."""
    with checked(Site(browser, fake.port, fake)) as one:
        yield one


@pytest.fixture(scope="session")
def service() -> Iterator[int]:
    """`intonate serve` with the built-in model; its port."""
    with served() as port:
        yield port


@contextlib.contextmanager
def served(*models: Path) -> Iterator[int]:
    """`intonate serve` with these models; its port."""
    pytest.importorskip("fastapi", reason="needs the extra service")
    from fake_service import free_port

    port = free_port()
    command = [sys.executable, "-m", "intonate", "serve", "--port", str(port)]
    command += [word for model in models for word in ("--model", str(model))]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment, cwd=ROOT
    ) as process:
        assert process.stdout is not None
        # Two minutes is what a machine with much else to do has needed.
        watchdog = threading.Timer(120, process.kill)
        watchdog.start()
        said = process.stdout.readline()
        watchdog.cancel()
        assert "listening at" in said, said + process.stdout.read()
        yield port
        process.terminate()


@pytest.fixture(params=["scripted", "real"])
def any_site(request: pytest.FixtureRequest, browser: Any) -> Iterator[Site]:
    """The page before the scripted service, and before the real one."""
    if request.param == "scripted":
        yield request.getfixturevalue("site")
        return
    with checked(Site(browser, request.getfixturevalue("service"))) as one:
        yield one
