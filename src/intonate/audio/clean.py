"""Clean a waveform by an ordered list of steps, which is data: a recipe names it, a model carries it.

    clean(waveform, 16_000, [{"step": "dc"}, {"step": "trim", "below_db": 40.0, "margin_s": 0.1}])

Every step is a pure function `(waveform (samples,) float32, sample_rate_hz, …) -> (samples,) float32`; none returns
nothing for something, and none changes all-zero sound.
"""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intonate.audio.energy import BLOCK_S, HOP_S, WINDOW_BLOCKS, block_samples, frame_power, runs
from intonate.audio.high_pass import high_pass
from intonate.audio.stft import OVERLAP, istft, stft
from intonate.catalogue import check_name
from intonate.errors import RecipeError, did_you_mean

Waveform = NDArray[np.float32]

# `loudness` measures frames this close to the loudest one: speech without its pauses (compare ITU-T P.56).
ACTIVE_BELOW_DB = 25.0
# `trim`: so many samples, from all over, tell the offset.
OFFSET_SAMPLES = 4096
# `denoise`: Hann windows of 32 ms every 8 ms; the quietest tenth of the frames is taken for noise alone.
DENOISE_WINDOW_S, QUIETEST_SHARE = 0.032, 0.1


def clean(waveform: Waveform, sample_rate_hz: int, steps: Sequence[Mapping[str, Any]]) -> Waveform:
    """Apply steps in order, e.g. `[{"step": "trim", "below_db": 40.0}]`; the rest of a mapping are its parameters.

    Raises:
        RecipeError: a step or a parameter is not known, or a value is impossible.
    """
    check_steps(steps)
    for entry in steps:
        if len(waveform):
            waveform = STEPS[entry["step"]](waveform, sample_rate_hz, **{k: v for k, v in entry.items() if k != "step"})
    return waveform


def check_steps(steps: Sequence[Mapping[str, Any]]) -> None:
    """Refuse what `clean` would refuse, before any sound is there.

    Raises:
        RecipeError: as in `clean`.
    """
    for entry in steps:
        if not isinstance(entry, Mapping) or "step" not in entry:
            raise RecipeError(f"cleaning step {entry!r} has no name, expected e.g. {{'step': 'trim'}}")
        name = entry["step"]
        check_name(name, STEPS, "cleaning step", RecipeError)
        for key, value in entry.items():
            if key == "step":
                continue
            if key not in _step_parameters(name):
                raise RecipeError(
                    f"cleaning step {name!r} has no parameter {key!r}; {did_you_mean(str(key), _step_parameters(name))}"
                )
            if isinstance(value, bool) or not isinstance(value, int | float) or not np.isfinite(value):
                raise RecipeError(f"cleaning step {name!r}: {key} is {value!r}, expected a number")
            low, high = LIMITS[key]
            if not low <= value <= high:
                raise RecipeError(f"cleaning step {name!r}: {key} is {value}, expected {low} to {high}")


