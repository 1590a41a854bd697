"""Several labels at once beside the truth: a table that is kept as CSV, and every figure of it.

    file,start,end,corpus,speaker,gender,age,language,statistics,protocol,fold,seed,threshold,t:happy,…,d:happy,…

A table of `ratings.py` whose truth is 0 or 1 for each label, whose answer is its score, and whose `threshold` is the
score from which a label counts. Macro-F1 is the mean over the labels that occur, micro-F1 that of all yes and no
together; the mean average precision (mAP) needs no threshold. Intervals come from resampling whole speakers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from intonate.evaluation import metrics, ratings
from intonate.evaluation.bootstrap import draws, percentiles, units
from intonate.evaluation.protocol import counts_of, figure
from intonate.evaluation.ratings import RatingTable
from intonate.evaluation.table import Floats, conditions
from intonate.schema import Utterance

# Of resamples (R, labels, 3) of `metrics.hits`.
OVERALL: Mapping[str, Callable[[Floats], Floats]] = {
    "macro_f1": metrics.macro_f1_of_hits,
    "micro_f1": metrics.micro_f1_of_hits,
}
# So many resamples at a time keep their (R, N) weights of 100,000 rows under 40 MB.
AT_A_TIME = 50


@dataclass(frozen=True, eq=False)
class LabelTable(RatingTable):
    """N answers to C labels each, which are the `dimensions` of a table of ratings.

    Attributes:
        threshold: (N,) the score from which the model that answered lets a label count.
    """

    threshold: Floats

    @property
    def present(self) -> NDArray[np.bool_]:
        """(N, C), which labels are true."""
        return np.asarray(self.truth > 0.5)

    @property
    def chosen(self) -> NDArray[np.bool_]:
        """(N, C), which labels the model gave."""
        return np.asarray(self.answer >= self.threshold[:, None])


def tabulate(
    utterances: Sequence[Utterance],
    labels: Sequence[str],
    present: ArrayLike,
    scores: ArrayLike,
    threshold: ArrayLike,
    **made: Any,
) -> LabelTable:
    """A table from the rows of a manifest, their labels (N, C) and what a model said of them (N, C).

    Args:
        threshold: the score from which a label counts; one number, or one for each row.
        made: how: `statistics`, `protocol`, `fold`, `seed` and `root`, as in `table.tabulate`.
    """
    shape = (len(utterances), len(labels))
    truth, answer = (np.asarray(values, np.float64).reshape(shape) for values in (present, scores))
    return LabelTable(
        **conditions(utterances, **made),
        dimensions=tuple(labels),
        truth=truth,
        answer=answer,
        threshold=np.full(shape[0], threshold),
    )


def scores(table: LabelTable, repeats: int = 1000, times: Mapping[str, float] | None = None) -> dict[str, Any]:
    """All figures of a table.

    Args:
        table: the answers; several corpora, folds, seeds, statistics and protocols may be in it.
        repeats: bootstrap resamples per interval.
        times: what the run took; copied as it is.

    Returns:
        As `ratings.scores`, with `labels` for `dimensions`; a view has `overall` {macro_f1, micro_f1, map: {value, low,
        high}} and `labels` {label: {f1, precision, recall, average_precision: {value, low, high}, clips, chosen}}.
    """
    found = ratings.by_condition(table, lambda part: view(part, repeats))
    return {"labels": list(table.dimensions), "conditions": found, "times": dict(times or {})}


def view(table: LabelTable, repeats: int = 1000) -> dict[str, Any]:
    """The figures of rows that were all made under one condition; see `scores`."""
    unit, index, count = units(table)
    unit_counts = draws(count, repeats)
    hits = metrics.hits(table.present, table.chosen)
    sums = np.zeros((count, *hits.shape[1:]))
    np.add.at(sums, index, hits)
    whole, resampled = hits.sum(axis=0), np.tensordot(unit_counts, sums, axes=1)
    precisions = metrics.average_precision(table.answer, table.present)
    parts = np.array_split(unit_counts, -(-repeats // AT_A_TIME))
    drawn_precisions = np.concatenate(
        [metrics.average_precision(table.answer, table.present, part[:, index]) for part in parts]
    )
    overall = {name: _figure(of(whole), of(resampled)) for name, of in OVERALL.items()}
    overall["map"] = _figure(_mean(precisions), _mean(drawn_precisions))
    per_label = {
        "f1": (metrics.f1_of_hits(whole), metrics.f1_of_hits(resampled)),
        "precision": (_share(whole, 2), _share(resampled, 2)),
        "recall": (_share(whole, 1), _share(resampled, 1)),
        "average_precision": (precisions, drawn_precisions),
    }
    labels = {
        label: {name: _figure(values[place], drawn[:, place]) for name, (values, drawn) in per_label.items()}
        | {"clips": int(whole[place, 1]), "chosen": int(whole[place, 2])}
        for place, label in enumerate(table.dimensions)
    }
    return {**counts_of(table), "unit": unit, "overall": overall, "labels": labels}


def _share(sums: Floats, place: int) -> Floats:
    """Hits among what was chosen (2) or true (1); NaN where nothing was."""
    total = sums[..., place]
    return np.asarray(np.divide(sums[..., 0], total, out=np.full(total.shape, np.nan), where=total > 0))


def _mean(values: Floats) -> Floats:
    """Over the labels that are defined; NaN where none is."""
    is_defined = ~np.isnan(values)
    count = is_defined.sum(axis=-1)
    total = np.where(is_defined, values, 0.0).sum(axis=-1)
    return np.asarray(np.divide(total, count, out=np.full(np.shape(total), np.nan), where=count > 0))


def _figure(value: Any, drawn: Floats) -> dict[str, float | None]:
    return figure(float(value), *percentiles(drawn))
