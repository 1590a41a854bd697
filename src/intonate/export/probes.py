"""Clips to check a model file with, of something like a voice: every export is compared with what it came from."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from intonate.features.normalise import SpeakerStatistics
from intonate.recognizer import inputs
from intonate.schema import ModelSpec

# Lengths of the sounds, s.
LENGTHS_S = (1.2, 2.1, 3.4)


def probes(spec: ModelSpec) -> list[inputs.Clip]:
    """Clips of three lengths, as the graph takes them: a buzz of 140 Hz in syllables, with noise far below."""
    words = inputs.of_words(spec, "kids are talking by the door") if inputs.takes_text(spec) else None
    clips = [inputs.extract(spec, sound, words) for sound in sounds(spec.sample_rate_hz)]
    return [inputs.normalise_clip(spec, clip, SpeakerStatistics()) for clip in clips]


def sounds(sample_rate_hz: int) -> list[NDArray[np.float32]]:
    """The sounds themselves, each (samples,)."""
    rng = np.random.default_rng(0)
    waveforms = []
    for seconds in LENGTHS_S:
        time_s = np.arange(round(seconds * sample_rate_hz)) / sample_rate_hz
        buzz = sum(np.sin(2 * np.pi * 140 * harmonic * time_s) / harmonic for harmonic in range(1, 20))
        sound = 0.1 * buzz * np.sin(2 * np.pi * 2 * time_s) ** 2 + 1e-3 * rng.normal(size=len(time_s))
        waveforms.append(sound.astype(np.float32))
    return waveforms
