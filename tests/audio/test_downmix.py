"""Several channels as one: nothing that is said on any of them is lost."""

import re
from pathlib import Path

import numpy as np
import pytest

from intonate.audio.decode import load

RATE_HZ = 16_000
CLIP = Path(__file__).parents[3] / "shared/corpora/ravdess/Actor_09/03-01-05-02-01-01-09.flac"


@pytest.fixture(scope="module")
def speech() -> np.ndarray:
    if not CLIP.is_file():
        pytest.skip("no RAVDESS in ../shared/corpora, whose speech this test needs")
    return load(CLIP)


def mixed(*channels: np.ndarray) -> tuple[np.ndarray, list[str]]:
    warnings: list[str] = []
    return load((np.stack(channels, axis=1), RATE_HZ), warnings=warnings), warnings


def noise(samples: int, level: float = 0.2) -> np.ndarray:
    return np.random.default_rng(0).normal(0, level, samples).astype(np.float32)


def test_equal_channels_are_one_without_a_word(speech: np.ndarray) -> None:
    mono, warnings = mixed(speech, speech)
    np.testing.assert_array_equal(mono, speech)
    assert warnings == []


@pytest.mark.parametrize("level", [-1.0, -0.5])
def test_opposite_phases_do_not_sum_to_silence(speech: np.ndarray, level: float) -> None:
    mono, warnings = mixed(speech, speech * np.float32(level))
    assert np.abs(mono).max() > 0.7 * np.abs(speech).max()
    assert warnings == ["<array>: channel 2 is in opposite phase to channel 1, and turned before the mix"]


def test_a_phase_that_is_turned_for_a_while(speech: np.ndarray) -> None:
    other = np.tile(speech, 4)
    other[2 * len(speech) :] *= -1
    mono, warnings = mixed(np.tile(speech, 4), other)
    for start in range(0, len(mono), len(speech)):
        assert np.abs(mono[start : start + len(speech)]).max() > 0.9 * np.abs(speech).max()
    assert warnings == ["<array>: channel 2 is in opposite phase to channel 1, and turned before the mix"]


def test_a_voice_far_softer_than_the_other_is_no_empty_channel(speech: np.ndarray) -> None:
    silence, soft = np.zeros_like(speech), speech[::-1] * np.float32(0.005)
    mono, warnings = mixed(np.concatenate([speech, silence]), np.concatenate([silence, soft]))
    assert np.abs(mono[len(speech) :]).max() > 0.001
    assert warnings == ["<array>: its channels hold different sounds, and were mixed into one"]
    # What leaks is not.
    mono, warnings = mixed(speech, speech * np.float32(0.002))
    np.testing.assert_allclose(mono, speech, atol=1e-6)
    assert warnings == ["<array>: channel 2 is silent, and left out of the mix"]


def test_an_empty_channel_does_not_halve_the_other(speech: np.ndarray) -> None:
    for other in (np.zeros_like(speech), noise(len(speech), 1e-6)):
        mono, warnings = mixed(other, speech)
        np.testing.assert_allclose(mono, speech, atol=1e-5)
        assert warnings == ["<array>: channel 1 is silent, and left out of the mix"]


def test_a_channel_that_only_hums_or_hisses_is_left_out(speech: np.ndarray) -> None:
    hum = (0.3 * np.sin(2 * np.pi * 50 * np.arange(len(speech)) / RATE_HZ)).astype(np.float32)
    for other in (hum, noise(len(speech))):
        mono, warnings = mixed(speech, other)
        np.testing.assert_allclose(mono, speech, atol=1e-6)
        assert warnings == ["<array>: channel 2 is only noise, and left out of the mix"]


def test_a_channel_that_is_noise_for_some_of_the_time_is_told(speech: np.ndarray) -> None:
    long = np.resize(speech, 60 * RATE_HZ)
    other = np.concatenate([noise(30 * RATE_HZ), np.roll(long, RATE_HZ)[: 30 * RATE_HZ]])
    _, warnings = mixed(long, other)
    # Pieces are as long as they are read.
    assert any(
        re.search("channel 2 is only noise in [12]\\d of 60 s, and left out of the mix there", w) for w in warnings
    )


def test_two_voices_are_both_kept_and_told(speech: np.ndarray) -> None:
    other = np.roll(speech, RATE_HZ // 2)
    mono, warnings = mixed(speech, other)
    np.testing.assert_allclose(mono, (speech + other) / 2, atol=1e-6)
    assert warnings == ["<array>: its channels hold different sounds, and were mixed into one"]


def test_noise_on_all_channels_is_averaged() -> None:
    left, right = noise(RATE_HZ * 3), noise(RATE_HZ * 3)[::-1]
    mono, warnings = mixed(left, right)
    np.testing.assert_allclose(mono, (left + right) / 2, atol=1e-6)
    assert warnings == []
