"""A real browser with a microphone that plays a clip, in front of the scripted and of the real service."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import soxr

sys.path.insert(0, str(Path(__file__).parent))

from visits import ROOT, Site, checked, served

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


@pytest.fixture(params=["scripted", "real"])
def any_site(request: pytest.FixtureRequest, browser: Any) -> Iterator[Site]:
    """The page before the scripted service, and before the real one."""
    if request.param == "scripted":
        yield request.getfixturevalue("site")
        return
    with checked(Site(browser, request.getfixturevalue("service"))) as one:
        yield one