def trim_bounds(
    waveform: Waveform, sample_rate_hz: int, below_db: float = 40.0, margin_s: float = 0.1
) -> tuple[int, int]:
    """Where the sound starts and ends: [start, end) in samples.

    Leading and trailing frames (25 ms every 10 ms) whose RMS is more than `below_db` under the loudest frame's are
    outside, but for `margin_s` seconds on each side. All-zero sound is inside as a whole. An offset is no sound:
    it is what half of the samples lie above.
    """
    some = waveform[:: 1 + len(waveform) // OFFSET_SAMPLES]
    offset = _median(some) if len(some) else np.float32(0)
    power = frame_power(waveform - offset, sample_rate_hz)
    active = np.flatnonzero(_active_frames(power, below_db))
    if not len(active):
        return 0, len(waveform)
    hop, window = _hop_and_window_samples(sample_rate_hz)
    margin = round(margin_s * sample_rate_hz)
    start = max(0, int(active[0]) * hop - margin)
    end = min(len(waveform), int(active[-1]) * hop + window + margin)
    return start, end


def trim(waveform: Waveform, sample_rate_hz: int, below_db: float = 40.0, margin_s: float = 0.1) -> Waveform:
    """Cut the quiet before and after the sound (see `trim_bounds`)."""
    start, end = trim_bounds(waveform, sample_rate_hz, below_db, margin_s)
    return waveform[start:end]


def remove_silence(
    waveform: Waveform,
    sample_rate_hz: int,
    below_db: float = 40.0,
    margin_s: float = 0.1,
    longest_pause_s: float = 0.3,
) -> Waveform:
    """Trim, and shorten every pause inside that is longer than `longest_pause_s` to that, cut from its middle."""
    active = _active_frames(frame_power(waveform, sample_rate_hz), below_db)
    if not active.any():
        return waveform
    start, end = trim_bounds(waveform, sample_rate_hz, below_db, margin_s)
    hop, window = _hop_and_window_samples(sample_rate_hz)
    stretches = [(int(first_frame) * hop, int(end_frame - 1) * hop + window) for first_frame, end_frame in runs(active)]
    pause_samples = round(longest_pause_s * sample_rate_hz)
    pieces = []
    for (_, pause_start), (pause_end, _) in itertools.pairwise(stretches):
        if pause_end - pause_start > pause_samples:
            pieces.append(waveform[start : pause_start + pause_samples // 2])
            start = pause_end - (pause_samples - pause_samples // 2)
    return np.concatenate([*pieces, waveform[start:end]])


def loudness(waveform: Waveform, sample_rate_hz: int, target_dbfs: float = -23.0, peak: float = 1.0) -> Waveform:
    """Scale so that the frames of speech have an RMS of `target_dbfs`, or less where a sample would pass ±`peak`.

    0 dBFS is the RMS of a full-scale square wave. Only frames within 25 dB of the loudest count, so that pauses
    do not make a recording louder.
    """
    gain = loudness_gain(waveform, sample_rate_hz, target_dbfs, peak)
    # Rounding must not lift the highest sample over the limit.
    return waveform if gain is None else np.asarray(np.clip(waveform * np.float32(gain), -peak, peak), np.float32)


def loudness_gain(waveform: Waveform, sample_rate_hz: int, target_dbfs: float, peak: float) -> float | None:
    """The factor of `loudness`; None where all is silence."""
    gain = gain_to(target_dbfs, frame_power(waveform, sample_rate_hz))
    return None if gain is None else min(gain, peak / float(np.abs(waveform).max()))


def gain_to(target_dbfs: float, power: NDArray[np.float64]) -> float | None:
    """The factor that brings the frames of speech, by the power of each, to an RMS; None where all is silence."""
    active = _active_frames(power, ACTIVE_BELOW_DB)
    return float(10 ** (target_dbfs / 20) / np.sqrt(power[active].mean())) if active.any() else None


def denoise(
    waveform: Waveform, sample_rate_hz: int, reduction_db: float = 12.0, over_subtraction: float = 2.0
) -> Waveform:
    """Turn down what is no louder than the noise, bin by bin (spectral gating); the length stays.

    The noise in each frequency bin is the mean power of the quietest tenth of the frames. Each bin is scaled by
    the Wiener-like gain `1 - over_subtraction * noise / power`, its power averaged with its neighbours' in time and
    frequency against "musical" noise, and never by less than `-reduction_db` (Berouti et al., ICASSP 1979).
    Needs about 25 times the waveform's own memory: for clips, not for hours.
    """
    hop = max(1, round(DENOISE_WINDOW_S * sample_rate_hz / OVERLAP))
    spectrum = stft(waveform, hop)  # (frames, bins)
    power = _smoothed_power(np.abs(spectrum) ** 2)

    total = power.sum(axis=1)
    sounding_frames = np.flatnonzero(total > 0)
    if not len(sounding_frames):
        return waveform
    quietest = sounding_frames[
        np.argsort(total[sounding_frames], kind="stable")[: max(1, round(QUIETEST_SHARE * len(sounding_frames)))]
    ]
    noise = power[quietest].mean(axis=0)
    subtracted_power = over_subtraction * noise
    # Where the noise is the larger the gain is at its lowest anyway: no division by next to nothing.
    ratio = subtracted_power / np.maximum(np.maximum(power, subtracted_power), np.finfo(np.float32).tiny)
    gain = np.maximum(1 - ratio, 10 ** (-reduction_db / 20))

    return istft(spectrum * gain, hop, len(waveform))


def pre_emphasis(waveform: Waveform, sample_rate_hz: int, coefficient: float = 0.97) -> Waveform:
    """`y[n] = x[n] - coefficient * x[n - 1]`, with `y[0] = x[0]`: lifts the treble of speech."""
    lifted = np.empty_like(waveform)
    lifted[:1] = waveform[:1]
    np.multiply(waveform[:-1], np.float32(coefficient), out=lifted[1:])
    np.subtract(waveform[1:], lifted[1:], out=lifted[1:])
    return lifted


def dc(waveform: Waveform, sample_rate_hz: int) -> Waveform:
    """Remove the mean."""
    return waveform - np.float32(waveform.mean(dtype=np.float64))


STEPS: dict[str, Callable[..., Waveform]] = {
    "trim": trim,
    "remove_silence": remove_silence,
    "loudness": loudness,
    "denoise": denoise,
    "pre_emphasis": pre_emphasis,
    "dc": dc,
    "high_pass": high_pass,
}

# Parameter -> the lowest and the highest value that makes sense.
LIMITS: dict[str, tuple[float, float]] = {
    "below_db": (1.0, 200.0),
    "margin_s": (0.0, 60.0),
    "longest_pause_s": (0.0, 3600.0),
    "target_dbfs": (-100.0, 0.0),
    "peak": (0.001, 1.0),
    "reduction_db": (0.0, 100.0),
    "over_subtraction": (0.0, 20.0),
    "coefficient": (0.0, 1.0),
    "low_hz": (1.0, 2000.0),
    "full_hz": (1.0, 4000.0),
}


@cache
def _step_parameters(name: str) -> tuple[str, ...]:
    return tuple(inspect.signature(STEPS[name]).parameters)[2:]


def _hop_and_window_samples(sample_rate_hz: int) -> tuple[int, int]:
    block = block_samples(sample_rate_hz)
    return block * round(HOP_S / BLOCK_S), block * WINDOW_BLOCKS


def _active_frames(power: NDArray[np.float64], below_db: float) -> NDArray[np.bool_]:
    """Frames within `below_db` of the loudest; none where everything is zero."""
    loudest = power.max(initial=0.0)
    return np.asarray((power >= loudest * 10 ** (-below_db / 10)) & (loudest > 0))


def _median(values: Waveform) -> np.float32:
    """`np.median` of a vector without NaN, in a third of the time."""
    ordered, half = np.sort(values), len(values) // 2
    return np.float32(ordered[half] if len(values) % 2 else (ordered[half - 1] + ordered[half]) / 2)


def _smoothed_power(power: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean of each value and its eight neighbours, (frames, bins)."""
    padded = np.pad(power, 1, mode="edge")
    rows = padded[:-2] + padded[1:-1] + padded[2:]
    return np.asarray((rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:]) / 9)
