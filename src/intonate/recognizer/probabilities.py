"""From logits to probabilities."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def softmax(logits: NDArray[np.floating]) -> NDArray[np.float64]:
    """Probabilities (..., classes) that sum to one over the last axis; no logit is too large, and -inf gives 0.

    >>> softmax(np.log([1.0, 3.0])).round(3).tolist()
    [0.25, 0.75]
    """
    exponentials = np.exp(logits - logits.max(axis=-1, keepdims=True, initial=-np.inf))
    return np.asarray(exponentials / exponentials.sum(axis=-1, keepdims=True), np.float64)
