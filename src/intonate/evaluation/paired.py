"""Two systems on the same clips: how far apart they are, and whether that is more than chance.

A difference is resampled as one thing: each bootstrap resample draws speakers, and both systems are scored on their
clips (Efron & Tibshirani 1993; Bisani & Ney 2004). That is far sharper than two intervals side by side, for what is
hard about a speaker is hard for both. The p-value is two-sided: twice the smaller share of resamples on one side of
zero, with one added to either count (Davison & Hinkley 1997), so that it is never zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from intonate.errors import CorpusError, require
from intonate.evaluation.bootstrap import COUNTED, METRICS, draws, measure, percentiles, resampled, units
from intonate.evaluation.metrics import Floats, confusion_matrix, kappa
from intonate.evaluation.protocol import NOT_KNOWN, counts_of, group_of, number
from intonate.evaluation.table import PredictionTable, Strings

# Fairness is looked at between these.
FAIRNESS: tuple[str, ...] = ("gender", "language", "age")
GROUPS: tuple[str, ...] = ("corpus", *FAIRNESS)
# A group with fewer clips than this says nothing.
SMALLEST_GROUP = 20


def compare(
    a: PredictionTable,
    b: PredictionTable,
    metrics: Sequence[str] = METRICS,
    repeats: int = 2000,
) -> dict[str, Any]:
    """Every figure of two systems, and of `a` less `b`.

    Args:
        a: the answers of one system.
        b: those of the other, to the same clips in the same order, with the same labels.
        repeats: bootstrap resamples, over the sorted names of the units.

    Returns:
        `{"unit", "units", "clips", "metrics": {metric: {"a", "b", "difference", "low", "high", "p"}}, "mcnemar":
        {"only_a", "only_b", "p"}, "agreement": kappa of the two systems' answers, "groups": {group: {name: {"clips",
        "speakers", **uar as above}}}}`. Figures are shares; what is not defined is None.

    Raises:
        CorpusError: the rows or labels of the two are not the same.
    """
    _check_paired(a, b)
    unit, unit_index, count = units(a)
    unit_counts = draws(count, repeats)
    groups: dict[str, dict[str, Any]] = {}
    for kind in GROUPS:
        names = group_of(a, kind)
        groups[kind] = {
            name: {
                "clips": int((names == name).sum()),
                "speakers": counts_of(a.take(names == name))["speakers"],
                **_difference(
                    a.take(names == name), b.take(names == name), "uar", unit_index[names == name], unit_counts
                ),
            }
            for name in sorted(set(names.tolist()))
            if len(set(names.tolist())) > 1
        }
    return {
        "unit": unit,
        "units": count,
        "clips": len(a),
        "metrics": {metric: _difference(a, b, metric, unit_index, unit_counts) for metric in metrics},
        "mcnemar": mcnemar(a, b),
        "agreement": number(float(kappa(confusion_matrix(a.predicted, b.predicted, len(a.labels))))),
        "groups": groups,
    }


def mcnemar(a: PredictionTable, b: PredictionTable) -> dict[str, Any]:
    """McNemar's exact test: of the clips that just one of the two has right, how many are whose (1947; binomial).

    It takes clips for independent of each other, which those of one speaker are not.
    """
    is_right_a, is_right_b = a.truth == a.predicted, b.truth == b.predicted
    only_a, only_b = int((is_right_a & ~is_right_b).sum()), int((is_right_b & ~is_right_a).sum())
    test = require("scipy.stats", "train").binomtest
    p = float(test(only_a, only_a + only_b, 0.5).pvalue) if only_a + only_b else 1.0
    return {"only_a": only_a, "only_b": only_b, "p": p}


def difference(a: PredictionTable, b: PredictionTable, repeats: int = 2000) -> dict[str, float | None]:
    """UAR of two systems, or of one under two conditions: {"a", "b", "difference", "low", "high", "p"}.

    Raises:
        CorpusError: as in `compare`.
    """
    _check_paired(a, b)
    _, unit_index, count = units(a)
    return _difference(a, b, "uar", unit_index, draws(count, repeats))


def fairness(table: PredictionTable, repeats: int = 2000) -> dict[str, Any]:
    """How much better a system hears one group than another: {gender, language, age: {"best", "worst", "gap", "low",
    "high", "p", "unit"}}.

    The gap is in UAR between the groups that are best and worst off; which these are is looked up once, in all clips,
    so that the interval may reach beyond zero. Groups under 20 clips, and those not known, are left out; a kind with
    fewer than two groups is not in the answer.
    """
    unit, unit_index, count = units(table)
    unit_counts = draws(count, repeats) if count else np.zeros((repeats, 0))
    gaps = {}
    for kind in FAIRNESS:
        names = group_of(table, kind)
        groups = _large_groups(names)
        if len(groups) < 2:
            continue
        order = sorted(groups, key=lambda name: measure(table.take(names == name), "uar"))
        is_best, is_worst = names == order[-1], names == order[0]
        best_uars, worst_uars = (
            _resampled(table.take(rows), "uar", unit_index[rows], unit_counts) for rows in (is_best, is_worst)
        )
        resampled_gaps = best_uars - worst_uars
        low, high = percentiles(resampled_gaps)
        gaps[kind] = {
            "best": order[-1],
            "worst": order[0],
            "gap": measure(table.take(is_best), "uar") - measure(table.take(is_worst), "uar"),
            "low": number(low),
            "high": number(high),
            "p": number(p_value(resampled_gaps)),
            "unit": unit,
        }
    return gaps


def p_value(differences: Floats) -> float:
    """Two-sided, from resampled differences, (R,); NaN where none is defined."""
    numbers = differences[~np.isnan(differences)]
    if not len(numbers):
        return float("nan")
    smaller = min((numbers <= 0).sum(), (numbers >= 0).sum())
    return float(min(1.0, 2 * (smaller + 1) / (len(numbers) + 1)))


def holm(p_values: Sequence[float]) -> list[float]:
    """P-values for several comparisons at once (Holm 1979): all that are under 0.05 may be believed together."""
    order = np.argsort(p_values)
    corrected = np.maximum.accumulate(np.asarray(p_values)[order] * (len(p_values) - np.arange(len(p_values))))
    result = np.empty(len(p_values))
    result[order] = np.minimum(corrected, 1.0)
    return [float(value) for value in result]


def _difference(
    a: PredictionTable, b: PredictionTable, metric: str, unit_index: np.ndarray[Any, Any], unit_counts: Floats
) -> dict[str, float | None]:
    differences = _resampled(a, metric, unit_index, unit_counts) - _resampled(b, metric, unit_index, unit_counts)
    low, high = percentiles(differences)
    value_a, value_b = measure(a, metric), measure(b, metric)
    return {
        "a": number(value_a),
        "b": number(value_b),
        "difference": number(value_a - value_b),
        "low": number(low),
        "high": number(high),
        "p": number(p_value(differences)),
    }


def _resampled(table: PredictionTable, metric: str, unit_index: np.ndarray[Any, Any], unit_counts: Floats) -> Floats:
    """The metric of each resample, NaN where nobody of the table was drawn: such a one says nothing."""
    values = resampled(table, metric, unit_index, unit_counts)
    if metric in COUNTED:
        values[unit_counts[:, np.unique(unit_index)].sum(axis=1) == 0] = np.nan
    return values


def _large_groups(names: Strings) -> list[str]:
    distinct, counts = np.unique(names, return_counts=True)
    return [
        str(name) for name, count in zip(distinct, counts, strict=True) if count >= SMALLEST_GROUP and name != NOT_KNOWN
    ]


def _check_paired(a: PredictionTable, b: PredictionTable) -> None:
    if a.labels != b.labels or len(a) != len(b) or (a.emotion != b.emotion).any():
        raise CorpusError(
            f"two systems are compared on the same clips with the same labels, but these have {len(a)} and {len(b)} "
            f"rows, {', '.join(a.labels)} and {', '.join(b.labels)}; align them first"
        )
    if not len(a):
        raise CorpusError("there is nothing to compare: the two systems have no clip in common")
