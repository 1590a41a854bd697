"""What can be measured of one recording without knowing what is said in it, for the doctor."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from intonate.audio.clipping import Clipping
from intonate.audio.decode import info, load
from intonate.audio.resample import resample
from intonate.corpora import fingerprints
from intonate.corpora.fingerprints import Fingerprint
from intonate.errors import AudioError
from intonate.processes import processor_count
from intonate.schema import Utterance

# Under this peak nothing can be heard in 16 bits (-60 dBFS).
SILENT_PEAK = 1e-3
# Speech touches its own peak once in a while; more samples than this at it are for an ear to decide.
CLIPPED_SHARE = 2e-3
# Frames of levels, seconds; and how near to the loud frames an edge must be to lie within speech, dB.
_FRAME_S, _EDGE_DB = 0.02, 8.0
# Points of the picture of a waveform.
_POINTS = 120


@dataclass(frozen=True)
class Sound:
    """Measures of one clip.

    Attributes:
        digest: of its samples, whatever the file's name and format.
        print: its fingerprint.
        duration_s: length, seconds.
        rate_hz: of the file.
        format: of the file.
        level_db: RMS against full scale, dB.
        floor_db: level of the quietest twentieth of its frames, dB.
        bandwidth_hz: above which less than a thousandth of its energy lies.
        lead_s, trail_s: pause before and after the sound, seconds.
        peak: largest value, full scale 1.
        clipped: share of the samples that are a flat top.
        starts_loud, ends_loud: whether it begins, or ends, in the middle of a sound.
        warnings: what the decoder could not read.
        envelope: (120,) largest value of each part, for a picture.
    """

    digest: str
    print: Fingerprint
    duration_s: float
    rate_hz: int
    format: str
    level_db: float
    floor_db: float
    bandwidth_hz: float
    lead_s: float
    trail_s: float
    peak: float
    clipped: float
    starts_loud: bool
    ends_loud: bool
    warnings: tuple[str, ...]
    envelope: NDArray[np.float32]

    @property
    def is_silent(self) -> bool:
        return self.peak < SILENT_PEAK

    @property
    def is_clipped(self) -> bool:
        return self.clipped > CLIPPED_SHARE


def measure_all(utterances: Sequence[Utterance]) -> list[Sound | AudioError]:
    """Every clip measured, on all cores; one that cannot be read is its error."""
    with ThreadPoolExecutor(processor_count()) as pool:
        return list(pool.map(_measures_or_error, utterances))


def _measures_or_error(utterance: Utterance) -> Sound | AudioError:
    try:
        return measure(utterance)
    except AudioError as error:
        return error


def measure(utterance: Utterance) -> Sound:
    """The measures of one clip.

    Raises:
        AudioError: it cannot be read.
    """
    header = info(utterance.path)
    rate = header.sample_rate_hz
    warnings: list[str] = []
    waveform = load(utterance.path, rate, utterance.start_s, utterance.end_s, warnings=warnings)
    clipping = Clipping()
    clipping.count(waveform)
    size = max(1, round(_FRAME_S * rate))
    frames = np.pad(waveform, (0, -len(waveform) % size)).reshape(-1, size)
    levels = 10 * np.log10(np.mean(np.square(frames, dtype=np.float64), axis=1) + 1e-12)
    loud_db = float(np.percentile(levels, 90))
    loud_frames = np.flatnonzero(levels > loud_db - 30)
    power = np.abs(np.fft.rfft(waveform, n=1 << (len(waveform) - 1).bit_length())) ** 2
    total = np.cumsum(power)
    peak = float(np.abs(waveform).max())
    edges = np.linspace(0, len(waveform), _POINTS + 1).astype(int)[:-1].clip(max=len(waveform) - 1)
    return Sound(
        digest=hashlib.blake2b(np.round(waveform * 32768).astype(np.int32).tobytes(), digest_size=16).hexdigest(),
        print=fingerprints.fingerprint(resample(waveform, rate, fingerprints.RATE_HZ)),
        duration_s=len(waveform) / rate,
        rate_hz=rate,
        format=header.format,
        level_db=float(10 * np.log10(np.mean(np.square(waveform, dtype=np.float64)) + 1e-12)),
        floor_db=float(np.percentile(levels, 5)),
        bandwidth_hz=float(np.searchsorted(total, 0.999 * total[-1]) / len(power) * rate / 2),
        lead_s=float(loud_frames[0] * _FRAME_S) if len(loud_frames) else 0.0,
        trail_s=float((len(levels) - 1 - loud_frames[-1]) * _FRAME_S) if len(loud_frames) else 0.0,
        peak=peak,
        clipped=clipping.share,
        # The padded last frame would hide a cut.
        starts_loud=peak >= SILENT_PEAK and float(levels[0]) > loud_db - _EDGE_DB,
        ends_loud=peak >= SILENT_PEAK and _level(waveform[-size:]) > loud_db - _EDGE_DB,
        warnings=tuple(warnings),
        envelope=np.maximum.reduceat(np.abs(waveform), edges).astype(np.float32),
    )


def _level(samples: NDArray[np.float32]) -> float:
    return float(10 * np.log10(np.mean(np.square(samples, dtype=np.float64)) + 1e-12))
