"""Honest probabilities: the temperature that calibrates them, and the threshold under which a model abstains.

Both are chosen on validation speakers, never on the test set.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from intonate.evaluation.metrics import Floats, Ints, hits, macro_f1_of_hits
from intonate.recognizer.probabilities import softmax


def temperature(logits: Floats, truth: Ints) -> float:
    """The temperature T for which softmax(logits / T) has the least negative log-likelihood (Guo et al. 2017).

    The likelihood is convex in 1 / T, so Newton's method inside a shrinking bracket finds the one minimum.

    Args:
        logits: (N, C); -inf for a class that is masked in a row.
        truth: (N,).

    Returns:
        T between 0.05 and 20; 1 for no rows.
    """
    if len(truth) == 0:
        return 1.0
    # A masked class has probability zero at every temperature; a finite stand-in keeps 0 · inf out of the sums.
    values = np.where(np.isneginf(logits), -1e6, np.asarray(logits, dtype=np.float64))
    values = values - values.max(axis=1, keepdims=True)
    target = values[np.arange(len(truth)), truth]
    low, high = 1 / 20.0, 1 / 0.05
    scale = 1.0
    for _ in range(100):
        probabilities = softmax(scale * values)
        mean = (probabilities * values).sum(axis=1)
        slope = float((mean - target).mean())
        curvature = float(((probabilities * values**2).sum(axis=1) - mean**2).mean())
        low, high = (scale, high) if slope < 0 else (low, scale)
        step = scale - slope / curvature if curvature > 0 else np.nan
        next_scale = step if low < step < high else (low * high) ** 0.5
        if abs(next_scale - scale) <= 1e-10 * scale:
            break
        scale = next_scale
    return float(1 / scale)


def temperature_and_threshold(logits: Floats, truth: Ints, coverage: float) -> tuple[float, float]:
    """The temperature, and under it the best probability below which a model says `unsure`; to four places.

    Args:
        logits: (N, C), as for `temperature`.
        truth: (N,).
        coverage: the share of the rows that is still answered, as for `abstain_threshold`.
    """
    scale = temperature(logits, truth)
    threshold = abstain_threshold(softmax(logits / scale), coverage)
    return round(scale, 4), round(threshold, 4)


def binary_temperature_and_threshold(logits: Floats, present: NDArray[np.bool_]) -> tuple[float, float]:
    """The same where several labels may be true: the score from which one counts, for the highest macro-F1.

    The temperature is that of two classes, yes and no, over all labels and rows. The threshold is one for all labels,
    in steps of a twentieth; of several that are as good the one nearest to one half.

    Args:
        logits: (N, C).
        present: (N, C), which are true.
    """
    flat = np.asarray(logits, np.float64).ravel()
    scale = temperature(np.stack([np.zeros_like(flat), flat], axis=1), present.ravel().astype(np.int64))
    scores = 1 / (1 + np.exp(-np.clip(logits / scale, -700, 700)))
    steps = sorted((step / 20 for step in range(1, 20)), key=lambda step: abs(step - 0.5))
    threshold = max(steps, key=lambda step: float(macro_f1_of_hits(hits(present, scores >= step).sum(axis=0))))
    return round(scale, 4), threshold


def abstain_threshold(probabilities: Floats, coverage: float) -> float:
    """The best probability under which a model should say `unsure` (selective classification, El-Yaniv 2010).

    The threshold must come from validation speakers.

    Args:
        probabilities: (N, C), calibrated.
        coverage: the highest threshold that still answers this share of the rows.

    Returns:
        A threshold; answered are the rows whose best probability is at least that. 0 for no rows.
    """
    count = len(probabilities)
    if count == 0:
        return 0.0
    confidences = -np.sort(-probabilities.max(axis=1))
    # Rows of equal confidence are answered together: a cut may only lie where the confidence drops.
    is_cut = np.r_[np.diff(confidences) < 0, True]
    cut = int(np.argmax(is_cut & (np.arange(1, count + 1) >= coverage * count - 1e-9)))
    return 0.0 if cut == count - 1 else float(confidences[cut])
