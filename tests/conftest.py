"""What the tests of several rooms share: `toy.py`, a synthetic corpus, and `tiny.py`, small models made by hand."""

import os
import shutil
import sys
import tempfile
from pathlib import Path

# Processes of tests share the cores: threads of each would wait for the others'. Read when numpy and torch are loaded.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    # Two processes that compile librosa's functions at once spoil numba's cache, and whoever loads it then crashes.
    NUMBA_CACHE = tempfile.TemporaryDirectory(prefix="numba-")
    os.environ["NUMBA_CACHE_DIR"] = NUMBA_CACHE.name

import hypothesis
import numpy as np
import pytest

# A test measures no seconds: on a busy machine any of them may take longer than hypothesis allows.
hypothesis.settings.register_profile("no deadline", deadline=None)
hypothesis.settings.load_profile("no deadline")

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="session", autouse=True)
def _no_cache_of_the_user(tmp_path_factory):
    """Features that the tests compute are kept in a folder of their own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
CHROMIUM_OPTIONS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --autoplay-policy=no-user-gesture-required "
    "--use-fake-device-for-media-stream --use-fake-ui-for-media-stream"
)


@pytest.fixture(scope="session")
def launch():
    """Start Chromium with a sound at its microphone. Playwright is one for all rooms: a thread cannot run two."""
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright (extra dev)")
    if CHROMIUM is None:
        pytest.skip("needs Chromium (on Debian: apt-get install chromium)")
    with playwright.sync_playwright() as driver:

        def started(microphone):
            options = [*CHROMIUM_OPTIONS.split(), f"--use-file-for-fake-audio-capture={microphone}"]
            return driver.chromium.launch(executable_path=CHROMIUM, args=options)

        yield started


@pytest.fixture(scope="session")
def toy_corpus(tmp_path_factory):
    """The folder of the toy corpus: 4 emotions × 4 speakers × 3 takes."""
    import toy

    return toy.corpus(tmp_path_factory.mktemp("toy") / "corpus")


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory):
    import tiny

    path = tmp_path_factory.mktemp("models") / "tiny.onnx"
    tiny.write(path, tiny.spec())
    return path


@pytest.fixture(scope="session")
def text_model(tmp_path_factory):
    pytest.importorskip("tokenizers")
    import tiny

    path = tmp_path_factory.mktemp("models") / "tiny-text.onnx"
    tiny.write(path, tiny.token_spec(), tokens=True)
    return path


@pytest.fixture
def every_sound_is_speech(monkeypatch):
    """The toy corpus is made of tones, which no detector of voices takes for one."""
    from intonate.audio.energy import HOP_S

    def frames(waveform, rate_hz):
        return np.ones(max(1, round(len(waveform) / rate_hz / HOP_S)), bool)

    monkeypatch.setattr("intonate.recognizer.recognizer.has_voice", lambda *_: True)
    monkeypatch.setattr("intonate.transcripts.recognisers.voice_frames", frames)
