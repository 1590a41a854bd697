"""Speech is heard in speech, and not in silence, steady noise, hum or clicks."""

from pathlib import Path

import numpy as np
import pytest

from intonate.audio.activity import _running_minimum, speech_frames
from intonate.audio.decode import load
from intonate.audio.voice import Energy

RATE = 16_000
CORPORA = Path(__file__).parents[3] / "shared" / "corpora"


def noise(seconds: float, dbfs: float) -> np.ndarray:
    return (np.random.default_rng(0).standard_normal(round(seconds * RATE)) * 10 ** (dbfs / 20)).astype(np.float32)


def click() -> np.ndarray:
    waveform = np.zeros(RATE, np.float32)
    waveform[8_000:8_020] = 0.9
    return waveform


def hum(hz: float) -> np.ndarray:
    return (0.1 * np.sin(2 * np.pi * hz * np.arange(3 * RATE) / RATE)).astype(np.float32)


@pytest.mark.parametrize(
    "waveform",
    [
        pytest.param(np.zeros(3 * RATE, np.float32), id="digital silence"),
        pytest.param(np.full(3 * RATE, 0.5, np.float32), id="constant offset"),
        pytest.param(noise(3, -70), id="noise -70 dBFS"),
        pytest.param(noise(3, -40), id="noise -40 dBFS"),
        pytest.param(noise(3, -10), id="noise -10 dBFS"),
        pytest.param(np.concatenate([np.zeros(RATE, np.float32), noise(2, -70)]), id="silence, then noise -70 dBFS"),
        pytest.param(click(), id="click"),
        pytest.param(hum(50), id="mains hum"),
        pytest.param(np.zeros(0, np.float32), id="nothing"),
        pytest.param(np.ones(1, np.float32), id="one sample"),
    ],
)
def test_no_speech(waveform: np.ndarray) -> None:
    assert speech_frames(waveform, RATE).sum() / 100 < Energy.least_s
    assert len(speech_frames(waveform, RATE)) == -(-len(waveform) // 160)


@pytest.mark.parametrize("rate", [8_000, 16_000, 48_000])
def test_a_burst_is_found_where_it_is(rate: int) -> None:
    waveform = (np.random.default_rng(1).standard_normal(3 * rate) * 0.0005).astype(np.float32)
    waveform[rate : rate + rate // 2] *= 200
    frames = speech_frames(waveform, rate)
    assert len(frames) == 300
    found = np.flatnonzero(frames)
    assert 90 <= found[0] <= 100  # up to 50 ms early, and the frame's own 25 ms
    assert 150 <= found[-1] <= 172  # 200 ms of hang-over
    assert frames[found[0] : found[-1] + 1].all()


@pytest.mark.corpora
@pytest.mark.parametrize("pattern", ["ravdess/Actor_*/*.flac", "emodb/wav/*", "banglaser/*.ogg"])
def test_real_speech_is_speech(pattern: str) -> None:
    paths = sorted(CORPORA.glob(pattern))
    if not paths:
        pytest.skip(f"{pattern.split('/')[0]} is not in ../shared/corpora")
    for path in paths[:: len(paths) // 30]:
        waveform = load(path)
        frames = speech_frames(waveform, RATE)
        inside = np.repeat(frames, 160)[: len(waveform)]
        assert np.sum(waveform[inside] ** 2) > 0.97 * np.sum(waveform**2), path.name


@pytest.mark.parametrize("dbfs", [-6, -30, -60])
@pytest.mark.parametrize("rate", [8_000, 16_000, 44_100])
def test_steady_noise_is_no_speech_wherever_it_ends(rate: int, dbfs: float) -> None:
    """The last frames have zeros in them, which are no quiet background."""
    generator = np.random.default_rng(0)
    for extra in range(0, rate // 50, 7):
        noise = generator.normal(0, 10 ** (dbfs / 20) / 3, 2 * rate + extra).astype(np.float32)
        assert not speech_frames(noise, rate).any()


@pytest.mark.corpora
def test_speech_in_steady_noise_is_still_found() -> None:
    paths = sorted(CORPORA.glob("emodb/wav/*"))[::100]
    if not paths:
        pytest.skip("EMO-DB is not in ../shared/corpora")
    for path in paths:
        waveform = np.concatenate([np.zeros(RATE, np.float32), load(path), np.zeros(RATE, np.float32)])
        frames = speech_frames(waveform + noise(len(waveform) / RATE, -45)[: len(waveform)], RATE)
        assert not frames[5:85].any()
        assert frames[100:-120].mean() > 0.5


@pytest.mark.parametrize("length", [1, 2, 6, 7, 8, 20, 21, 200])
@pytest.mark.parametrize("frames", [0, 1, 3, 150])
def test_the_floor_is_the_lowest_level_around(length: int, frames: int) -> None:
    level = np.random.default_rng(length).normal(size=length)
    expected = [level[max(0, place - frames) : place + frames + 1].min() for place in range(length)]
    np.testing.assert_array_equal(_running_minimum(level, frames), expected)
