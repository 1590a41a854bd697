"""scikit-learn's classifiers: probabilities in the order of the labels, repeatable, over any front end."""

import json
from functools import partial

import numpy as np
import pytest
import toy

from intonate.errors import ModelError, RecipeError
from intonate.evaluation import calibration, metrics
from intonate.export.onnx import SMALLEST_PROBABILITY
from intonate.features.pooled import STATISTICS, pooled
from intonate.features.spectral import mfcc
from intonate.models import CATALOGUE, classical
from intonate.recognizer.recognizer import load_model
from intonate.training import fitting
from intonate.training.fit import train

# So small that the whole suite is a matter of seconds, and converges.
BUILDERS = {
    "knn": partial(classical.knn, neighbours=3),
    "mlp": partial(classical.mlp, layers=[16], learning_rate=0.01, iterations=2000),
    "xgboost": partial(classical.xgboost, trees=10),
    "lightgbm": partial(classical.lightgbm, trees=10, smallest_leaf=4),
    "logistic_regression": classical.logistic_regression,
    "random_forest": partial(classical.random_forest, trees=30),
    "naive_bayes": classical.naive_bayes,
    "decision_tree": classical.decision_tree,
    "svm": classical.svm,
}


def clouds(classes: int, each: int = 20):
    """(clips, 6) features, class after class, and their classes."""
    rng = np.random.default_rng(0)
    targets = np.repeat(np.arange(classes), each)
    return (rng.normal(size=(len(targets), 6)) + 2 * targets[:, None]).astype(np.float32), targets


def test_every_one_of_the_catalogue_is_tested_here():
    assert set(BUILDERS) == {name for name, place in CATALOGUE.items() if ".classical:" in place}


@pytest.mark.parametrize("name", BUILDERS)
@pytest.mark.parametrize("classes", [2, 4])
def test_it_learns_what_lies_apart(name, classes):
    features, targets = clouds(classes)
    probabilities = BUILDERS[name](seed=0).fit(features, targets).predict_proba(features)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)
    assert (probabilities.argmax(axis=1) == targets).mean() > 0.9


@pytest.mark.parametrize("name", sorted(BUILDERS.keys() - {"decision_tree", "random_forest", "xgboost", "lightgbm"}))
def test_the_scale_of_a_column_does_not_matter(name):
    """But for trees, to which it never does, and whose thresholds may be rounded to another side."""
    features, targets = clouds(3)
    scales = np.array([1, 1000, 0.001, 1, 50, 1], np.float32)
    plain, scaled = (BUILDERS[name](seed=0).fit(part, targets).predict(part) for part in (features, features * scales))
    assert (plain == scaled).mean() > 0.95


@pytest.mark.parametrize("name", BUILDERS)
def test_the_seed_repeats(name):
    features, targets = clouds(3)
    one, other = (BUILDERS[name](seed=3).fit(features, targets).predict_proba(features) for _ in range(2))
    np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("name", ["knn", "mlp", "xgboost", "lightgbm", "naive_bayes", "decision_tree"])
def test_a_rare_class_counts_as_much_as_a_frequent_one(name):
    """Overlapping clouds, nine to one: with balanced weights the rare one is found about as often as the other."""
    rng = np.random.default_rng(0)
    targets = np.repeat([0, 1], [270, 30])
    features = (rng.normal(size=(300, 2)) + 1.5 * targets[:, None]).astype(np.float32)
    pipeline = BUILDERS[name](seed=0)
    weights = fitting._class_weights(pipeline, targets, balance=True)
    assert bool(weights) == (name in ("mlp", "xgboost", "naive_bayes"))
    heard = (rng.normal(size=(600, 2)) + 1.5 * np.repeat([0, 1], 300)[:, None]).astype(np.float32)
    rare = pipeline.fit(features, targets, **weights).predict(heard)[300:].mean()
    if name in ("mlp", "naive_bayes"):
        plain = BUILDERS[name](seed=0).fit(features, targets).predict(heard)[300:].mean()
        assert rare > plain + 0.1
    if name != "knn":
        assert rare > 0.4


@pytest.mark.parametrize("name", ["mlp", "lightgbm", "svm", "random_forest", "decision_tree"])
def test_without_balance_every_clip_counts_the_same(name):
    pipeline = BUILDERS[name](seed=0)
    assert fitting._class_weights(pipeline, np.array([0, 0, 1]), balance=False) == {}
    assert [value for key, value in pipeline.get_params().items() if key.endswith("class_weight") and value] == []


@pytest.mark.parametrize("name", ["knn", "naive_bayes", "decision_tree"])
def test_one_temperature_calibrates_those_that_answer_0_or_1(name):
    """The error of calibration before and after, on clips that neither the fit nor the temperature has seen."""
    rng = np.random.default_rng(0)

    def drawn(count):
        targets = rng.integers(0, 4, count)
        # Columns that say the same, so that naive Bayes is far too sure.
        shared = rng.normal(size=(count, 1)) + rng.normal(scale=0.3, size=(count, 12))
        return (shared + targets[:, None]).astype(np.float32), targets

    (features, targets), (held, truth), (heard, wanted) = (drawn(count) for count in (200, 1500, 1500))
    build = partial(classical.knn, neighbours=1) if name == "knn" else BUILDERS[name]
    pipeline = build(seed=0).fit(features, targets)
    logits = [np.log(np.maximum(pipeline.predict_proba(part), SMALLEST_PROBABILITY)) for part in (held, heard)]
    temperature = calibration.temperature(logits[0], truth)
    errors = []
    for scale in (1.0, temperature):
        shares = np.exp(logits[1] / scale)
        bins = metrics.calibration_bins(shares / shares.sum(axis=1, keepdims=True), wanted)
        errors.append(metrics.expected_calibration_error(bins))
    before, after = errors
    assert before > 0.25
    assert after < 0.08


def test_what_does_not_converge_is_said(toy_corpus, tmp_path, capsys):
    inputs = {"features": {"front_end": "voice_functionals"}}
    model = {"name": "mlp", "params": {"iterations": 2, "layers": [4]}}
    run = train(toy.recipe(tmp_path / "r.yaml", toy_corpus, inputs=inputs, model=model), runs=tmp_path)
    assert "not converged" in capsys.readouterr().err
    assert json.loads((run / "fold1-seed0" / "run.json").read_text())["converged"] is False


@pytest.mark.parametrize("front_end", ["mfcc", "log_mel"])
def test_a_forest_over_any_front_end(front_end, toy_corpus, tmp_path):
    inputs = {"pooled": {"front_end": "pooled", "params": {"of": front_end}, "normalise": {"kind": "corpus"}}}
    model = {"name": "random_forest", "params": {"trees": 20}}
    run = train(toy.recipe(tmp_path / "r.yaml", toy_corpus, inputs=inputs, model=model), runs=tmp_path)
    answer = load_model(run / "fold1-seed0").predict(toy.clip(tmp_path / "clip.wav"))
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
