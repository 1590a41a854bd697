"""Changes of a normalised log-mel that leave the emotion alone: length, vocal tract, noise, holes.

Parameters are drawn first (`draw`), then applied purely (`apply`), so that a change can be looked at and repeated.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class SpectrogramAugment:
    """How far each change may go.

    Attributes:
        crop: frames kept, from a random start; 0 keeps all.
        stretch: time is stretched by a factor of up to 1 ± this.
        warp: the mel axis is stretched by a factor of up to 1 ± this (another vocal tract; Jaitly & Hinton 2013).
        noise: share of the clips that get noise.
        bands: widest mask on the mel axis; two are laid (SpecAugment, Park et al. 2019).
        frames: longest mask on the time axis, and never over a quarter of the clip; two are laid.
    """

    crop: int = 250
    stretch: float = 0.15
    warp: float = 0.1
    noise: float = 0.3
    bands: int = 12
    frames: int = 30


@dataclass(frozen=True, slots=True)
class Augmentation:
    """One draw: what `apply` does. Masks are (start, width)."""

    start: int
    length: int
    stretch: float
    warp: float
    shift: float
    noise: Float | None
    masks_time: tuple[tuple[int, int], ...]
    masks_bands: tuple[tuple[int, int], ...]


def draw(limits: SpectrogramAugment, frames: int, bands: int, rng: np.random.Generator) -> Augmentation:
    """Draw a change for a clip of (frames, bands)."""
    stretch = 1 + rng.uniform(-limits.stretch, limits.stretch)
    stretched_frames = max(1, int(frames * stretch))
    length = min(limits.crop or stretched_frames, stretched_frames)
    start = int(rng.integers(0, stretched_frames - length + 1))
    noise = None
    if rng.random() < limits.noise:
        # In units of the normalised log-mel: half to three standard deviations under the mean, with a slow slope
        # over the bands, the spectrum of a room rather than of a laboratory.
        slope = 0.1 * rng.normal(size=bands).cumsum()
        noise = (rng.uniform(-3.0, -0.5) + slope + 0.5 * rng.normal(size=(length, bands))).astype(np.float32)
    return Augmentation(
        start=start,
        length=length,
        stretch=stretch,
        warp=1 + rng.uniform(-limits.warp, limits.warp),
        shift=rng.uniform(-1, 1),
        noise=noise,
        masks_time=tuple(_draw_mask(length, min(limits.frames, length // 4), rng) for _ in range(2)),
        masks_bands=tuple(_draw_mask(bands, limits.bands, rng) for _ in range(2)),
    )


def _draw_mask(length: int, widest: int, rng: np.random.Generator) -> tuple[int, int]:
    width = int(rng.integers(0, widest + 1))
    return int(rng.integers(0, length - width + 1)), width


def apply(features: Float, augmentation: Augmentation) -> Float:
    """The changed copy, (augmentation.length, bands), of normalised (frames, bands) features."""
    bands = features.shape[1]
    positions = (augmentation.start + np.arange(augmentation.length)) / augmentation.stretch
    output = _interpolated(features, positions, axis=0)
    output = _interpolated(output, np.arange(bands) * augmentation.warp + augmentation.shift, axis=1)
    if augmentation.noise is not None:
        np.logaddexp(output, augmentation.noise, out=output)
    for start, width in augmentation.masks_time:
        output[start : start + width] = 0
    for start, width in augmentation.masks_bands:
        output[:, start : start + width] = 0
    return np.asarray(output, np.float32)


def _interpolated(features: Float, positions: NDArray[np.floating[Any]], axis: int) -> Float:
    """The features at these places between rows (axis 0) or columns (1); beyond the ends, as at the ends."""
    last_place = features.shape[axis] - 1
    positions = np.clip(positions, 0, last_place)
    low = positions.astype(np.int64)
    share = np.expand_dims((positions - low).astype(np.float32), 1 - axis)
    lower, upper = features.take(low, axis), features.take(np.minimum(low + 1, last_place), axis)
    # In place: fresh memory costs more than the sums.
    lower *= 1 - share
    upper *= share
    lower += upper
    return lower
