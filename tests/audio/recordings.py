"""Files as other programs write them: made by ffmpeg from samples, or a skip that says what is missing."""

from __future__ import annotations

import shutil
import subprocess
import wave
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import numpy as np
import pytest

RATE_HZ = 16_000
SECONDS = 3.0

# Suffix -> arguments of ffmpeg; rates where a codec wants one.
FORMATS: dict[str, tuple[str, ...]] = {
    "wav": (),
    "flac": (),
    "ogg": ("-c:a", "libvorbis"),
    "opus": ("-c:a", "libopus"),
    "mp3": (),
    "aiff": (),
    "au": (),
    "caf": (),
    "w64": (),
    "m4a": ("-c:a", "aac"),
    "webm": ("-c:a", "libopus"),
    "aac": ("-c:a", "aac"),
    "wma": ("-c:a", "wmav2"),
}
NEEDS_PYAV = frozenset({"m4a", "webm", "aac", "wma"})


def chirp(seconds: float = SECONDS, low_hz: float = 300.0, high_hz: float = 2_000.0) -> np.ndarray:
    """A rising tone, (samples,) float32: every moment of it sounds different."""
    time_s = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    phase = 2 * np.pi * (low_hz * time_s + (high_hz - low_hz) * time_s**2 / (2 * seconds))
    return (0.4 * np.sin(phase)).astype(np.float32)


def moment_hz(samples: np.ndarray, at_s: float) -> float:
    """The frequency that sounds at a moment."""
    start = round(at_s * RATE_HZ)
    piece = samples[start : start + 1024] * np.hanning(len(samples[start : start + 1024]))
    return float(np.argmax(np.abs(np.fft.rfft(piece, 16_384))) * RATE_HZ / 16_384)


@cache
def folder() -> Path:
    return Path(mkdtemp(prefix="intonate-recordings-"))


@cache
def recording(name: str, *arguments: str, low_hz: float = 300.0) -> bytes:
    """The bytes of a recording, by ffmpeg."""
    if shutil.which("ffmpeg") is None:
        pytest.skip("ffmpeg is not installed, which makes the files of this test")
    source = folder() / f"source-{low_hz:g}.wav"
    with wave.open(str(source), "wb") as file:
        file.setparams((1, 2, RATE_HZ, 0, "NONE", ""))
        file.writeframes((chirp(low_hz=low_hz) * 32767).astype("<i2").tobytes())
    return convert(source, name, *arguments)


def convert(source: Path, name: str, *arguments: str, before: tuple[str, ...] = ()) -> bytes:
    """What ffmpeg makes of a file."""
    made = folder() / name
    command = ["ffmpeg", "-nostdin", "-loglevel", "error", "-y", *before, "-i", str(source), *arguments, str(made)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        pytest.skip(f"ffmpeg cannot write {name} here: {result.stderr.strip()[:100]}")
    return made.read_bytes()
