"""scikit-learn's classifiers: probabilities in the order of the labels, repeatable, over any front end."""

import numpy as np
import pytest
import toy

from intonate.errors import ModelError, RecipeError
from intonate.features.pooled import STATISTICS, pooled
from intonate.features.spectral import mfcc
from intonate.models import classical
from intonate.recognizer.recognizer import load_model
from intonate.training.fit import train

BUILDERS = [classical.random_forest, classical.logistic_regression, classical.svm]


def clouds(classes: int, each: int = 20):
    """(clips, 6) features, class after class, and their classes."""
    rng = np.random.default_rng(0)
    targets = np.repeat(np.arange(classes), each)
    return (rng.normal(size=(len(targets), 6)) + 2 * targets[:, None]).astype(np.float32), targets


@pytest.mark.parametrize("build", BUILDERS)
@pytest.mark.parametrize("classes", [2, 4])
def test_it_learns_what_lies_apart(build, classes):
    features, targets = clouds(classes)
    probabilities = build(seed=0).fit(features, targets).predict_proba(features)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)
    assert (probabilities.argmax(axis=1) == targets).mean() > 0.9


@pytest.mark.parametrize("build", BUILDERS)
def test_the_seed_repeats(build):
    features, targets = clouds(3)
    one, other = (build(seed=3).fit(features, targets).predict_proba(features) for _ in range(2))
    np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("front_end", ["mfcc", "log_mel"])
def test_a_forest_over_any_front_end(front_end, toy_corpus, tmp_path):
    inputs = {"pooled": {"front_end": "pooled", "params": {"of": front_end}, "normalise": {"kind": "corpus"}}}
    model = {"name": "random_forest", "params": {"trees": 20}}
    run = train(toy.recipe(tmp_path / "r.yaml", toy_corpus, inputs=inputs, model=model), runs=tmp_path)
    answer = load_model(run / "fold1-seed0").predict(toy_corpus / "angry" / "ada" / "angry-ada-0.wav")
    assert set(answer.scores) == set(toy.MANNER)


def test_a_front_end_with_rows_must_be_pooled(toy_corpus, tmp_path):
    recipe = toy.recipe(tmp_path / "r.yaml", toy_corpus, inputs=toy.MEL, model={"name": "svm"})
    with pytest.raises(RecipeError, match="front_end: pooled"):
        train(recipe, runs=tmp_path)


def test_pooled_statistics_are_what_they_are_called():
    waveform = toy.voice("sad", 2, np.random.default_rng(0))
    rows = mfcc(waveform, 16_000, coefficients=5)
    vector = pooled(waveform, 16_000, of="mfcc", params={"coefficients": 5}, statistics=list(STATISTICS))
    assert vector.shape == (5 * len(STATISTICS),)
    assert vector.dtype == np.float32
    parts = dict(zip(STATISTICS, vector.reshape(-1, 5), strict=True))
    np.testing.assert_allclose(parts["mean"], rows.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(parts["median"], np.median(rows, axis=0), rtol=1e-5)
    np.testing.assert_allclose(parts["change"], np.abs(np.diff(rows, axis=0)).sum(axis=0) / len(rows), rtol=1e-4)
    assert (parts["min"] <= parts["mean"]).all()
    assert np.isfinite(pooled(waveform[:1], 16_000, of="mfcc")).all(), "one sample is one frame"


def test_pooling_says_what_it_cannot_do():
    waveform = np.zeros(1600, np.float32)
    with pytest.raises(ModelError, match="did you mean 'mean'"):
        pooled(waveform, 16_000, of="mfcc", statistics=["meen"])
    with pytest.raises(ModelError, match="did you mean 'mfcc'"):
        pooled(waveform, 16_000, of="mfc")
    with pytest.raises(ModelError, match="no rows to pool"):
        pooled(waveform, 16_000, of="voice_functionals")
