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
        name: None if item.normalise is None else _measure_input(examples, train, name, item.front_end, item.normalise)
        for name, item in recipe.inputs.items()
    }


def _measure_input(
    examples: Examples, train: NDArray[np.int64], name: str, front_end: str, settings: Normalise
) -> Normalisation:
    moments = _moments_of_rows([np.atleast_2d(examples.clips[row][name]) for row in train])
    mean = moments.total / moments.count
    variance = moments.squares / moments.count - np.square(mean)
    prior = np.full(len(mean), settings.prior)
    if settings.kind == "speaker":
        # Around each speaker's own mean, for that is what is left after centring.
        speakers = np.array([examples.utterances[row].speaker for row in train])
        voices = [examples.moments_of(train[speakers == speaker], name) for speaker in np.unique(speakers)]
        if settings.prior_sd and len(voices) > 1:
            within = [voice.squares / voice.count - np.square(voice.total / voice.count) for voice in voices]
            variance = np.mean(within, axis=0)
        if front_end == "voice_functionals":
            # The gain of a microphone tells nothing of a clip alone: see intonate.features.functionals.
            prior[[VOICE_COLUMNS.index(column) for column in GAIN_COLUMNS]] = 0.0
    sd = np.sqrt(np.maximum(variance, 1e-8))
    return Normalisation(
        kind=settings.kind,
        mean=tuple(mean.round(6).tolist()),
        sd=tuple(sd.round(6).tolist()),
        prior=tuple(prior.tolist()) if settings.kind == "speaker" else (),
        prior_sd=settings.prior_sd if settings.kind == "speaker" else 0.0,
        clip=settings.clip,
    )


def _moments_of_rows(clips: Sequence[Array]) -> Moments:
    """The moments of all rows of all clips, some clips at a time: at once, they need gigabytes."""
    count = 0.0
    total: NDArray[np.float64] = np.zeros(0)
    squares: NDArray[np.float64] = np.zeros(0)
    for start in range(0, len(clips), AT_A_TIME):
        rows = np.concatenate(clips[start : start + AT_A_TIME]).astype(np.float64)
        count += len(rows)
        # The sum so far comes first, as if it were a row: the same additions in the same order as for all at once.
        total = _add_rows(total, rows)
        squares = _add_rows(squares, np.square(rows, out=rows))
    return Moments(count, total, squares)


def _add_rows(total: NDArray[np.float64], rows: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.concatenate([total[None], rows]).sum(axis=0) if len(total) else rows.sum(axis=0))
