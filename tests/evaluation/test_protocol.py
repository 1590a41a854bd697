"""All figures of a table: conditions kept apart, groups, folds, seeds, open and restricted."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import numpy as np
import pytest
import sklearn.metrics as reference
from prediction_tables import CORPORA, benchmark, predicted, utterances

from intonate.evaluation.bootstrap import measure
from intonate.evaluation.protocol import group_of, scores, view
from intonate.evaluation.table import PredictionTable


@pytest.fixture(scope="module")
def table() -> PredictionTable:
    return benchmark(each=2)


@pytest.fixture(scope="module")
def found(table: PredictionTable) -> dict[str, Any]:
    return scores(table, repeats=100, times={"train_s": 600.0})


def test_is_json_and_the_same_every_time(table: PredictionTable, found: dict[str, Any]) -> None:
    text = json.dumps(found, allow_nan=False)
    assert json.loads(text) == found == scores(table, repeats=100, times={"train_s": 600.0})


def test_conditions_are_never_mixed_and_honest_ones_come_first(table: PredictionTable, found: dict[str, Any]) -> None:
    names = [(part["protocol"], part["statistics"]) for part in found["conditions"]]
    assert names == [
        ("speaker-disjoint", "clip alone"),
        ("speaker-disjoint", "speaker-normalised"),
        ("random (speakers overlap)", "clip alone"),
    ]
    for part in found["conditions"]:
        rows = table.where(protocol=part["protocol"], statistics=part["statistics"])
        figure = part["open"]["overall"]["uar"]
        assert figure["value"] == pytest.approx(reference.balanced_accuracy_score(rows.emotion, rows.label))
        assert figure["low"] < figure["value"] < figure["high"]


def test_counts_clips_once_however_many_seeds(found: dict[str, Any]) -> None:
    first = found["conditions"][0]
    clips = sum(8 * 2 * len(classes) for _, classes in CORPORA.values())
    assert first["utterances"] == clips
    assert first["predictions"] == 2 * clips
    assert first["speakers"] == 24
    assert first["seeds"] == [0, 1]
    assert first["folds"] == ["0", "1", "2", "3"]
    assert np.sum(first["open"]["confusion"]) == 2 * clips


def test_restricted_only_where_classes_differ(found: dict[str, Any]) -> None:
    first, _, random = found["conditions"]
    assert first["restricted"]["overall"]["uar"]["value"] > first["open"]["overall"]["uar"]["value"]
    assert random["restricted"] is None
    ravdess = [first[name]["groups"]["corpus"]["ravdess"]["uar"] for name in ("open", "restricted")]
    assert ravdess[0] == ravdess[1]


def test_groups(table: PredictionTable, found: dict[str, Any]) -> None:
    first = found["conditions"][0]
    rows = table.where(protocol="speaker-disjoint", statistics="clip alone")
    groups = first["open"]["groups"]
    assert list(groups) == ["corpus", "language", "gender", "age"]
    assert set(groups["gender"]) == {"female", "male"}
    assert list(groups["age"]) == ["20–29", "30–39", "40–49", "50–59", "60 and over"]
    for gender, figures in groups["gender"].items():
        assert figures["uar"]["value"] == pytest.approx(measure(rows.where(gender=gender), "uar"))
    assert first["open"]["corpus_mean"]["uar"] == pytest.approx(
        np.mean([figures["uar"]["value"] for figures in groups["corpus"].values()])
    )


def test_what_is_not_known_is_called_so() -> None:
    table = predicted(utterances("ravdess", 4, 1), np.random.default_rng(0))
    nobody = dataclasses.replace(
        table,
        gender=np.full(len(table), ""),
        age=np.where(table.age > 30, np.nan, 19.0),
        corpus=np.full(len(table), ""),
    )
    assert set(group_of(nobody, "gender")) == {"not known"}
    assert set(group_of(nobody, "age")) == {"not known", "under 20"}
    part = scores(nobody, repeats=20)["conditions"][0]
    assert list(part["open"]["groups"]["age"]) == ["under 20", "not known"]
    assert list(part["open"]["groups"]["corpus"]) == ["not known"]


def test_mean_and_sd_over_folds_and_seeds(table: PredictionTable, found: dict[str, Any]) -> None:
    rows = table.where(protocol="speaker-disjoint", statistics="clip alone")
    over = found["conditions"][0]["open"]["over_folds"]
    each = [measure(rows.where(fold=str(fold)), "uar") for fold in range(4)]
    assert over["count"] == 4
    assert over["uar"] == pytest.approx({"mean": np.mean(each), "sd": np.std(each, ddof=1)})
    assert found["conditions"][2]["open"]["over_folds"] == found["conditions"][2]["open"]["over_seeds"] == {}


def test_answered(table: PredictionTable) -> None:
    answered = view(table, repeats=20)["answered"]
    kept = ~table.abstained
    assert 0.2 < kept.mean() < 0.9
    assert answered["coverage"] == pytest.approx(kept.mean())
    assert answered["accuracy"] == pytest.approx((table.label == table.emotion)[kept].mean())
    silent = view(dataclasses.replace(table, abstained=np.ones(len(table), dtype=bool)), repeats=20)["answered"]
    assert silent == {"coverage": 0.0, "accuracy": None, "uar": None}


def test_interval_unit_is_said() -> None:
    assert view(predicted(utterances("ravdess", 2, 2), np.random.default_rng(0)), repeats=20)["unit"] == "utterance"
