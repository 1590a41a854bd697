"""Statistics over an utterance, each with a name: what a voice does on the whole.

`voice_functionals` describes timbre (cepstra of the log-mel), melody (pitch), level, rhythm and modulation. It is
computed from one log-mel and one pitch track. Columns that depend on the gain of the microphone are named in
`GAIN_COLUMNS`: they only mean something beside other clips of the same speaker, so a model gives them no prior
(`Normalisation.prior` = 0) and a clip alone shows zero there.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from intonate.audio.products import product
from intonate.features.prosody import VOICED_ABOVE, pitch
from intonate.features.spectral import dct_matrix, level_removed, log_mel

Float = NDArray[np.float32]

HOP_S = 0.01
CEPSTRA = 25
BANDS = 80
# Modulation of groups of mel bands, by how fast they change: 1-2.5, 2.5-5, 5-10 and 10-20 Hz (syllables: 4-5 Hz).
MODULATION_HZ = (1.0, 2.5, 5.0, 10.0, 20.0)
MODULATION_GROUPS = 8
PERCENTILES = (10, 90)

_PITCH_COLUMNS = (
    "f0_mean", "f0_sd", "f0_p10", "f0_p50", "f0_p90", "f0_range", "f0_abs_delta", "f0_delta_mean", "f0_slope",
    "f0_end", "voiced_share", "voicing_mean", "voicing_sd", "voicing_p90", "voiced_runs_per_s", "voiced_run_s",
)  # fmt: skip
_RHYTHM_COLUMNS = (
    "duration_log_s",
    "active_share",
    "energy_sd",
    "energy_range",
    "energy_abs_delta",
    "energy_peaks_per_s",
    "flux",
)
GAIN_COLUMNS = ("level_mean", "level_max", "level_voiced")

VOICE_COLUMNS: tuple[str, ...] = (
    *(f"c{i}_{stat}" for stat in ("mean", "sd", "delta_sd", "p10", "p90", "voiced_mean") for i in range(CEPSTRA)),
    *(f"mod{group}_{low:g}hz" for low in MODULATION_HZ[:-1] for group in range(MODULATION_GROUPS)),
    *_PITCH_COLUMNS,
    *_RHYTHM_COLUMNS,
    *GAIN_COLUMNS,
)  # fmt: skip


def voice_functionals(waveform: Float, sample_rate_hz: int) -> Float:
    """The columns of `VOICE_COLUMNS`, (columns,) float32.

    Args:
        waveform: (samples,) float32 at 16 kHz.
        sample_rate_hz: must be 16 000.
    """
    return functionals_of(log_mel(waveform, sample_rate_hz), *pitch(waveform, sample_rate_hz))


def functionals_of(logs: Float, f0_hz: Float, strength: Float) -> Float:
    """`voice_functionals` of a log-mel (frames, 80) with its level, and a pitch track (frames,) of the same clip."""
    # The level leaves the cepstra with the 0th coefficient's mean; quiet frames are floored 80 dB under the speech.
    floored, active = level_removed(logs)
    voiced = (strength > VOICED_ABOVE) & active
    cepstra = product(floored, dct_matrix(BANDS, CEPSTRA))
    speech = cepstra[active]
    level = logs @ np.full(BANDS, 1 / BANDS, np.float32)
    active_level = level[active]
    values = (
        speech.mean(axis=0),
        speech.std(axis=0),
        (cepstra[1:] - cepstra[:-1]).std(axis=0) if len(cepstra) > 1 else np.zeros(CEPSTRA),
        *_nearest_rank_percentiles(speech, PERCENTILES),
        cepstra[voiced].mean(axis=0) if voiced.any() else speech.mean(axis=0),
        _modulation_energies(floored),
        _pitch_statistics(f0_hz, strength, voiced),
        _rhythm_statistics(level, floored, active),
        (active_level.mean(), level.max(), level[voiced].mean() if voiced.any() else active_level.mean()),
    )
    return np.concatenate([np.asarray(value, np.float32) for value in values])


def _nearest_rank_percentiles(rows: Float, percents: tuple[int, ...]) -> list[Float]:
    """Nearest-rank percentiles per column."""
    ordered = np.sort(rows, axis=0)
    return [ordered[round(percent / 100 * (len(rows) - 1))] for percent in percents]


def _interpolated_percentiles(values: Float, percents: tuple[int, ...]) -> list[float]:
    """`np.percentile` of a vector without NaN, in a tenth of the time."""
    ordered = np.sort(values)
    places = [percent / 100 * (len(values) - 1) for percent in percents]
    pairs = [(ordered[int(place)], ordered[min(int(place) + 1, len(values) - 1)], place % 1) for place in places]
    return [float(below + (above - below) * share) for below, above, share in pairs]


def _modulation_energies(logs: Float) -> Float:
    """Log energy of each band group's changes, per modulation band, (4 × 8,)."""
    groups = product(logs, group_means())
    spectrum = np.fft.rfft(groups - groups.mean(axis=0), axis=0)
    power = np.square(spectrum.real) + np.square(spectrum.imag)
    energy: Float = np.log(_modulation_band_matrix(len(logs)) @ power + np.float32(1e-3))
    return energy.ravel()


