"""From a prediction table to every figure of the report: one dictionary, ready for JSON.

Rows that were made under different conditions are never mixed: each pair of protocol and statistics of the speaker has
its own figures, the speaker-disjoint ones first. Where the corpora have different classes each condition is scored
twice: `open`, over all the model's classes, and `restricted`, over the classes that the row's corpus has.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from intonate.evaluation import metrics
from intonate.evaluation.bootstrap import COUNTED, METRICS, Rows, intervals, measure
from intonate.evaluation.table import (
    CLIP_ALONE,
    CLIP_AND_5,
    RANDOM_SPLIT,
    SPEAKER_DISJOINT,
    SPEAKER_NORMALISED,
    PredictionTable,
    Strings,
)

NOT_KNOWN = "not known"
GROUPS: tuple[str, ...] = ("corpus", "language", "gender", "age")
# Lower edges of the age bands, years.
AGE_EDGES: tuple[int, ...] = (20, 30, 40, 50, 60)
_AGE_BANDS = ("under 20", "20–29", "30–39", "40–49", "50–59", "60 and over")
_ORDER = (SPEAKER_DISJOINT, RANDOM_SPLIT, CLIP_ALONE, CLIP_AND_5, SPEAKER_NORMALISED)


def scores(table: PredictionTable, repeats: int = 1000, times: Mapping[str, float] | None = None) -> dict[str, Any]:
    """All figures of a table.

    Args:
        table: the predictions; several corpora, folds, seeds, statistics and protocols may be in it.
        repeats: bootstrap resamples per interval; the same table gives the same intervals.
        times: what the run took, e.g. `{"train_s": 610, "test_s": 2.1, "ms_per_clip": 2.4}`; copied as it is.

    Returns:
        `{"labels", "conditions": [{"protocol", "statistics", "utterances", "speakers", "predictions", "corpora",
        "folds", "seeds", "open": view, "restricted": view or None}], "times"}`. A view holds `overall` {metric:
        {value, low, high}}, `unit` (what was resampled), `corpus_mean`, `classes`, `confusion`, `groups` {corpus,
        language, gender, age: {name: …}}, `over_folds` and `over_seeds` {metric: {mean, sd}, or empty for one} and
        `answered`. Figures are shares (0…1), `nll` is in nats; what is not defined is None.
    """
    label_sets = table.label_sets()
    conditions = []
    for protocol in sorted_names(table.protocol):
        for statistics in sorted_names(table.where(protocol=protocol).statistics):
            part = table.where(protocol=protocol, statistics=statistics)
            corpora = sorted_names(part.corpus)
            restricted_part = part.restricted(label_sets)
            has_other_classes = any(len(label_sets[corpus]) < len(table.labels) for corpus in corpora)
            conditions.append(
                {
                    "protocol": protocol,
                    "statistics": statistics,
                    **counts_of(part),
                    "predictions": len(part),
                    "corpora": {corpus: list(label_sets[corpus]) for corpus in corpora},
                    "folds": sorted_names(part.fold),
                    "seeds": sorted(set(part.seed.tolist())),
                    "open": view(part, repeats),
                    "restricted": view(restricted_part, repeats) if has_other_classes else None,
                }
            )
    return {"labels": list(table.labels), "conditions": conditions, "times": dict(times or {})}


def view(table: PredictionTable, repeats: int = 1000) -> dict[str, Any]:
    """The figures of rows that were all made under one condition; see `scores`."""
    overall, unit = _figures(table, METRICS, repeats)
    confusion = metrics.confusion_matrix(table.truth, table.predicted, len(table.labels))
    per_class = zip(
        metrics.precision(confusion),
        metrics.recall(confusion),
        metrics.f1(confusion),
        confusion.sum(axis=1),
        confusion.sum(axis=0),
        strict=True,
    )
    groups = {name: _by_group(table, group_of(table, name), repeats) for name in GROUPS}
    return {
        "overall": overall,
        "unit": unit,
        "corpus_mean": {
            metric: number(_mean([group[metric]["value"] for group in groups["corpus"].values()]))
            for metric in COUNTED
            if groups["corpus"]
        },
        "classes": {
            label: {
                "precision": float(precision),
                "recall": float(recall),
                "f1": float(f1),
                "support": int(support),
                "predicted": int(predicted),
            }
            for label, (precision, recall, f1, support, predicted) in zip(table.labels, per_class, strict=True)
        },
        "confusion": confusion.astype(int).tolist(),
        "groups": groups,
        "over_folds": _spread(table, "fold"),
        "over_seeds": _spread(table, "seed"),
        "answered": _answer_figures(table),
    }


def group_of(table: PredictionTable | Any, name: str) -> Strings:
    """The group of each row, (N,): a column of the table, ages in bands, `not known` where it is empty."""
    if name != "age":
        column = getattr(table, name)
        return np.asarray(np.where(column == "", NOT_KNOWN, column))
    bands = np.array(_AGE_BANDS)[np.digitize(np.nan_to_num(table.age), AGE_EDGES)]
    return np.asarray(np.where(np.isnan(table.age), NOT_KNOWN, bands))


def _figures(table: PredictionTable, names: Sequence[str], repeats: int) -> tuple[dict[str, Any], str]:
    limits_of = intervals(table, names, repeats)
    figures = {name: figure(measure(table, name), limits.low, limits.high) for name, limits in limits_of.items()}
    return figures, next(iter(limits_of.values())).unit


def _by_group(table: PredictionTable, groups: Strings, repeats: int) -> dict[str, Any]:
    figures_of = {}
    for name in sorted_names(groups):
        part = table.take(groups == name)
        figures, unit = _figures(part, tuple(COUNTED), repeats)
        figures_of[name] = {**counts_of(part), "unit": unit, **figures}
    return figures_of


def _spread(table: PredictionTable, column: str) -> dict[str, Any]:
    """Mean and standard deviation (n - 1) of each fold's, or each seed's, own figure; empty if there is only one."""
    values = np.unique(getattr(table, column))
    if len(values) < 2:
        return {}
    parts = [table.where(**{column: [value]}) for value in values]
    deviations: dict[str, Any] = {"count": len(values)}
    for metric in COUNTED:
        values_of_parts = [measure(part, metric) for part in parts]
        deviations[metric] = {"mean": number(np.mean(values_of_parts)), "sd": number(np.std(values_of_parts, ddof=1))}
    return deviations


def _mean(values: Sequence[float | None]) -> float:
    """NaN where one is not defined."""
    return float(np.mean([np.nan if value is None else value for value in values]))


def _answer_figures(table: PredictionTable) -> dict[str, Any]:
    """What is left when the model may say `unsure`: the share that it answers, and how right it is there."""
    part = table.where(abstained=False)
    coverage = len(part) / len(table) if len(table) else float("nan")
    return {
        "coverage": number(coverage),
        "accuracy": number(measure(part, "accuracy")),
        "uar": number(measure(part, "uar")),
    }


def counts_of(table: Rows) -> dict[str, int]:
    """Of how many clips and speakers a table of answers is."""
    clips = set(zip(table.file.tolist(), table.start.tolist(), strict=True))
    return {"utterances": len(clips), "speakers": len(set(table.speaker.tolist()) - {""})}


def as_percent(figure: Mapping[str, float], unit: str = "") -> str:
    """`71.2 (65.0–77.3)`, with a unit after the figure."""
    interval = f" ({100 * figure['low']:.1f}–{100 * figure['high']:.1f})" if "low" in figure else ""
    return f"{100 * figure['value']:.1f}{unit}{interval}"


def figure(value: float, low: float, high: float) -> dict[str, float | None]:
    """A figure and its 95 % interval, as JSON has them."""
    return {"value": number(value), "low": number(low), "high": number(high)}


def number(value: float | np.floating[Any]) -> float | None:
    """As JSON has it: None where a figure is not defined."""
    return None if np.isnan(value) else float(value)


def sorted_names(values: Strings) -> list[str]:
    """The distinct values: known conditions in their order, bands of age upwards, numbers as numbers, unknown last."""

    def key(name: str) -> tuple[Any, ...]:
        for order in (_ORDER, _AGE_BANDS):
            if name in order:
                return (0, order.index(name), name)
        return (2 if name == NOT_KNOWN else 1, int(name) if name.isdecimal() else 0, name)

    return sorted(set(values.tolist()), key=key)
