"""What words are about: the company that they keep (Bullinaria & Levy 2007), learnt from written English and kept here.

`semantics.npz` holds, for each of the 3,000 commonest words of GoEmotions' training comments (Apache-2.0, their labels
not looked at), its inverse document frequency and its place: the largest 32 dimensions of a singular value
decomposition of how much likelier than chance it shares a comment with each other word (Levy & Goldberg 2014).
`benchmarks/semantics.py` writes it. A text lies at the mean of its words' places, the rare ones counting for more.
"""

from __future__ import annotations

import re
from collections import Counter
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

DIMENSIONS = 32
WORD_PATTERN = r"[a-z]+(?:'[a-z]+)?"
FILE = Path(__file__).parent / "semantics.npz"


def semantics(text: str) -> NDArray[np.float32]:
    """Where a text lies among the dimensions.

    Args:
        text: what was said.

    Returns:
        (32,) float32; zeros where no word is known.
    """
    number_of, frequencies, places = _words()
    counts = Counter(re.findall(WORD_PATTERN, text.replace("’", "'").lower()))
    known = [(number_of[word], count) for word, count in counts.items() if word in number_of]
    if not known:
        return np.zeros(DIMENSIONS, np.float32)
    numbers, repeats = np.array(known).T
    weights = repeats * frequencies[numbers]
    return np.asarray(weights / weights.sum() @ places[numbers], np.float32)


@cache
def _words() -> tuple[dict[str, int], NDArray[np.float32], NDArray[np.float32]]:
    """{word: its row}, (words,) inverse document frequencies, (words, 32) places of length 1."""
    with np.load(FILE, allow_pickle=False) as file:
        words = bytes(file["words"]).decode("ascii").split("\n")
        return (
            {word: row for row, word in enumerate(words)},
            file["frequencies"].astype(np.float32),
            file["places"].astype(np.float32),
        )