@lru_cache(maxsize=1)
def group_means() -> Float:
    """The mean of each group of neighbouring mel bands, as a matrix (bands, groups)."""
    size = BANDS // MODULATION_GROUPS
    return (np.repeat(np.eye(MODULATION_GROUPS), size, axis=0) / size).astype(np.float32)


@lru_cache(maxsize=64)
def _modulation_band_matrix(frames: int) -> Float:
    """The mean power per modulation band of a spectrum over that many frames, as a matrix (4, frames // 2 + 1).

    A band too narrow for so short a clip to hold a line of the spectrum gets zeros.
    """
    hz = np.fft.rfftfreq(frames, HOP_S)
    lows, highs = np.array(MODULATION_HZ)[:-1, None], np.array(MODULATION_HZ)[1:, None]
    inside = (hz >= lows) & (hz < highs)
    means: Float = (inside / np.maximum(inside.sum(axis=1, keepdims=True), 1) / frames).astype(np.float32)
    return means


def _pitch_statistics(f0_hz: Float, strength: Float, voiced: NDArray[np.bool_]) -> list[float]:
    """Pitch in semitones over 100 Hz; a clip without voice gets zeros, as far from extreme as can be."""
    voiced_frames = np.flatnonzero(voiced)
    if len(voiced_frames) < 3:
        return [0.0] * 10 + [
            len(voiced_frames) / len(voiced),
            float(strength.mean()),
            float(strength.std()),
            0.0,
            0.0,
            0.0,
        ]
    semitones = 12 * np.log2(f0_hz[voiced_frames] / 100)
    # Octave errors are further than half an octave from the median: pull them back.
    (middle,) = _interpolated_percentiles(semitones, (50,))
    semitones = np.clip(semitones, middle - 9, middle + 12)
    low, p50, high = _interpolated_percentiles(semitones, (10, 50, 90))
    mean, sd = _mean_and_sd(semitones)
    gaps = np.diff(voiced_frames)
    steps = np.diff(semitones)[gaps == 1]
    steps = steps[np.abs(steps) < 3]
    spread = (voiced_frames - voiced_frames.mean()) * HOP_S
    slope = float(spread @ (semitones - mean) / max(float(spread @ spread), 1e-6))
    tail = float(semitones[-max(3, len(semitones) // 4) :].mean())
    strong = strength[voiced_frames]
    runs = 1 + np.count_nonzero(gaps > 1)
    return [
        mean, sd, low, p50, high, high - low,
        float(np.abs(steps).mean()) if len(steps) else 0.0, float(steps.mean()) if len(steps) else 0.0,
        slope, tail - mean,
        len(voiced_frames) / len(voiced), *_mean_and_sd(strong), *_interpolated_percentiles(strong, (90,)),
        runs / (len(voiced) * HOP_S), len(voiced_frames) / runs * HOP_S,
    ]  # fmt: skip


def _mean_and_sd(values: Float) -> tuple[float, float]:
    """Of a vector, in a third of the time of its methods."""
    mean = float(values.sum()) / len(values)
    deviation = values - np.float32(mean)
    return mean, float(np.sqrt(deviation @ deviation / len(values)))


def _rhythm_statistics(level: Float, floored: Float, active: NDArray[np.bool_]) -> list[float]:
    frames = len(level)
    active_level = level[active]
    low, high = _interpolated_percentiles(active_level, (10, 90))
    # Syllables: peaks of the energy smoothed over 90 ms.
    smooth = np.convolve(level, np.full(9, 1 / 9))[4 : 4 + frames]
    inner = smooth[1:-1]
    peaks = ((inner > smooth[:-2]) & (inner >= smooth[2:]) & active[1:-1]).sum() if frames > 2 else 0
    steps = np.diff(level) if frames > 1 else np.zeros(1)
    rises = floored[1:] - floored[:-1]
    flux = np.maximum(rises, 0, out=rises).mean() if frames > 1 else 0.0
    return [
        float(np.log(frames * HOP_S)), float(active.mean()), _mean_and_sd(active_level)[1], high - low,
        float(np.abs(steps).mean()), float(peaks) / (frames * HOP_S), float(flux),
    ]  # fmt: skip
