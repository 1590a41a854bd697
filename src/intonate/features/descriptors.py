"""Descriptors of the spectrum, the level and the melody, frame by frame, every 10 ms: one column each, by name.

front_end: descriptors
params: {columns: [centroid, flux, pitch]}

Statistics of an utterance are `pooled` of these. They are the spectral and the prosodic features of the acoustic and
linguistic system (P2). Where librosa has a descriptor of the same name it is the same, on frames of 25 ms.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from intonate.catalogue import check_name
from intonate.errors import ModelError
from intonate.features import prosody
from intonate.features.spectral import FRAME, HOP, cut_frames, power_spectrogram

Float = NDArray[np.float32]

# librosa's: what is nearer to zero counts as zero.
CROSSING_ABOVE = 1e-10
# Floors: of a power in the flatness, and of the level (a tenth of the quantisation noise of 16 bits).
POWER_FLOOR, LEVEL_FLOOR_DB = 1e-10, -120.0
ROLLOFF = 0.85
# Semitones are counted from here, near the middle of men's voices.
PITCH_FROM_HZ = 100.0


@lru_cache(maxsize=8)
def bin_hz(sample_rate_hz: int, bins: int) -> Float:
    """The frequencies of the lines of a spectrum, (bins,)."""
    return np.linspace(0, sample_rate_hz / 2, bins, dtype=np.float32)


def ratio(numerator: Float, denominator: Float) -> Float:
    """`above / under`, and zero where that is divided by zero: of silence, nothing has a share."""
    return np.divide(numerator, denominator, out=np.zeros_like(numerator), where=denominator > 0)


def crossing_rate(waveform: Float, frame: int, hop: int) -> Float:
    """The share of the samples of each frame that have another sign than the one before, (1 + samples // hop,).

    Frame t is centred on sample `t * hop`. Zero counts as positive. Before its start and after its end a clip stays
    as it is there, so that its edges are no crossings.
    """
    negative = waveform < -CROSSING_ABOVE
    # The starts and ends of all frames lie on the borders of blocks of so many samples.
    step = math.gcd(frame, hop, frame // 2)
    # changed[i]: sample i has another sign than sample i - 1.
    sign_changes = np.zeros((len(waveform) // step + 1) * step, np.float32)
    sign_changes[1 : len(waveform)] = negative[1:] != negative[:-1]
    sums = sign_changes.reshape(-1, step) @ np.ones(step, np.float32)
    cumulative_changes = np.concatenate([[0], sums.cumsum()])
    starts = np.arange(1 + len(waveform) // hop) * hop - frame // 2
    start, end = np.maximum(starts, 0), np.minimum(starts + frame, len(sign_changes))
    # The first sample of a frame has none before it there.
    return np.asarray(
        (cumulative_changes[end // step] - cumulative_changes[start // step] - sign_changes[start]) / frame, np.float32
    )


class _Sound:
    """A waveform, and what several columns are made of, computed when the first of them asks."""

    def __init__(self, waveform: Float, sample_rate_hz: int) -> None:
        self.waveform, self.rate_hz = waveform, sample_rate_hz

    @cached_property
    def power(self) -> Float:
        return power_spectrogram(self.waveform)

    @cached_property
    def share(self) -> Float:
        """The magnitudes of each frame, divided by their sum; all zero in a frame of digital silence."""
        magnitude = np.sqrt(self.power)
        total = magnitude.sum(axis=1, keepdims=True)
        return ratio(magnitude, total)

    @cached_property
    def hz(self) -> Float:
        return bin_hz(self.rate_hz, self.power.shape[1])

    @cached_property
    def centroid(self) -> Float:
        return np.asarray(np.einsum("tf,f->t", self.share, self.hz))

    @cached_property
    def track(self) -> tuple[Float, Float]:
        return prosody.pitch(self.waveform, self.rate_hz)


def _bandwidth(sound: _Sound) -> Float:
    distance = sound.hz - sound.centroid[:, None]
    return np.asarray(np.sqrt(np.einsum("tf,tf,tf->t", sound.share, distance, distance)))


def _rolloff(sound: _Sound) -> Float:
    cumulative = np.cumsum(sound.share, axis=1, dtype=np.float64)
    return np.asarray(sound.hz[np.argmax(cumulative >= ROLLOFF * cumulative[:, -1:], axis=1)])


def _flatness(sound: _Sound) -> Float:
    power = np.maximum(sound.power, np.float32(POWER_FLOOR))
    return np.asarray(np.exp(np.log(power).mean(axis=1)) / power.mean(axis=1))


def _flux(sound: _Sound) -> Float:
    unit = ratio(sound.share, np.linalg.norm(sound.share, axis=1, keepdims=True))
    return np.asarray(np.linalg.norm(np.diff(unit, axis=0, prepend=unit[:1]), axis=1))


def _energy(sound: _Sound) -> Float:
    frames = cut_frames(sound.waveform, FRAME, HOP, 1 + len(sound.waveform) // HOP)
    power = np.einsum("ts,ts->t", frames, frames) / FRAME
    return np.asarray(10 * np.log10(np.maximum(power, np.float32(10 ** (LEVEL_FLOOR_DB / 10)))))


def _pitch(sound: _Sound) -> Float:
    f0_hz, strength = sound.track
    voiced = np.flatnonzero(strength > prosody.VOICED_ABOVE)
    if not len(voiced):
        return np.zeros(len(f0_hz), np.float32)
    semitones = 12 * np.log2(f0_hz[voiced] / PITCH_FROM_HZ)
    return np.asarray(np.interp(np.arange(len(f0_hz)), voiced, semitones), np.float32)


DESCRIPTORS: dict[str, Callable[[_Sound], Float]] = {
    "centroid": lambda sound: sound.centroid,
    "bandwidth": _bandwidth,
    "rolloff": _rolloff,
    "flatness": _flatness,
    "flux": _flux,
    "zero_crossing_rate": lambda sound: crossing_rate(sound.waveform, FRAME, HOP),
    "energy": _energy,
    "pitch": _pitch,
    "voicing": lambda sound: sound.track[1],
}


def descriptors(waveform: Float, sample_rate_hz: int, *, columns: Sequence[str] = tuple(DESCRIPTORS)) -> Float:
    """The chosen columns over time; `DESCRIPTORS` names them all.

    ================== ============================================================================ ===============
    centroid           mean frequency of the magnitude spectrum                                     Hz
    bandwidth          standard deviation around it                                                 Hz
    rolloff            85 % of the magnitude lie at and below this frequency                        Hz
    flatness           geometric over arithmetic mean of the power                                  0 tone, 1 noise
    flux               distance from the spectrum of the frame before, each of unit length          0 to √2
    zero_crossing_rate changes of sign per sample                                                   0 to 1
    energy             root mean square level                                                       dB, full scale 0
    pitch              fundamental frequency, straight lines where there is no voice                semitones, 100 Hz 0
    voicing            how periodic (`intonate.features.prosody`)                                   0 to 1
    ================== ============================================================================ ===============

    A clip without any voice has the pitch zero. The first frame has the flux zero. In digital silence the flatness is
    1 and the energy -120 dB, all else is zero.

    Args:
        waveform: (samples,) float32.
        sample_rate_hz: of the waveform; the frame is 25 ms and the hop 10 ms at 16 kHz, and pitch and voicing want
            that rate.
        columns: names of `DESCRIPTORS`, in the order wanted.

    Returns:
        (1 + samples // 160, columns) float32.

    Raises:
        ModelError: a column is not known, or none is given.
    """
    for name in columns:
        check_name(name, DESCRIPTORS, "descriptor", ModelError)
    if not columns:
        raise ModelError(f"columns is empty; name at least one of {', '.join(DESCRIPTORS)}")
    sound = _Sound(np.asarray(waveform, np.float32), sample_rate_hz)
    return np.stack([DESCRIPTORS[name](sound) for name in columns], axis=1).astype(np.float32)
