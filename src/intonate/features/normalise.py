"""Centre and scale features by fixed statistics, by the clip's own, or by a running estimate of the speaker.

The running estimate is what makes one model good for a clip alone and better the longer it hears someone: the
mean leans on the training set by `prior` rows and on what was heard by its count. Training draws a random number
of other clips of the speaker for each sample, so that the model has met every state between the two
(`training/data.py`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from intonate.schema import Normalisation

Float = NDArray[np.float32]
_SMALLEST_SD = 1e-4


@dataclass(frozen=True, slots=True)
class Moments:
    """Count, sum and sum of squares per column of everything heard of one speaker. Add them with `+`."""

    count: float
    total: NDArray[np.float64]
    squares: NDArray[np.float64]

    @classmethod
    def of(cls, features: Float) -> Moments:
        """Moments of (rows, columns) features; a vector (columns,) is one row."""
        rows = np.atleast_2d(np.asarray(features, np.float64))
        return cls(float(len(rows)), rows.sum(axis=0), np.square(rows).sum(axis=0))

    def __add__(self, other: Moments) -> Moments:
        return Moments(self.count + other.count, self.total + other.total, self.squares + other.squares)

    def __radd__(self, other: int) -> Moments:
        # sum([...]) starts from 0.
        return self


class SpeakerStatistics:
    """What has been heard of one speaker so far, for every input of a model."""

    def __init__(self) -> None:
        self._moments: dict[str, Moments] = {}

    @classmethod
    def of(cls, parts: Iterable[SpeakerStatistics]) -> SpeakerStatistics:
        """Several parts taken together."""
        combined = cls()
        for part in parts:
            for name, moments in part._moments.items():
                combined._moments[name] = moments + combined._moments[name] if name in combined._moments else moments
        return combined

    def update(self, name: str, features: Float) -> None:
        """Add a clip's features of the input `name`."""
        self._moments[name] = (
            Moments.of(features) + self._moments[name] if name in self._moments else Moments.of(features)
        )

    def get(self, name: str) -> Moments | None:
        return self._moments.get(name)

    @property
    def is_empty(self) -> bool:
        return not self._moments

    def copy(self) -> SpeakerStatistics:
        duplicate = SpeakerStatistics()
        duplicate._moments = dict(self._moments)
        return duplicate


@lru_cache(maxsize=64)
def _statistics_arrays(normalisation: Normalisation) -> tuple[NDArray[np.float64], ...]:
    """Mean, standard deviation and prior per column."""
    return tuple(np.asarray(row, np.float64) for row in (normalisation.mean, normalisation.sd, normalisation.prior))


def centre_and_scale(normalisation: Normalisation, moments: Moments) -> tuple[Float, Float]:
    """The mean and standard deviation per column that `normalisation` uses after hearing `moments`.

    Returns:
        mean (columns,), sd (columns,), float32.
    """
    mean0, sd0, prior = _statistics_arrays(normalisation)
    if normalisation.kind == "corpus":
        mean, variance = mean0, np.square(sd0)
    elif normalisation.kind == "clip":
        mean = moments.total / moments.count
        variance = moments.squares / moments.count - np.square(mean)
    elif normalisation.kind == "speaker":
        mean = (prior * mean0 + moments.total) / np.maximum(prior + moments.count, _SMALLEST_SD)
        squared_deviations = np.maximum(
            moments.squares - 2 * mean * moments.total + moments.count * np.square(mean), 0.0
        )
        weight = normalisation.prior_sd
        variance = (weight * np.square(sd0) + squared_deviations) / (weight + moments.count)
    else:
        raise ValueError(f"normalisation {normalisation.kind!r} is not known (known: clip, corpus, speaker)")
    return mean.astype(np.float32), np.sqrt(np.maximum(variance, _SMALLEST_SD**2)).astype(np.float32)


def normalise(features: Float, normalisation: Normalisation | None, moments: Moments | None = None) -> Float:
    """Centre and scale (rows, columns) or (columns,) features.

    Args:
        features: the front end's output.
        normalisation: None returns the features as they are.
        moments: everything heard of the speaker, this clip included; None for this clip alone.
    """
    if normalisation is None:
        return features
    mean, sd = centre_and_scale(normalisation, Moments.of(features) if moments is None else moments)
    scaled = (features - mean) / sd
    return np.clip(scaled, -normalisation.clip, normalisation.clip) if normalisation.clip else scaled
