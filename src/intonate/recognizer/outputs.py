"""What lies behind the labels in one answer of a model: dimensions, events and languages, in this order."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from intonate.schema import ModelSpec


class Described:
    """Something with a model behind it, whose `repr` tells it: its name, and what it answers."""

    _spec: ModelSpec

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._spec.name!r}: {', '.join(self._spec.outputs)}>"


def dimensions_of(spec: ModelSpec, answer: NDArray[np.float64] | None) -> Mapping[str, float]:
    """{dimension: 0 to 1} of one answer (outputs,); empty for None."""
    values = [] if answer is None else answer[len(spec.labels) :].tolist()
    return dict(zip(spec.dimensions, values, strict=False))


def events_of(spec: ModelSpec, answer: NDArray[np.float64] | None) -> Mapping[str, float]:
    """{event: 0 to 1} of one answer (outputs,); empty for None."""
    first = len(spec.labels) + len(spec.dimensions)
    values = [] if answer is None else answer[first:].tolist()
    return dict(zip(spec.events, values, strict=False))


def language_of(spec: ModelSpec, answer: NDArray[np.float64] | None) -> str:
    """The likeliest language of one answer (outputs,); empty for None, and where the model tells none."""
    if answer is None or not spec.spoken_languages:
        return ""
    return spec.spoken_languages[int(np.argmax(answer[-len(spec.spoken_languages) :]))]
