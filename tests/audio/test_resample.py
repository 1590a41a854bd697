"""Another rate, the same sound."""

import numpy as np
import pytest

from intonate.audio.resample import resample, resample_blocks


def tone(rate: int, hz: float, seconds: float = 1.0) -> np.ndarray:
    return (0.5 * np.sin(2 * np.pi * hz * np.arange(round(rate * seconds)) / rate)).astype(np.float32)


@pytest.mark.parametrize("from_hz", [8_000, 11_025, 44_100, 48_000, 96_000])
@pytest.mark.parametrize("hz", [100.0, 1_000.0, 3_500.0])
def test_a_tone_keeps_its_pitch_level_and_place(from_hz: int, hz: float) -> None:
    heard = resample(tone(from_hz, hz), from_hz, 16_000)
    assert abs(len(heard) - 16_000) <= 1
    np.testing.assert_allclose(heard[1_000:15_000], tone(16_000, hz)[1_000:15_000], atol=1e-3)


def test_what_the_new_rate_cannot_hold_is_gone() -> None:
    assert np.abs(resample(tone(48_000, 9_000), 48_000, 16_000)[1_000:15_000]).max() < 1e-4


def test_blocks_leave_no_seams() -> None:
    noise = np.random.default_rng(0).uniform(-1, 1, 44_100).astype(np.float32)
    parts = list(resample_blocks(np.array_split(noise, 37), 44_100, 16_000))
    assert all(len(part) for part in parts)
    np.testing.assert_allclose(np.concatenate(parts), resample(noise, 44_100, 16_000), atol=1e-6)


def test_something_stays_something_and_nothing_nothing() -> None:
    assert len(resample(np.ones(1, np.float32), 48_000, 16_000)) == 1
    assert len(resample(np.ones(0, np.float32), 48_000, 16_000)) == 0
    assert len(resample(np.ones(0, np.float32), 16_000, 16_000)) == 0
