"""Temperature and the threshold for abstaining."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

from intonate.evaluation.calibration import abstain_threshold, temperature, temperature_and_threshold


def drawn(seed: int, sharpness: float, count: int = 400) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Logits whose truth was drawn from softmax(logits), then made `sharpness` times too sure."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 1.5, (count, 5))
    shares = np.exp(log_softmax(logits, axis=1))
    truth = np.array([rng.choice(5, p=row) for row in shares])
    return logits * sharpness, truth


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.floats(0.2, 10))
def test_is_the_minimum_that_scipy_finds(seed: int, sharpness: float) -> None:
    logits, truth = drawn(seed, sharpness, 200)

    def loss(log_t: float) -> float:
        return float(-log_softmax(logits / np.exp(log_t), axis=1)[np.arange(len(truth)), truth].mean())

    want = minimize_scalar(loss, bounds=(np.log(0.05), np.log(20)), method="bounded", options={"xatol": 1e-9})
    assert loss(np.log(temperature(logits, truth))) <= want.fun + 1e-9


def test_undoes_what_was_done() -> None:
    logits, truth = drawn(0, 3.0, 4000)
    assert temperature(logits, truth) == pytest.approx(3.0, rel=0.08)


def test_masked_classes_and_extremes() -> None:
    logits, truth = drawn(1, 1.0)
    wide = np.hstack([logits, np.full((len(logits), 1), -np.inf)])
    assert temperature(wide, truth) == pytest.approx(temperature(logits, truth), rel=1e-6)
    always = np.eye(3)[[0, 1, 2]]
    assert temperature(always, np.array([0, 1, 2])) == pytest.approx(0.05, rel=1e-3)
    assert temperature(always, np.array([1, 2, 0])) == pytest.approx(20, rel=1e-3)
    assert temperature(np.zeros((0, 3)), np.zeros(0, dtype=np.int64)) == 1.0
    assert np.isfinite(temperature(np.zeros((4, 3)), np.zeros(4, dtype=np.int64)))


def test_threshold_for_a_coverage() -> None:
    best = np.array([0.9, 0.8, 0.8, 0.6])
    probabilities = np.stack([best, 1 - best], axis=1)
    assert abstain_threshold(probabilities, 0.5) == 0.8  # ties are answered together
    assert abstain_threshold(probabilities, 0.75) == 0.8
    assert abstain_threshold(probabilities, 1.0) == 0.0
    assert abstain_threshold(np.zeros((0, 2)), 0.5) == 0.0


def test_both_at_once_the_threshold_under_the_temperature() -> None:
    rng = np.random.default_rng(3)
    truth = rng.integers(0, 3, 400)
    logits = 4 * (np.eye(3)[truth] + rng.normal(size=(400, 3)))
    scale, threshold = temperature_and_threshold(logits, truth, coverage=0.9)
    assert scale == round(temperature(logits, truth), 4)
    calibrated = np.exp(logits / temperature(logits, truth))
    best = (calibrated / calibrated.sum(axis=1, keepdims=True)).max(axis=1)
    assert (best >= threshold - 1e-4).mean() == pytest.approx(0.9, abs=0.01)
