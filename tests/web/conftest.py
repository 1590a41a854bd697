"""The folder that `intonate web` writes, and Chromium with a microphone that plays a clip."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import soxr

from intonate.errors import PageError
from intonate.web.runtime import FILES, copy_runtime
from intonate.web.site import write_site

sys.path.insert(0, str(Path(__file__).parent))
from tabs import Server, Tab

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """ONNX Runtime Web under the names that npm gives its files."""
    folder = tmp_path_factory.mktemp("runtime")
    try:
        copy_runtime(folder / "page")
    except PageError as error:
        pytest.skip(f"needs npm and its registry: {error}")
    for name, (new_name, _) in FILES.items():
        shutil.move(folder / "page" / new_name, folder / name)
    return folder


@pytest.fixture(scope="session")
def site(runtime: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page with its default model."""
    return write_site(tmp_path_factory.mktemp("web") / "site", runtime=runtime)


@pytest.fixture(scope="session")
def microphone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the microphone hears, again and again: a clip, and as much of nothing."""
    samples, rate = soundfile.read(ROOT / "examples/angry.flac", dtype="float32")
    sound = soxr.resample(0.6 * samples / np.abs(samples).max(), rate, 48_000)
    path = tmp_path_factory.mktemp("microphone") / "clip.wav"
    soundfile.write(path, np.concatenate([sound, np.zeros(4 * 48_000, np.float32)]), 48_000, subtype="PCM_16")
    return path


@pytest.fixture(scope="session")
def browser(microphone: Path, launch: Any) -> Iterator[Any]:
    chromium = launch(microphone)
    yield chromium
    chromium.close()


@pytest.fixture(scope="module")
def tab(browser: Any, site: Path) -> Iterator[Tab]:
    server = Server(site)
    one = Tab(browser, server)
    yield one
    one.context.close()
    server.close()
    assert one.problems == []
