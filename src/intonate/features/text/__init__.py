"""The front ends of words: functions `(text, **params) -> (columns,) float32`, the same in training and serving.

    text.get("linguistic")("I can't believe it!")    # (57,)

A recipe names one as it names a front end of sound, `inputs: {linguistic: {front_end: linguistic}}`, and the model is
then given what was said: a corpus's own sentences, a transcript, `--text`, or `--transcribe`. They lie in a folder of
their own, for `intonate.features.cache` forgets all sound that it has analysed when code beside it changes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intonate.catalogue import load
from intonate.errors import ModelError

TextFrontEnd = Callable[..., NDArray[np.float32]]

CATALOGUE: dict[str, str] = {
    "linguistic": "intonate.features.text.linguistic:linguistic",
    "semantics": "intonate.features.text.semantics:semantics",
    "sentiment": "intonate.features.text.linguistic:sentiment",
    "syntax": "intonate.features.text.linguistic:syntax",
}
# The numbers of the pieces of words, by the tokenizer that a model brings along (`intonate.recognizer.inputs`).
TOKENS = "tokens"


def get(name: str) -> TextFrontEnd:
    """The front end of words of that name.

    Raises:
        ModelError: there is none.
    """
    front_end: TextFrontEnd = load(name, CATALOGUE, "front end of words", ModelError)
    return front_end


def is_text(front_end: Any) -> bool:
    """Whether a front end is given what was said, and not the sound."""
    return front_end == TOKENS or front_end in CATALOGUE
