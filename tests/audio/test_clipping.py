"""A flat top is told where it is heavy, behind any codec; loud sound and round tops are not."""

from __future__ import annotations

import io
import re
from pathlib import Path

import numpy as np
import pytest
import soundfile

from intonate.audio.decode import Sound, load

SPEECH, RATE_HZ = soundfile.read(Path(__file__).parents[2] / "examples/changing.flac", 96_000, dtype="float32")
TOLD = r"is clipped: \d+ % of the samples lie at the peak, distorted$"


def overdriven(gain_db: float) -> np.ndarray:
    """The speech from a peak at full scale, amplified and clipped."""
    return np.clip(SPEECH / np.abs(SPEECH).max() * 10 ** (gain_db / 20), -1, 1).astype(np.float32)


def told(source: object) -> list[str]:
    warnings: list[str] = []
    load(source, warnings=warnings)  # type: ignore[arg-type]
    return warnings


def written(samples: np.ndarray, format_name: str, subtype: str) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, RATE_HZ, format=format_name, subtype=subtype)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("format_name", "subtype"), [("WAV", "PCM_16"), ("MP3", "MPEG_LAYER_III"), ("OGG", "VORBIS"), ("OGG", "OPUS")]
)
def test_heavily_clipped_speech_is_told(format_name: str, subtype: str) -> None:
    assert told(written(overdriven(0), format_name, subtype)) == []
    (warning,) = told(written(overdriven(25), format_name, subtype))
    assert re.search(TOLD, warning)


def test_clipped_sound_that_was_turned_down_is_told_and_a_few_flat_samples_are_not() -> None:
    (warning,) = told((0.6 * overdriven(20), RATE_HZ))
    assert re.search(TOLD, warning)
    assert told((overdriven(2), RATE_HZ)) == []


def test_a_soft_beginning_takes_no_part_in_what_lies_at_the_peak() -> None:
    """Blocks are counted as they come: what was the peak may turn out to lie far beneath it."""
    soft = 0.55 * overdriven(20)
    assert told((np.concatenate([np.tile(soft, 3), np.tile(overdriven(0), 3)]), RATE_HZ)) == []


@pytest.mark.parametrize("level", [0.01, 0.7, 1.0])
@pytest.mark.parametrize("hz", [50, 440, 3_000])
def test_round_tops_are_not_clipped(hz: int, level: float) -> None:
    tone = level * np.sin(2 * np.pi * hz * np.arange(3 * RATE_HZ) / RATE_HZ)
    assert told((tone.astype(np.float32), RATE_HZ)) == []


def test_steps_of_soft_sound_are_no_flat_top() -> None:
    assert told((np.random.default_rng(0).integers(-2, 3, 3 * RATE_HZ).astype(np.int16), RATE_HZ)) == []


def test_the_channel_that_was_asked_for_is_named() -> None:
    stereo = written(np.stack([overdriven(0), overdriven(20)], axis=1), "WAV", "PCM_16")
    assert told(Sound(stereo, channel=1)) == []
    assert "% of the samples of channel 2 lie at the peak" in told(Sound(stereo, channel=2))[0]


@pytest.mark.parametrize("gain", [1.9, 3.9])
def test_what_was_never_cut_is_no_flat_top(gain: float) -> None:
    tone = gain * np.sin(np.arange(3 * RATE_HZ) / 10)
    assert told((tone.astype(np.float32), RATE_HZ)) == []
    assert told((np.full(3 * RATE_HZ, 0.9, np.float32), RATE_HZ)) == []
