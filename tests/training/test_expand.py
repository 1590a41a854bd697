"""Copies of the training part: what a recipe may say, and that a whole training is held out from them."""

import json
from pathlib import Path

import numpy as np
import pytest
import toy

from intonate.errors import RecipeError
from intonate.evaluation import table
from intonate.training import data, fit, fitting, recipe_names
from intonate.training.recipe import load

RECIPES = Path(__file__).parents[2] / "recipes"
RESULTS = Path(__file__).parents[2] / "benchmarks" / "results"
POOLED = {"mfcc": {"front_end": "pooled", "params": {"of": "mfcc"}}}
FOREST = {"inputs": POOLED, "model": {"name": "random_forest", "params": {"trees": 20}}}
COPIES = [[{"transform": "pitch"}], [{"transform": "gaussian", "snr_db": [15, 30]}, {"transform": "roll"}]]


@pytest.fixture
def recipe(tmp_path, toy_corpus):
    given = {"corpora": {"folder": str(toy_corpus)}, "labels": "4", "split": "speakers-4", "folds": [1, 2]}
    given |= {"expand": COPIES, "cache": str(tmp_path / "cache")}
    return toy.recipe(tmp_path / "toy.yaml", toy_corpus, data=given, **FOREST)


@pytest.fixture
def fitted(monkeypatch):
    """The rows that were fitted to, and the training part, of every fit."""
    seen, real = [], fitting._balanced_rows

    def watched(recipe, examples, split, seed):
        rows = real(recipe, examples, split, seed)
        seen.append((examples, split, rows))
        return rows

    monkeypatch.setattr(fitting, "_balanced_rows", watched)
    return seen


def test_a_training_is_fitted_to_copies_of_its_own_clips_and_scored_on_recordings(recipe, tmp_path, fitted):
    run = fit.train(recipe, runs=tmp_path / "runs")
    assert len(fitted) == 2
    for examples, split, rows in fitted:
        assert len(rows) == 3 * len(split.train)
        heard = {(examples.utterances[row].path, examples.number[row]) for row in rows}
        assert heard == {(examples.utterances[row].path, copy) for row in split.train for copy in range(3)}
    told = json.loads((run / "fold1-seed0" / "run.json").read_text())
    assert told["clips"] == 48, "recordings"
    scored = table.read(run / "fold1-seed0" / "predictions.csv")
    assert len(scored.file) == len(set(scored.file)) == 12


def test_copies_are_computed_once(recipe, tmp_path, monkeypatch):
    fit.train(recipe, runs=tmp_path / "runs")
    asked = []
    monkeypatch.setattr(data, "bar", lambda *args: lambda rows: asked.append(rows) or rows)
    fit.train(recipe, ["name=again"], runs=tmp_path / "runs")
    assert asked == []
    fit.train(recipe, ["name=more", "data.expand=[[{transform: gain}], [{transform: pitch}]]"], runs=tmp_path / "runs")
    assert {"gain" in task.change.key for tasks in asked for task in tasks} == {True}, "the other copy is known already"


@pytest.mark.parametrize("to", ["largest", "smallest", "harmonic_mean"])
def test_balance_counts_copies_as_clips(recipe, tmp_path, fitted, to):
    fit.train(recipe, ["data.folds=[1]", f"data.balance={{to: {to}}}"], runs=tmp_path / "runs")
    ((examples, split, rows),) = fitted
    counts = np.bincount(examples.targets[rows])
    assert (counts == 3 * np.bincount(examples.targets[split.train])).all(), "the toy corpus is even already"
    assert set(rows) == set(examples.with_copies(split.train))


def test_a_network_learns_from_copies_too(tmp_path, toy_corpus):
    given = {"corpora": {"folder": str(toy_corpus)}, "labels": "4", "split": "speakers-4", "folds": [1], "cache": ""}
    path = toy.recipe(tmp_path / "toy.yaml", toy_corpus, data=given | {"expand": COPIES[:1]})
    run = fit.train(path, ["training.other_voices=0.5", "training.epochs=1"], runs=tmp_path / "runs")
    assert (run / "fold1-seed0" / "model.onnx").exists()


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("[[{transform: sped, factor: 1.12}]]", "did you mean 'speed'"),
        ("[[{transform: speed, factor: 112}]]", "expected 0.25 to 4"),
        ("[[{transform: noise, path: nowhere}]]", "noise folder nowhere does not exist"),
        ("[{transform: speed}]", r"data\.expand\.0: Input should be a valid list"),
    ],
)
def test_what_is_wrong_is_told_before_anything_is_read(recipe, value, words):
    with pytest.raises(RecipeError, match=words):
        recipe_names.check(load(recipe, [f"data.expand={value}"]))


def test_published_results_are_of_the_recipes():
    for name in ("compact", "compact-open"):
        published = json.loads((RESULTS / name / "run.json").read_text())["recipe_hash"]
        assert load(RECIPES / f"{name}.yaml").hash() == published


def test_recipes_from_before_keep_their_hash():
    before = load(RECIPES / "compact-ravdess.yaml").hash()
    assert load(RECIPES / "compact-ravdess.yaml", ["data.expand=[]"]).hash() == before
    assert load(RECIPES / "compact-ravdess.yaml", ["data.expand=[[{transform: gain}]]"]).hash() != before


def test_what_is_published_holds_no_absolute_path(recipe, tmp_path):
    noisy = load(recipe, [f"data.expand=[[{{transform: noise, path: {tmp_path}/noise}}]]"])
    assert noisy.portable()["data"]["expand"] == [[{"transform": "noise", "path": "noise"}]]


def test_p4s_training_set_is_five_times_as_large():
    recipe = load(RECIPES / "expanded-p4.yaml")
    recipe_names.check(recipe)
    assert [steps[-1]["transform"] for steps in recipe.data.expand] == ["p4_noise", "pitch", "roll", "spec_augment"]
    # P4 trims before it augments: the copies are cleaned as the recordings are.
    assert all(steps[:-1] == recipe.data.clean for steps in recipe.data.expand)
