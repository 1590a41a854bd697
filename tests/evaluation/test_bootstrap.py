"""Intervals: whole speakers are drawn, the fast way gives what the slow way gives."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from prediction_tables import benchmark, predicted, utterances

from intonate.errors import CorpusError
from intonate.evaluation.bootstrap import METRICS, intervals, measure
from intonate.evaluation.table import PredictionTable


def without_speakers(table: PredictionTable) -> PredictionTable:
    return replace(table, speaker=np.full(len(table), ""))


@pytest.mark.parametrize("metric", METRICS)
def test_is_what_repeating_the_rows_would_give(metric: str) -> None:
    table = benchmark(speakers=4, each=1).where(statistics="clip alone")
    names = np.unique(table.speaker)
    draws = np.random.default_rng(0).multinomial(len(names), np.full(len(names), 1 / len(names)), size=40)
    values = []
    for draw in draws:
        rows = [
            np.flatnonzero(table.speaker == name) for name, times in zip(names, draw, strict=True) for _ in range(times)
        ]
        values.append(measure(table.take(np.concatenate(rows)), metric))
    low, high, unit = intervals(table, [metric], repeats=40)[metric]
    np.testing.assert_allclose([low, high], np.percentile(values, [2.5, 97.5]), rtol=0, atol=1e-12)
    assert unit == "speaker"
    assert low < measure(table, metric) < high


def test_speakers_give_wider_intervals_than_clips() -> None:
    table = predicted(utterances("ravdess", 12, 10), np.random.default_rng(0))
    speakers, clips = (intervals(rows, ["uar"])["uar"] for rows in (table, without_speakers(table)))
    assert clips.unit == "utterance"
    assert speakers.high - speakers.low > 1.3 * (clips.high - clips.low)


def test_covers_the_truth_about_19_times_in_20() -> None:
    rows = utterances("ravdess", 20, 2)
    wide = [predicted(rows, np.random.default_rng(seed), 1.6) for seed in range(100)]
    truth = np.mean([measure(table, "uar") for table in wide])
    found = [intervals(table, ["uar"], repeats=400)["uar"] for table in wide]
    assert 84 <= sum(low <= truth <= high for low, high, _ in found) <= 100


def test_too_few_or_unknown_speakers_fall_back_to_utterances_and_say_so() -> None:
    rng = np.random.default_rng(0)
    two, three, five = (predicted(utterances("ravdess", speakers, 3), rng) for speakers in (2, 3, 5))
    units = [intervals(table, ["uar"])["uar"].unit for table in (two, three, without_speakers(five))]
    assert units == ["utterance", "speaker", "utterance"]


def test_several_metrics_share_their_resamples_and_nothing_gives_nan() -> None:
    table = benchmark(speakers=4, each=1)
    both = intervals(table, ("uar", "auc"), repeats=50)
    assert both["auc"] == intervals(table, ["auc"], repeats=50)["auc"]
    empty = table.where(corpus="nobody")
    assert np.isnan(intervals(empty, ["uar"])["uar"].low)
    assert np.isnan(measure(empty, "uar"))


def test_mistyped_names_are_answered() -> None:
    table = benchmark(speakers=4, each=1)
    with pytest.raises(CorpusError, match="did you mean 'uar'"):
        measure(table, "ua")
