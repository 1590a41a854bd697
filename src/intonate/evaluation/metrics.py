"""The figures, in numpy. Those that only count come from confusion matrices, so that a bootstrap
(`bootstrap.py`) is one matrix product.

A confusion matrix has shape (…, C, C): rows are the truth, columns the prediction; leading axes are kept (one matrix
per resample, say). Averages over classes go over the classes that occur in the truth, as the field does for UAR: a
class that a corpus does not have can only cost precision, never add a zero of its own.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# Bins of the expected calibration error, equal in width over 0…1 (Guo et al. 2017, arXiv:1706.04599).
ECE_BINS = 15
# A probability of zero for the truth counts as this in the negative log-likelihood (scikit-learn's choice).
_TINY = float(np.finfo(np.float64).eps)


def confusion_matrix(truth: Ints, predicted: Ints, classes: int) -> Floats:
    """Counts (C, C); rows are the truth, columns the prediction."""
    flat = np.bincount(truth * classes + predicted, minlength=classes * classes)
    return flat.reshape(classes, classes).astype(np.float64)


def accuracy(confusion: Floats) -> Floats:
    """Weighted accuracy (WA): share of the rows that are right."""
    return _ratio(np.trace(confusion, axis1=-2, axis2=-1), confusion.sum(axis=(-2, -1)))


def uar(confusion: Floats) -> Floats:
    """Unweighted average recall (UAR, UA): the mean of the recalls of the classes that occur."""
    return _mean_over_present(recall(confusion), confusion)


def uar_over_corpora(truth: Ints, predicted: Ints, corpora: NDArray[Any], classes: int) -> float:
    """UAR of each corpus by itself, and the mean of those: no corpus counts more for being large.

    Args:
        truth: (N,).
        predicted: (N,).
        corpora: (N,) the name of each row's corpus.
        classes: how many there are.
    """
    rows = [corpora == corpus for corpus in np.unique(corpora)]
    return float(np.mean([uar(confusion_matrix(truth[row], predicted[row], classes)) for row in rows]))


def macro_f1(confusion: Floats) -> Floats:
    """The mean F1 of the classes that occur."""
    return _mean_over_present(f1(confusion), confusion)


def weighted_f1(confusion: Floats) -> Floats:
    """The mean F1, each class weighted by how often it occurs."""
    support = confusion.sum(axis=-1)
    return _ratio((f1(confusion) * support).sum(axis=-1), support.sum(axis=-1))


def kappa(confusion: Floats) -> Floats:
    """Cohen's kappa (1960): agreement beyond what the two margins would give by chance; 1 is full, 0 is chance.

    NaN where both sides say one and the same of everything, or there is nothing: chance alone would agree as much.
    """
    total = confusion.sum(axis=(-2, -1))
    by_chance = _ratio((confusion.sum(axis=-1) * confusion.sum(axis=-2)).sum(axis=-1), total**2)
    return np.asarray(
        np.where((total > 0) & (by_chance < 1), _ratio(accuracy(confusion) - by_chance, 1 - by_chance), np.nan)
    )


def recall(confusion: Floats) -> Floats:
    """Recall per class, (…, C); zero for a class that does not occur."""
    return _ratio(_diagonal(confusion), confusion.sum(axis=-1))


def precision(confusion: Floats) -> Floats:
    """Precision per class, (…, C); zero for a class that was never predicted."""
    return _ratio(_diagonal(confusion), confusion.sum(axis=-2))


def f1(confusion: Floats) -> Floats:
    """F1 per class, (…, C): 2 TP / (2 TP + FP + FN); zero where that is 0 / 0."""
    return _ratio(2 * _diagonal(confusion), confusion.sum(axis=-1) + confusion.sum(axis=-2))


def concordance(truth: Floats, values: Floats) -> Floats:
    """Lin's concordance correlation (1989) of each column, (D,): 1 where values equal the truth, 0 by chance.

    Args:
        truth: (N, D); NaN where nobody rated: that value takes no part.
        values: (N, D).

    Returns:
        NaN for a column with fewer than two ratings, or where all of them and all values are one number.
    """
    return np.asarray(concordance_of_sums(moments(truth, values).sum(axis=0)))


def moments(truth: Floats, values: Floats) -> Floats:
    """What agreement is computed from, of each row, (N, D, 6): count, truth, value, their squares and their product."""
    is_rated = ~np.isnan(truth)
    x, y = np.where(is_rated, truth, 0.0), np.where(is_rated, values, 0.0)
    return np.stack([is_rated.astype(np.float64), x, y, x * x, y * y, x * y], axis=-1)


def concordance_of_sums(sums: Floats) -> Floats:
    """CCC from summed `moments` (…, 6); NaN under two ratings, and where neither side varies and they are equal."""
    count, x, y, xx, yy, xy = np.moveaxis(np.asarray(sums, np.float64), -1, 0)
    safe = np.maximum(count, 1)
    together = xy / safe - x * y / safe**2
    spread = (xx + yy) / safe - (x**2 + y**2) / safe**2 + ((x - y) / safe) ** 2
    # Of equal constants rounding leaves a spread that is not quite zero.
    is_defined = (count >= 2) & (spread > 1e-12 * (xx + yy) / safe)
    return np.asarray(np.where(is_defined, _ratio(2 * together, np.maximum(spread, 0.0)), np.nan))


def error_of_sums(sums: Floats) -> Floats:
    """Root of the mean squared error from summed `moments` (…, 6); NaN without a rating."""
    count, _, _, xx, yy, xy = np.moveaxis(np.asarray(sums, np.float64), -1, 0)
    mean = np.maximum(xx + yy - 2 * xy, 0.0) / np.maximum(count, 1)
    return np.asarray(np.where(count >= 1, np.sqrt(mean), np.nan))


def macro_auc(probabilities: Floats, truth: Ints, weights: Floats | None = None) -> Floats:
    """Area under the ROC curve, one class against the rest, averaged over the classes for which there are both.

    The share of (positive, negative) pairs that the score puts in the right order, ties counting half.

    Args:
        probabilities: (N, C).
        truth: (N,).
        weights: (R, N) how often each row counts in each of R resamples; None for once.

    Returns:
        A scalar, or (R,) with weights; NaN where no class has both.
    """
    clip_weights = np.ones((1, len(truth))) if weights is None else weights
    areas = np.full((probabilities.shape[1], len(clip_weights)), np.nan)
    for column, scores in enumerate(probabilities.T):
        order = np.argsort(scores, kind="stable")
        positive = (truth == column)[order]
        if not positive.any() or positive.all():
            continue
        starts = np.flatnonzero(np.r_[True, np.diff(scores[order]) > 0])
        sorted_weights = clip_weights[:, order]
        ups = np.add.reduceat(sorted_weights * positive, starts, axis=1)
        downs = np.add.reduceat(sorted_weights * ~positive, starts, axis=1)
        below = np.cumsum(downs, axis=1) - downs / 2
        pairs = ups.sum(axis=1) * downs.sum(axis=1)
        areas[column] = np.divide((ups * below).sum(axis=1), pairs, out=np.full(len(pairs), np.nan), where=pairs > 0)
    is_defined = ~np.isnan(areas)
    class_counts = is_defined.sum(axis=0)
    means = np.divide(
        np.where(is_defined, areas, 0).sum(axis=0),
        class_counts,
        out=np.full(len(class_counts), np.nan),
        where=class_counts > 0,
    )
    return np.asarray(means if weights is not None else means[0])


def hits(present: NDArray[np.bool_], chosen: NDArray[np.bool_]) -> Floats:
    """What F1 of several labels at once is computed from, of each row, (N, C, 3): true and chosen, true, chosen."""
    return np.stack([present & chosen, present, chosen], axis=-1).astype(np.float64)


def f1_of_hits(sums: Floats) -> Floats:
    """F1 per label from summed `hits` (…, C, 3); zero where a label is neither true nor chosen."""
    return _ratio(2 * sums[..., 0], sums[..., 1] + sums[..., 2])


def macro_f1_of_hits(sums: Floats) -> Floats:
    """The mean F1 of the labels that occur, from summed `hits` (…, C, 3)."""
    is_present = sums[..., 1] > 0
    return _ratio((f1_of_hits(sums) * is_present).sum(axis=-1), is_present.sum(axis=-1))


def micro_f1_of_hits(sums: Floats) -> Floats:
    """F1 of all labels together, from summed `hits` (…, C, 3)."""
    return f1_of_hits(sums.sum(axis=-2))


def average_precision(scores: Floats, present: NDArray[np.bool_], weights: Floats | None = None) -> Floats:
    """Average precision of each label: the mean of the precision at every clip that has it, the best scores first.

    Clips of one score are taken together, as in scikit-learn.

    Args:
        scores: (N, C).
        present: (N, C), whether it is true.
        weights: (R, N) how often each row counts in each of R resamples; None for once.

    Returns:
        (C,), or (R, C) with weights; NaN for a label that no clip has.
    """
    clip_weights = np.ones((1, len(scores))) if weights is None else weights
    found = np.full((len(clip_weights), scores.shape[1]), np.nan)
    for column, (values, is_true) in enumerate(zip(scores.T, present.T, strict=True)):
        if not is_true.any():
            continue
        order = np.argsort(-values, kind="stable")
        starts = np.flatnonzero(np.r_[True, np.diff(values[order]) < 0])
        sorted_weights = clip_weights[:, order]
        hits = np.add.reduceat(sorted_weights * is_true[order], starts, axis=1)
        precisions = _ratio(np.cumsum(hits, axis=1), np.cumsum(np.add.reduceat(sorted_weights, starts, axis=1), axis=1))
        total = hits.sum(axis=1)
        found[:, column] = np.where(total > 0, _ratio((precisions * hits).sum(axis=1), total), np.nan)
    return found if weights is not None else found[0]


def calibration_bins(probabilities: Floats, truth: Ints, predicted: Ints | None = None) -> Floats:
    """(15, 3): rows, summed confidence and right answers in each of 15 bins of equal width of the best probability.

    A bin holds confidences above its lower edge up to and including its upper edge; zero belongs to the first.
    """
    unit_index = np.zeros(len(truth), dtype=np.int64)
    return np.asarray(bins_by_unit(probabilities, truth, predicted, unit_index, 1)[0])


def expected_calibration_error(bins: Floats) -> Floats:
    """ECE: mean distance of confidence from accuracy over 15 bins of equal width of the best probability.

    Args:
        bins: (…, 15, 3) from `calibration_bins`.
    """
    return _ratio(np.abs(bins[..., 1] - bins[..., 2]).sum(axis=-1), bins[..., 0].sum(axis=-1))


def brier(probabilities: Floats, truth: Ints) -> Floats:
    """Brier score of each row, (N,): squared distance from the one-hot truth, summed over classes (0 to 2)."""
    return np.asarray(((probabilities - np.eye(probabilities.shape[1])[truth]) ** 2).sum(axis=1))


def negative_log_likelihood(probabilities: Floats, truth: Ints) -> Floats:
    """Negative log-likelihood of each row's truth, (N,), nats."""
    return np.asarray(-np.log(np.clip(probabilities[np.arange(len(truth)), truth], _TINY, 1.0)))


