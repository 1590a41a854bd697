"""A model as an explanation sees it: sounds in, public answers out, and nothing of what is inside."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from intonate.errors import ModelError
from intonate.recognizer.recognizer import Failure, Recognizer
from intonate.schema import ModelSpec

Waveform = NDArray[np.float32]
Array = NDArray[np.float64]

# What a dimension, a number from 0 to 1, is worth where nobody speaks.
MIDDLE = 0.5
# A probability of 0 or 1 would be infinitely far from the others.
LEAST = 1e-4


def outputs(spec: ModelSpec) -> tuple[str, ...]:
    """What a model answers: its labels, then its dimensions."""
    return (*spec.labels, *spec.dimensions)


class Answers:
    """The answers of a recognizer to waveforms, each by itself, as `predict` gives them.

    Where too little of a voice is left for an answer the model knows nothing: every label is as likely as any other.

    Args:
        recognizer: any.
        text: what was said, for a model that reads it.

    Attributes:
        count: how many sounds were answered.
    """

    def __init__(self, recognizer: Recognizer, text: str | None = None) -> None:
        self._recognizer, self._text, self.count = recognizer, text, 0
        labels, dimensions = recognizer.spec.labels, recognizer.spec.dimensions
        self._unknown = [1 / max(1, len(labels))] * len(labels) + [MIDDLE] * len(dimensions)

    def __call__(self, waveforms: Iterable[Waveform]) -> Array:
        """The answers (waveforms, labels + dimensions) to waveforms (samples,) at the model's rate.

        Raises:
            ModelError: the model could not answer one of them.
        """
        spec, rows = self._recognizer.spec, []
        sources = ((waveform, spec.sample_rate_hz) for waveform in waveforms)
        for answer in self._recognizer.predict_many(sources, text=self._text, whole=True):
            if isinstance(answer, Failure):
                raise ModelError(f"a changed copy of the sound could not be answered: {answer.error}")
            output_values = {**answer.scores, **answer.dimensions}
            rows.append([output_values[name] for name in outputs(spec)] if output_values else self._unknown)
        self.count += len(rows)
        return np.array(rows).reshape(-1, len(outputs(spec)))


def log_odds(probabilities: Array) -> Array:
    """The scale on which what the tiles add is added up: from 98 to 99 % is as far as from 50 to 67 %."""
    inner_probabilities = np.clip(probabilities, LEAST, 1 - LEAST)
    return np.log(inner_probabilities / (1 - inner_probabilities))
