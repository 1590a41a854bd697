"""Parity with scikit-learn, whose definitions these are."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import sklearn.metrics as reference
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from intonate.evaluation import metrics

TOLERANCE = 1e-12


@st.composite
def answers(draw: st.DrawFn) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64], int]:
    """Truth, prediction, probabilities (with ties: few distinct values) and the number of classes."""
    classes = draw(st.integers(2, 6))
    count = draw(st.integers(1, 60))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    present = rng.choice(classes, size=draw(st.integers(1, classes)), replace=False)
    truth = rng.choice(present, size=count).astype(np.int64)
    grain = draw(st.sampled_from([2, 5, 1000]))
    raw = rng.integers(0, grain, (count, classes)) + 1e-3
    probabilities = raw / raw.sum(axis=1, keepdims=True)
    return truth, probabilities.argmax(axis=1).astype(np.int64), probabilities, classes


@settings(max_examples=150, deadline=None)
@given(answers())
def test_counted_metrics_agree(case: tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64], int]) -> None:
    truth, predicted, _, classes = case
    confusion = metrics.confusion_matrix(truth, predicted, classes)
    every, present = np.arange(classes), np.unique(truth)
    np.testing.assert_array_equal(confusion, reference.confusion_matrix(truth, predicted, labels=every))
    want = reference.precision_recall_fscore_support(truth, predicted, labels=every, zero_division=0)
    have = (metrics.precision(confusion), metrics.recall(confusion), metrics.f1(confusion), confusion.sum(axis=1))
    for ours, theirs in zip(have, want, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=TOLERANCE)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # "y_pred contains classes not in y_true"
        np.testing.assert_allclose(
            metrics.uar(confusion), reference.balanced_accuracy_score(truth, predicted), rtol=0, atol=TOLERANCE
        )
    assert metrics.accuracy(confusion) == pytest.approx(reference.accuracy_score(truth, predicted), abs=TOLERANCE)
    for average, ours in (("macro", metrics.macro_f1(confusion)), ("weighted", metrics.weighted_f1(confusion))):
        theirs = reference.f1_score(truth, predicted, labels=present, average=average, zero_division=0)
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=TOLERANCE)


@settings(max_examples=150, deadline=None)
@given(answers())
def test_metrics_of_probabilities_agree(
    case: tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64], int],
) -> None:
    truth, _, probabilities, classes = case
    areas = [
        reference.roc_auc_score(truth == place, probabilities[:, place])
        for place in np.unique(truth)
        if not (truth == place).all()
    ]
    ours = metrics.macro_auc(probabilities, truth)
    np.testing.assert_allclose(ours, np.mean(areas) if areas else np.nan, rtol=0, atol=TOLERANCE)
    loss = reference.log_loss(truth, probabilities, labels=np.arange(classes))
    assert metrics.negative_log_likelihood(probabilities, truth).mean() == pytest.approx(loss, abs=TOLERANCE)
    brier = np.mean(
        [
            sum((row[k] - (k == right)) ** 2 for k in range(classes))
            for row, right in zip(probabilities, truth, strict=True)
        ]
    )
    assert metrics.brier(probabilities, truth).mean() == pytest.approx(brier, abs=TOLERANCE)


@settings(max_examples=60, deadline=None)
@given(answers(), st.integers(0, 2**32 - 1))
def test_a_weighted_row_counts_as_if_it_were_repeated(
    case: tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64], int], seed: int
) -> None:
    truth, _, probabilities, _ = case
    times = np.random.default_rng(seed).integers(0, 4, (5, len(truth)))
    areas = metrics.macro_auc(probabilities, truth, times.astype(np.float64))
    for row, area in zip(times, areas, strict=True):
        again = np.repeat(np.arange(len(truth)), row)
        want = metrics.macro_auc(probabilities[again], truth[again]) if len(again) else np.nan
        np.testing.assert_allclose(area, want, rtol=0, atol=TOLERANCE)


def test_leading_axes_are_kept() -> None:
    stack = np.random.default_rng(0).integers(0, 9, (4, 3, 5, 5)).astype(np.float64)
    stack[0, 0, 2] = 0
    for figure in (metrics.accuracy, metrics.uar, metrics.macro_f1, metrics.weighted_f1):
        batched = figure(stack)
        assert batched.shape == (4, 3)
        np.testing.assert_allclose(batched[0, 0], figure(stack[0, 0]))
        np.testing.assert_allclose(batched[3, 2], figure(stack[3, 2]))


def test_calibration_by_hand() -> None:
    # Confidences 0.9 (right), 0.9 (wrong), 0.6 (right): gaps |1.8 - 1| and |0.6 - 1| over three rows.
    probabilities = np.array([[0.9, 0.1], [0.9, 0.1], [0.4, 0.6]])
    truth = np.array([0, 1, 1])
    bins = metrics.calibration_bins(probabilities, truth)
    assert bins.shape == (15, 3)
    assert bins[:, 0].sum() == 3
    assert bins[13].tolist() == [2, 1.8, 1]  # (13/15, 14/15] holds 0.9
    assert bins[8].tolist() == [1, 0.6, 1]  # (8/15, 9/15] holds 0.6, its upper edge
    assert metrics.expected_calibration_error(bins) == pytest.approx((0.8 + 0.4) / 3)


def test_perfect_answers() -> None:
    truth = np.array([0, 1, 2, 2])
    probabilities = np.eye(3)[truth]
    confusion = metrics.confusion_matrix(truth, truth, 3)
    assert metrics.uar(confusion) == metrics.macro_f1(confusion) == metrics.macro_auc(probabilities, truth) == 1
    assert metrics.expected_calibration_error(metrics.calibration_bins(probabilities, truth)) == 0
    assert metrics.negative_log_likelihood(probabilities, truth).sum() == 0


def test_no_rows_are_no_crash() -> None:
    confusion = np.zeros((3, 3))
    assert metrics.accuracy(confusion) == metrics.uar(confusion) == metrics.macro_f1(confusion) == 0


def test_agreement_of_one_and_the_same_answer_is_not_defined() -> None:
    same = np.zeros(5, np.int64)
    assert np.isnan(metrics.kappa(metrics.confusion_matrix(same, same, 3)))
    assert np.isnan(metrics.kappa(np.zeros((3, 3))))
    assert metrics.kappa(metrics.confusion_matrix(same, np.array([0, 0, 0, 0, 1]), 3)) == 0
    constant, other = np.full((9, 1), 0.1), np.full((9, 1), 0.3)
    assert np.isnan(metrics.concordance(constant, constant)).all()
    np.testing.assert_allclose(metrics.concordance(constant, other), 0.0, atol=TOLERANCE)
