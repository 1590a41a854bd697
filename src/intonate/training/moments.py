"""Means and deviations of the training part: what the inputs of a model are centred and scaled by."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from intonate.features.functionals import GAIN_COLUMNS, VOICE_COLUMNS
from intonate.features.normalise import Moments
from intonate.schema import Normalisation
from intonate.training.data import Array, Examples
from intonate.training.recipe import Normalise, Recipe

# Clips whose statistics are summed at once: a few megabytes.
AT_A_TIME = 32


def measure(examples: Examples, train: NDArray[np.int64], recipe: Recipe) -> dict[str, Normalisation | None]:
    """The statistics of the training part, for every input that is normalised."""
    return {
        name: None if item.normalise is None else _measure(examples, train, name, item.front_end, item.normalise)
        for name, item in recipe.inputs.items()
    }


def _measure(
    examples: Examples, train: NDArray[np.int64], name: str, front_end: str, wanted: Normalise
) -> Normalisation:
    whole = _together([np.atleast_2d(examples.clips[row][name]) for row in train])
    mean = whole.total / whole.count
    variance = whole.squares / whole.count - np.square(mean)
    prior = np.full(len(mean), wanted.prior)
    if wanted.kind == "speaker":
        # Around each speaker's own mean, for that is what is left after centring.
        rows = np.array([examples.utterances[row].speaker for row in train])
        voices = [examples.moments_of(train[rows == who], name) for who in np.unique(rows)]
        if wanted.prior_sd and len(voices) > 1:
            within = [voice.squares / voice.count - np.square(voice.total / voice.count) for voice in voices]
            variance = np.mean(within, axis=0)
        if front_end == "voice_functionals":
            # The gain of a microphone tells nothing of a clip alone: see intonate.features.functionals.
            prior[[VOICE_COLUMNS.index(column) for column in GAIN_COLUMNS]] = 0.0
    sd = np.sqrt(np.maximum(variance, 1e-8))
    return Normalisation(
        kind=wanted.kind,
        mean=tuple(mean.round(6).tolist()),
        sd=tuple(sd.round(6).tolist()),
        prior=tuple(prior.tolist()) if wanted.kind == "speaker" else (),
        prior_sd=wanted.prior_sd if wanted.kind == "speaker" else 0.0,
        clip=wanted.clip,
    )


def _together(clips: Sequence[Array]) -> Moments:
    """The moments of all rows of all clips, some clips at a time: at once, they need gigabytes."""
    count = 0.0
    total: NDArray[np.float64] = np.zeros(0)
    squares: NDArray[np.float64] = np.zeros(0)
    for start in range(0, len(clips), AT_A_TIME):
        rows = np.concatenate(clips[start : start + AT_A_TIME]).astype(np.float64)
        count += len(rows)
        # The sum so far comes first, as if it were a row: the same additions in the same order as for all at once.
        total = _sum(total, rows)
        squares = _sum(squares, np.square(rows, out=rows))
    return Moments(count, total, squares)


def _sum(before: NDArray[np.float64], rows: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.concatenate([before[None], rows]).sum(axis=0) if len(before) else rows.sum(axis=0))
