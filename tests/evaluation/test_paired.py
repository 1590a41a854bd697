"""Paired differences, beside computations that share no code with them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import prediction_tables
import pytest
from scipy.stats import binom
from sklearn.metrics import cohen_kappa_score, recall_score

from intonate.errors import CorpusError
from intonate.evaluation import curves, paired
from intonate.evaluation.bootstrap import measure


@pytest.fixture(scope="module")
def two():
    rows = prediction_tables.utterances("ravdess", 8, 4)
    return (
        prediction_tables.predicted(rows, np.random.default_rng(1), 2.2),
        prediction_tables.predicted(rows, np.random.default_rng(2), 1.7),
    )


def independent(a, b, unit, repeats, rng, score):
    """Draw units one by one, gather their rows, and score both systems anew."""
    names = np.unique(unit)
    rows_of = [np.flatnonzero(unit == name) for name in names]
    differences = []
    for _ in range(repeats):
        rows = np.concatenate([rows_of[place] for place in rng.integers(0, len(names), len(names))])
        differences.append(score(a.emotion[rows], a.label[rows]) - score(b.emotion[rows], b.label[rows]))
    differences = np.array(differences)
    smaller = min((differences <= 0).sum(), (differences >= 0).sum())
    return (*np.percentile(differences, [2.5, 97.5]), min(1, 2 * (smaller + 1) / (repeats + 1)))


def uar(truth, answers):
    return np.mean([np.mean(answers[truth == label] == label) for label in np.unique(truth)])


def test_the_computation_beside_it_is_scikit_learns(two):
    for table in two:
        truth, answers = table.emotion, table.label
        assert uar(truth, answers) == pytest.approx(recall_score(truth, answers, average="macro"))


def test_interval_and_p_agree_with_an_independent_computation(two):
    a, b = two
    result = paired.compare(a, b, ("uar",), repeats=4000)
    figure = result["metrics"]["uar"]
    assert result["unit"] == "speaker"
    assert figure["difference"] == pytest.approx(uar(a.emotion, a.label) - uar(b.emotion, b.label))
    low, high, p = independent(a, b, a.speaker, 2000, np.random.default_rng(7), uar)
    assert figure["low"] == pytest.approx(low, abs=0.012)
    assert figure["high"] == pytest.approx(high, abs=0.012)
    assert figure["p"] == pytest.approx(p, abs=0.02)


def test_the_pairing_makes_it_sharp(two):
    a, _ = two
    same = paired.compare(a, a, ("uar",))
    assert (same["metrics"]["uar"]["low"], same["metrics"]["uar"]["high"]) == (0, 0)
    assert same["metrics"]["uar"]["p"] == same["mcnemar"]["p"] == 1
    assert same["agreement"] == 1


def test_mcnemar_is_the_binomial_test(two):
    a, b = two
    exact = paired.mcnemar(a, b)
    right_a, right_b = a.emotion == a.label, b.emotion == b.label
    assert exact["only_a"] == (right_a & ~right_b).sum()
    few, discordant = min(exact["only_a"], exact["only_b"]), exact["only_a"] + exact["only_b"]
    assert exact["p"] == pytest.approx(min(1, 2 * binom.cdf(few, discordant, 0.5)))


def test_kappa_is_scikit_learns(two):
    assert measure(two[0], "kappa") == pytest.approx(cohen_kappa_score(two[0].emotion, two[0].label))


def test_two_speakers_are_no_sample_of_people(two):
    a, b = (table.where(speaker=("ravdess/01", "ravdess/02")) for table in two)
    assert paired.compare(a, b, ("uar",), repeats=200)["unit"] == "utterance"


def test_a_planted_gap_between_groups_is_found(two):
    a, _ = two
    men = a.gender == "male"
    label = a.label.copy()
    label[men] = np.where(np.arange(men.sum()) % 2 == 0, "sad", label[men])
    import dataclasses

    gap = paired.fairness(dataclasses.replace(a, label=label))["gender"]
    assert (gap["best"], gap["worst"]) == ("female", "male")
    assert gap["low"] > 0
    assert gap["p"] < 0.05
    assert gap["gap"] == pytest.approx(uar(a.emotion[~men], label[~men]) - uar(a.emotion[men], label[men]))


def test_holm_is_by_the_book():
    assert paired.holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert paired.holm([0.9]) == [0.9]


def test_rows_that_are_not_the_same_are_refused(two):
    a, b = two
    with pytest.raises(CorpusError, match="align them first"):
        paired.compare(a, b.take(np.arange(5)))


def test_equal_error_rate_and_curves(two):
    a, b = two
    rate = curves.equal_error_rate(a)
    false_alarms, hits = curves.roc(a)
    assert np.interp(rate, false_alarms, 1 - hits) == pytest.approx(rate, abs=1e-6)
    assert rate < curves.equal_error_rate(b) < 0.5
    # A label of another system alone changes nothing.
    wider = replace(a, labels=(*a.labels, "theirs"), probabilities=np.pad(a.probabilities, ((0, 0), (0, 1))))
    assert curves.equal_error_rate(wider) == rate
    assert all("<svg" in picture for _, picture, _ in curves.panels({"a": a, "b": b}))


def test_systems_that_say_one_thing_only_agree_by_nothing_that_is_known(two):
    answers = replace(two[0], label=np.full(len(two[0]), two[0].labels[0]))
    assert paired.compare(answers, answers, repeats=10)["agreement"] is None
