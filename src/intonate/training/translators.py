"""The translators by name: functions that make clips of several labelled corpora sound like clips of another.

    translated, history = translators.get("cyclegan")(speech, seed, folder, attention=False)

A translator is a function `(speech, seed, folder, **params)` that returns as many vectors as it was given, (clips,
columns), and what else there is to tell, fit for JSON (`losses`: {name: a number for each epoch}). A long one keeps a
checkpoint in `folder` and goes on from it. Adding one is one file, one line of `CATALOGUE` and one recipe.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intonate.catalogue import load
from intonate.errors import RecipeError

Float = NDArray[np.float32]
Translator = Callable[..., tuple[Float, dict[str, Any]]]

CATALOGUE: dict[str, str] = {
    "cyclegan": "intonate.training.cyclegan:cyclegan",
    "coral": "intonate.training.alignment:coral",
    "unchanged": "intonate.training.alignment:unchanged",
}


@dataclass(frozen=True)
class Speech:
    """What a translator has: labelled clips of several corpora, and clips of the target without labels.

    Attributes:
        features: (clips, columns) of the labelled corpora, normalised.
        emotion: (clips,) index of the label.
        allowed: (clips, labels) bool, the labels that the clip's corpus has.
        corpus: (clips,) index into `names`.
        names: of the labelled corpora.
        target: (target clips, columns), normalised by the same statistics.
    """

    features: Float
    emotion: NDArray[np.int64]
    allowed: NDArray[np.bool_]
    corpus: NDArray[np.int64]
    names: tuple[str, ...]
    target: Float


def get(name: str) -> Translator:
    """The translator of that name.

    Raises:
        RecipeError: there is none.
    """
    translator: Translator = load(name, CATALOGUE, "translator", RecipeError)
    return translator
