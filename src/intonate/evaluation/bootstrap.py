"""A figure and its 95 % interval, by resampling whole speakers.

Every figure here is a function of sums over speakers (confusion counts, calibration bins, losses), so a resample is one
row of a product: how often each speaker was drawn × the sums of each speaker. A thousand take milliseconds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

import numpy as np

from intonate.catalogue import check_name
from intonate.errors import CorpusError
from intonate.evaluation import metrics
from intonate.evaluation.metrics import ECE_BINS, Floats, Ints
from intonate.evaluation.table import PredictionTable, Strings

COUNTED: dict[str, Callable[[Floats], Floats]] = {
    "accuracy": metrics.accuracy,
    "uar": metrics.uar,
    "macro_f1": metrics.macro_f1,
    "weighted_f1": metrics.weighted_f1,
    "kappa": metrics.kappa,
}
METRICS: tuple[str, ...] = (*COUNTED, "auc", "ece", "brier", "nll")


def measure(table: PredictionTable, metric: str) -> float:
    """One figure of a table, as a share (0…1; nats for `nll`); NaN for an empty table.

    Raises:
        CorpusError: the metric is not known.
    """
    return float(resampled(table, metric, np.zeros(len(table), dtype=np.int64), np.ones((1, 1)))[0])


class Interval(NamedTuple):
    """A 95 % interval, and what was resampled for it (`speaker` or `utterance`)."""

    low: float
    high: float
    unit: str


def intervals(table: PredictionTable, names: Sequence[str], repeats: int = 1000) -> dict[str, Interval]:
    """The 95 % percentile intervals of metrics, resampling whole speakers with replacement (Efron 1979).

    Clips of one speaker resemble each other, so it is speakers that must be drawn: clips would give intervals that
    are far too narrow. With fewer than three known speakers there is nothing to draw from; then utterances are
    resampled (all seeds of one together), and the result's `unit` says so. Such an interval says nothing about other
    speakers.

    Args:
        names: of `METRICS`; all over the same resamples.
    """
    unit, unit_index, count = units(table)
    if count == 0:
        return {metric: Interval(float("nan"), float("nan"), unit) for metric in names}
    unit_counts = draws(count, repeats)
    return {metric: Interval(*percentiles(resampled(table, metric, unit_index, unit_counts)), unit) for metric in names}


def draws(units: int, repeats: int) -> Floats:
    """How often each unit is drawn in each resample with replacement, (repeats, units): for a count always the same."""
    return np.random.default_rng(0).multinomial(units, np.full(units, 1 / units), size=repeats).astype(np.float64)


def percentiles(values: Floats) -> tuple[float, float]:
    """The middle 95 % of resampled figures, those left out that are not defined; NaN where none is."""
    numbers = values[~np.isnan(values)]
    low, high = np.percentile(numbers, [2.5, 97.5]) if len(numbers) else (np.nan, np.nan)
    return float(low), float(high)


class Rows(Protocol):
    """Any table of answers: whose clips they are of."""

    @property
    def file(self) -> Strings: ...

    @property
    def start(self) -> Floats: ...

    @property
    def speaker(self) -> Strings: ...


def units(table: Rows) -> tuple[str, Ints, int]:
    """What is resampled: its name, the unit of each row (N,), and how many there are."""
    clips = np.array([f"{name}@{start}" for name, start in zip(table.file, table.start, strict=True)], dtype=np.str_)
    has_speaker = table.speaker != ""
    unit = "speaker" if len(np.unique(table.speaker[has_speaker])) >= 3 else "utterance"
    # A clip of an unknown speaker is a unit of its own.
    names = clips if unit == "utterance" else np.where(has_speaker, table.speaker, clips)
    distinct, index = np.unique(names, return_inverse=True)
    return unit, index.astype(np.int64), len(distinct)


def resampled(table: PredictionTable, metric: str, unit_index: Ints, unit_counts: Floats) -> Floats:
    """The metric of each of R resamples, (R,), of units that occur times (R, U); rows belong to units by index (N,)."""
    check_name(metric, METRICS, "metric", CorpusError)
    # Labels alone rank nothing and are sure of nothing.
    if len(table) == 0 or (metric not in COUNTED and not table.has_scores):
        return np.full(len(unit_counts), np.nan)
    classes, units = len(table.labels), unit_counts.shape[1]
    truth, predicted = table.truth, table.predicted
    if metric in COUNTED:
        cells = (unit_index * classes + truth) * classes + predicted
        counts = np.bincount(cells, minlength=units * classes * classes).reshape(units, -1).astype(np.float64)
        return COUNTED[metric]((unit_counts @ counts).reshape(-1, classes, classes))
    if metric == "ece":
        bins = metrics.bins_by_unit(table.probabilities, truth, predicted, unit_index, units)
        return metrics.expected_calibration_error((unit_counts @ bins.reshape(units, -1)).reshape(-1, ECE_BINS, 3))
    if metric == "auc":
        # 50 resamples at a time keep the (R, N) weights of 100,000 rows under 40 MB.
        parts = [
            metrics.macro_auc(table.probabilities, truth, part[:, unit_index])
            for part in np.array_split(unit_counts, -(-len(unit_counts) // 50))
        ]
        return np.concatenate(parts)
    losses = (metrics.brier if metric == "brier" else metrics.negative_log_likelihood)(table.probabilities, truth)
    sums = np.bincount(unit_index, weights=losses, minlength=units)
    return (unit_counts @ sums) / (unit_counts @ np.bincount(unit_index, minlength=units))