def _diagonal(confusion: Floats) -> Floats:
    return np.asarray(np.diagonal(confusion, axis1=-2, axis2=-1))


def _ratio(numerator: Any, denominator: Any) -> Floats:
    """Division in which 0 / 0 is 0."""
    numerators, denominators = np.broadcast_arrays(
        np.asarray(numerator, np.float64), np.asarray(denominator, np.float64)
    )
    return np.asarray(np.divide(numerators, denominators, out=np.zeros(numerators.shape), where=denominators != 0))


def _mean_over_present(values: Floats, confusion: Floats) -> Floats:
    is_present = confusion.sum(axis=-1) > 0
    return _ratio((values * is_present).sum(axis=-1), is_present.sum(axis=-1))


def bins_by_unit(probabilities: Floats, truth: Ints, predicted: Ints | None, index: Ints, units: int) -> Floats:
    """`calibration_bins` of each unit, (U, 15, 3)."""
    answers = probabilities.argmax(axis=1) if predicted is None else predicted
    confidence = probabilities[np.arange(len(truth)), answers]
    places = np.clip(np.ceil(confidence * ECE_BINS).astype(np.int64) - 1, 0, ECE_BINS - 1) + ECE_BINS * index
    sums = [
        np.bincount(places, weights=weights, minlength=ECE_BINS * units).reshape(units, ECE_BINS)
        for weights in (np.ones(len(truth)), confidence, (answers == truth).astype(np.float64))
    ]
    return np.stack(sums, axis=-1)
