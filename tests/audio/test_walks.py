"""Containers that are walked from element to element: whole ones are whole, a cut or a break is told."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from intonate.errors import AudioError

sys.path.insert(0, str(Path(__file__).parent))
from recordings import RATE_HZ, SECONDS, convert, folder, moment_hz, recording
from test_whole_sound import heard

pytestmark = pytest.mark.filterwarnings("error")
pytest.importorskip("av", reason="PyAV is not installed (extra `media`)")
SOUNDS: dict[str, tuple[str, ...]] = {
    "opus.webm": ("-c:a", "libopus"),
    "live.webm": ("-c:a", "libopus", "-live", "1"),
    "aac.mka": ("-c:a", "aac"),
    "flac.mka": ("-c:a", "flac"),
    "aac.flv": ("-c:a", "aac", "-ar", "22050"),
    "mp3.avi": ("-c:a", "libmp3lame", "-ar", "22050"),
    "ac3.avi": ("-c:a", "ac3", "-ar", "48000"),
    "mp2.mpg": ("-c:a", "mp2", "-ar", "48000"),
    "ac3.rm": ("-c:a", "ac3", "-ar", "44100"),
    "real.rm": ("-c:a", "real_144", "-ar", "8000"),
    "wmav2.wma": ("-c:a", "wmav2"),
    "pcm.asf": ("-c:a", "pcm_s16le"),
    "walk.wv": (),
    "walk.dts": ("-c:a", "dca", "-strict", "-2", "-ar", "48000"),
    "flac.ogg": ("-c:a", "flac"),
    "speex.ogg": ("-c:a", "libspeex"),
    "rf64.wav": ("-rf64", "always"),
}
FILMS: dict[str, tuple[str, ...]] = {
    "film.mkv": ("-c:v", "mpeg4", "-c:a", "aac"),
    "film.mp4": ("-c:v", "mpeg4", "-c:a", "aac"),
    "film.avi": ("-c:v", "mjpeg", "-c:a", "pcm_s16le"),
    "film.flv": ("-c:v", "flv", "-c:a", "libmp3lame", "-ar", "44100"),
    "film.vob": ("-c:v", "mpeg2video", "-c:a", "ac3", "-ar", "48000"),
    "film.m2ts": ("-c:v", "mpeg2video", "-c:a", "ac3", "-ar", "48000"),
    "film.wmv": ("-c:v", "wmv2", "-c:a", "wmav2"),
    "film.rm": ("-c:v", "rv20", "-c:a", "ac3", "-ar", "44100"),
    "film.ogv": ("-c:v", "libtheora", "-c:a", "libvorbis"),
}
MIDDLE = 4_000  # bytes that are overwritten: a packet of ASF or a frame of AC-3 is no longer


def answer(data: bytes) -> tuple[np.ndarray, list[str]]:
    """As `heard`; where nothing is left (all was in one block of WavPack, or page of Ogg), the refusal."""
    try:
        return heard(data)
    except AudioError as error:
        return np.zeros(0, np.float32), [str(error)]


@pytest.mark.parametrize("name", SOUNDS)
def test_a_whole_file_is_called_whole(name: str) -> None:
    samples, warnings = heard(recording(name, *SOUNDS[name]))
    assert warnings == []
    assert len(samples) / RATE_HZ == pytest.approx(SECONDS, abs=0.16)
    assert moment_hz(samples, 1.5) == pytest.approx(1_168, abs=150)


@pytest.mark.parametrize("name", FILMS)
def test_a_film_is_called_whole(name: str) -> None:
    recording("300.wav")  # makes the source
    picture = ("-f", "lavfi", "-t", "3", "-i", "testsrc=s=160x120:r=25", "-map", "0", "-map", "1")
    samples, warnings = heard(convert(folder() / "source-300.wav", name, *picture, *FILMS[name]))
    assert warnings == []
    assert len(samples) / RATE_HZ == pytest.approx(SECONDS, abs=0.16)


@pytest.mark.parametrize("name", SOUNDS)
@pytest.mark.parametrize("share", [0.31, 0.57, 0.88])
def test_an_end_that_is_missing_is_told(name: str, share: float) -> None:
    data = recording(name, *SOUNDS[name])
    cut = data[: int(share * len(data)) // 188 * 188 + 7]
    samples, warnings = answer(cut)
    assert len(samples) / RATE_HZ < SECONDS
    assert "damaged" in warnings[-1]


@pytest.mark.parametrize("name", [name for name in SOUNDS if name != "rf64.wav"])
def test_a_stretch_that_was_overwritten_is_told(name: str) -> None:
    data = bytearray(recording(name, *SOUNDS[name]))
    size = min(MIDDLE, len(data) // 6)
    data[len(data) // 2 : len(data) // 2 + size] = np.random.default_rng(0).bytes(size)
    warnings = heard(bytes(data))[1]
    assert len(warnings) == 1
    assert "damaged" in warnings[0]


def test_a_frame_with_a_wrong_checksum_is_told_and_heard_as_far_as_it_goes() -> None:
    for name in ("walk.wv", "flac.mka", "ac3.avi"):
        data = bytearray(recording(name, *SOUNDS[name]))
        data[len(data) // 2] ^= 0x55
        samples, warnings = heard(bytes(data))
        assert len(samples) / RATE_HZ == pytest.approx(SECONDS, abs=0.2)
        assert len(warnings) == 1
