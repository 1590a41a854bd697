"""The search of a recipe: what it tries, what it may see, and that it goes on where it stopped."""

import csv
import io
import json
import os
import re
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import optuna
import pytest
import toy
from rich.console import Console

from intonate import corpora
from intonate.corpora import splits
from intonate.errors import RecipeError
from intonate.training import data, fitting, recipe_names, search
from intonate.training.fit import train
from intonate.training.recipe import load

ROOT = Path(__file__).parents[2]
INPUTS = {"features": {"front_end": "voice_functionals", "normalise": {"kind": "corpus"}}}
NEIGHBOURS = {"model.params.neighbours": [1, 3, 20], "model.params.weights": ["uniform", "distance"]}
NETWORK = {"name": "mlp_network", "params": {"layers": [8]}}
TRAINING = {"epochs": 2, "batch_size": 8, "average": 0, "mixup": 0}


@pytest.fixture
def recipe_of(toy_corpus, tmp_path):
    def recipe(space=NEIGHBOURS, name="knn", **options):
        wanted = {"sampler": "grid", "space": space} | options
        model = NETWORK if name == "mlp_network" else {"name": name}
        path = tmp_path / "toy.yaml"
        return toy.recipe(path, toy_corpus, inputs=INPUTS, model=model, training=TRAINING, search=wanted)

    return recipe


@pytest.fixture(scope="module")
def examples(toy_corpus, tmp_path_factory):
    recipe = load(toy.recipe(tmp_path_factory.mktemp("examples") / "toy.yaml", toy_corpus, inputs=INPUTS))
    return data.prepare(corpora.read("folder", toy_corpus).utterances, "4", data.by_recipe(recipe))


@pytest.fixture(scope="module")
def split(examples):
    return splits.folds("speakers-4", examples.utterances)[0]


@pytest.fixture
def found(recipe_of, examples, split, tmp_path):
    """A function that searches: the chosen recipe, the facts, and the rows of trials.csv."""

    def searched(folder="fit", given=examples, seed=0, **options):
        recipe = load(recipe_of(**options))
        recipe_names.check(recipe)
        chosen, facts = search.best(recipe, given, split, seed, tmp_path / folder, Console(file=io.StringIO()))
        return chosen, facts, trials(tmp_path / folder)

    return searched


def trials(folder):
    with (folder / "trials.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def told(rows):
    """The rows of trials.csv without their seconds."""
    return [{key: value for key, value in row.items() if key != "seconds"} for row in rows]


def test_a_grid_is_tried_whole_and_the_best_is_taken(found):
    chosen, facts, rows = found()
    drawn = {(row["model.params.neighbours"], row["model.params.weights"]) for row in rows}
    assert len(rows) == len(drawn) == 6
    assert {row["state"] for row in rows} == {"complete"}
    best = max(rows, key=lambda row: float(row["validation_uar"]))
    assert str(chosen.model.params["neighbours"]) == best["model.params.neighbours"]
    assert chosen.model.params["weights"] == best["model.params.weights"]
    assert facts["search"]["best"] == {f"model.params.{key}": value for key, value in chosen.model.params.items()}
    assert facts["search"]["validation_uar"] == pytest.approx(float(best["validation_uar"]), abs=1e-6)
    assert facts["search"]["trials"] == facts["configurations_tried"] == 6


def test_a_grid_may_be_cut_short(found):
    _, facts, rows = found(trials=4)
    assert len(rows) == facts["search"]["trials"] == 4


@pytest.mark.parametrize("sampler", ["random", "tpe"])
def test_ranges_are_drawn_from(sampler, found):
    space = {
        "model.params.smoothing": {"low": "1e-6", "high": 1.0, "log": True},
    }
    _, _, rows = found(space=space, name="naive_bayes", sampler=sampler, trials=5)
    drawn = [float(row["model.params.smoothing"]) for row in rows]
    assert len(set(drawn)) == 5
    assert all(1e-6 <= value <= 1 for value in drawn)
    space = {"model.params.depth": {"low": 2, "high": 4}}
    _, _, rows = found("whole", space=space, name="decision_tree", sampler=sampler, trials=5)
    assert {row["model.params.depth"] for row in rows} <= {"2", "3", "4"}


def test_the_seed_repeats_and_another_draws_something_else(found):
    space = {"model.params.smoothing": {"low": 1e-6, "high": 1.0, "log": True}}
    one, same, other = (
        told(found(folder, space=space, name="naive_bayes", sampler="random", trials=3, seed=seed)[2])
        for folder, seed in (("one", 0), ("same", 0), ("other", 1))
    )
    assert one == same != other


def test_groups_are_folds_of_the_training_speakers(recipe_of, examples, split):
    parts = search._trial_splits(load(recipe_of(groups=2)).search, examples, split)
    speaker = np.array([utterance.speaker for utterance in examples.utterances])
    assert len(parts) == 2
    for part in parts:
        assert not len(part.test)
        assert not set(speaker[part.train]) & set(speaker[part.validation])
        assert sorted([*part.train, *part.validation]) == sorted(split.train)
    assert sorted(np.concatenate([part.validation for part in parts])) == sorted(split.train)


@pytest.mark.parametrize(
    ("name", "space"),
    [
        ("knn", NEIGHBOURS),
        ("mlp_network", {"training.learning_rate": [1e-3, 1e-1]}),
    ],
)
@pytest.mark.parametrize("groups", [0, 2])
def test_the_test_part_is_not_looked_at(name, space, groups, found, examples, split):
    """Neither what the test clips sound like nor what they are labelled changes anything; that of the others does."""
    clean = told(found("clean", name=name, space=space, groups=groups)[2])
    poisoned = spoilt(examples, split.test)
    assert told(found("poisoned", given=poisoned, name=name, space=space, groups=groups)[2]) == clean
    if groups:
        return
    with_other_labels = replace(examples, targets=(examples.targets + 1) % 4)
    targets = np.where(
        np.isin(np.arange(len(examples.targets)), split.validation), with_other_labels.targets, examples.targets
    )
    assert told(found("other", given=replace(examples, targets=targets), name=name, space=space)[2]) != clean


def spoilt(examples, rows):
    """The clips of these rows are not numbers, and their labels are wrong."""
    targets = examples.targets.copy()
    targets[rows] = (targets[rows] + 1) % len(examples.labels)
    clips = list(examples.clips)
    for row in rows:
        clips[row] = {name: np.full_like(array, np.nan) for name, array in clips[row].items()}
    return replace(examples, targets=targets, clips=clips)


def test_with_groups_the_validation_part_is_not_looked_at_either(found, examples, split):
    clean = told(found("clean", groups=2)[2])
    assert told(found("poisoned", given=spoilt(examples, split.validation), groups=2)[2]) == clean


SPACES = {
    "grid": NEIGHBOURS,
    "random": {"model.params.smoothing": {"low": 1e-6, "high": 1.0, "log": True}},
    "tpe": {"model.params.smoothing": {"low": 1e-6, "high": 1.0, "log": True}},
}


@pytest.mark.parametrize("sampler", sorted(SPACES))
def test_an_interrupted_search_ends_as_if_never_stopped(sampler, found, monkeypatch):
    name = "knn" if sampler == "grid" else "naive_bayes"
    options = {"sampler": sampler, "space": SPACES[sampler], "name": name, "trials": 6}
    _, whole, rows = found("whole", **options)
    calls = []

    def watched(*words, score=search.score):
        calls.append(words[0].model.params)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return score(*words)

    monkeypatch.setattr(search, "score", watched)
    with pytest.raises(KeyboardInterrupt):
        found("stopped", **options)
    _, stopped, again = found("stopped", **options)
    assert told(again) == told(rows)
    assert stopped["search"]["best"] == whole["search"]["best"]
    assert len(calls) == 6 + 1, "three trials, one that was interrupted, and the other three: none is repeated"
    assert calls[3] == calls[4]


KILLED = """
import os, signal, sys
from intonate.training import search
from intonate.training.fit import train

calls = []
def killed(*words, score=search.score):
    calls.append(words)
    if len(calls) == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return score(*words)

search.score = killed
train(sys.argv[1], runs=sys.argv[2])
"""


@pytest.mark.slow
def test_a_killed_search_goes_on(recipe_of, tmp_path):
    recipe = recipe_of()
    words = [sys.executable, "-c", KILLED, str(recipe), str(tmp_path / "killed")]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    killed = subprocess.run(words, env=environment, capture_output=True, timeout=240)
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    whole, again = (train(recipe, runs=tmp_path / name) / "fold1-seed0" for name in ("whole", "killed"))
    assert told(trials(whole)) == told(trials(again))


def test_a_network_that_does_worse_than_half_is_given_up(found, monkeypatch):
    """Eight trials by the same course, but for the level; the last ones are told to be poor from the first epoch."""
    course = {0.1: 0.9, 0.2: 0.8, 0.3: 0.8, 0.4: 0.8, 0.5: 0.8, 0.6: 0.1, 0.7: 0.1, 0.8: 0.1}

    def scored(recipe, examples, split, seed, folder, watch):
        for epoch in range(4):
            watch(epoch, course[recipe.model.params["dropout"]])
        return course[recipe.model.params["dropout"]]

    monkeypatch.setattr(search, "score", scored)
    space = {"model.params.dropout": list(course)}
    chosen, facts, rows = found(space=space, name="mlp_network")
    assert chosen.model.params["dropout"] == 0.1
    poor = [row for row in rows if row["validation_uar"] == "0.100000"]
    assert {row["state"] for row in poor[:5]} <= {"complete", "given up"}
    given_up = [row for row in rows if row["state"] == "given up"]
    assert facts["search"]["given_up"] == len(given_up) >= 1
    assert {row["epochs"] for row in given_up} < {"1", "2", "3"}
    assert {row["epochs"] for row in rows if row["state"] == "complete"} == {"4"}


def test_each_epoch_of_a_network_is_reported_and_no_checkpoint_stays(found, tmp_path):
    _, _, rows = found(space={"training.learning_rate": ["1e-3", 1e-1]}, name="mlp_network")
    assert {row["training.learning_rate"] for row in rows} == {"0.001", "0.1"}
    assert {row["epochs"] for row in rows} == {"2"}
    assert sorted(path.name for path in (tmp_path / "fit").iterdir()) == ["search.db", "trials.csv"]


@pytest.mark.parametrize("keep", ["best", "last"])
def test_a_network_is_scored_as_a_fit_with_the_same_parameters(keep, recipe_of, examples, split, tmp_path):
    """A trial writes no checkpoint; the figure is the one of the fit that does."""
    recipe = load(recipe_of(name="mlp_network", space={"training.learning_rate": [0.1]}))
    recipe = recipe.having({"training.keep": keep, "training.epochs": 5, "training.learning_rate": 0.1})
    fitted = fitting.fit(recipe, examples, split, 0, tmp_path / "fit").facts["validation_uar"]
    seen = []
    scored = search.score(recipe, examples, split, 0, tmp_path / "trial", lambda epoch, uar: seen.append(uar))
    assert scored == fitted
    assert scored == (max(seen) if keep == "best" else seen[-1])
    assert len(seen) == 5

    def given_up(epoch, uar):
        if epoch == 1:
            raise optuna.TrialPruned

    with pytest.raises(optuna.TrialPruned):
        search.score(recipe, examples, split, 0, tmp_path / "trial", given_up)
    assert not (tmp_path / "trial" / "trial").exists()


def test_what_was_drawn_before_is_not_fitted_again(found, monkeypatch):
    calls = []

    def watched(*words, score=search.score):
        calls.append(words[0].model.params["neighbours"])
        return score(*words)

    monkeypatch.setattr(search, "score", watched)
    _, facts, rows = found(space={"model.params.neighbours": [1, 3]}, sampler="random", trials=8)
    assert sorted(calls) == [1, 3]
    assert facts["search"]["trials"] == len(rows) == 8


def test_a_configuration_that_cannot_be_fitted_is_left_out(found):
    chosen, facts, rows = found(space={"model.params.neighbours": [3, -1]})
    assert chosen.model.params["neighbours"] == 3
    assert {row["model.params.neighbours"]: row["state"] for row in rows} == {"3": "complete", "-1": "failed"}
    assert facts["search"]["failed"] == 1
    with pytest.raises(RecipeError, match=r"not one of the 2 configurations of .* can be fitted: model 'knn' cannot"):
        found("none", space={"model.params.neighbours": [-1, -2]})


def test_a_value_may_be_a_list_of_layers(found):
    chosen, _, rows = found(space={"model.params.layers": [[4], [8, 4]]}, name="mlp_network")
    assert chosen.model.params["layers"] in ([4], [8, 4])
    assert {row["model.params.layers"] for row in rows} == {"[4]", "[8, 4]"}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"space": {"model.params.neigbours": [1]}}, "search.space has no 'model.params.neigbours'; did you mean"),
        ({"space": {"data.labels": ["7"]}}, r"search.space has no 'data.labels'; .*known: model.params.metric"),
        ({"space": {"training.learning_rate": [1]}}, "no 'training.learning_rate'"),
        ({"name": "mlp_network", "space": {"training.seeds": [[1]]}}, "no 'training.seeds'; did you mean"),
        (
            {"name": "mlp_network", "space": {"training.epochs": [0, 1]}},
            "training.epochs: .*greater than or equal to 1",
        ),
        ({"space": {}}, "search.space: .*at least 1 item"),
        (
            {"space": {"model.params.neighbours": {"low": 1, "high": 9}}},
            "a grid needs lists, and model.params.neighbours",
        ),
        ({"space": {"model.params.neighbours": {"low": 1, "hihg": 9}}}, "did you mean 'high'"),
        ({"space": {"model.params.neighbours": {"low": 9, "high": 1}}, "sampler": "tpe"}, "low under high"),
        ({"space": {"model.params.neighbours": {"low": 1}}, "sampler": "tpe"}, "a list of values, or low and high"),
        ({"space": {"model.params.neighbours": []}}, "a list of values, or low and high"),
        ({"groups": 1}, "expected 2 or more"),
        ({"sampler": "gird"}, "search.sampler: .*'grid', 'random' or 'tpe'"),
        ({"trails": 3}, "did you mean 'trials'"),
    ],
    ids=str,
)
def test_what_is_wrong_is_said_before_anything_is_heard(changes, words, recipe_of):
    with pytest.raises(RecipeError, match=words):
        recipe_names.check(load(recipe_of(**changes)))


def test_more_groups_than_speakers(recipe_of, tmp_path):
    with pytest.raises(RecipeError, match=r"search\.groups is 3, and speakers-4/1 trains on 2 speakers; lower it"):
        train(recipe_of(groups=3), runs=tmp_path / "runs")


def test_a_search_is_part_of_the_hash_and_none_is_not(recipe_of, toy_corpus, tmp_path):
    plain = toy.recipe(tmp_path / "plain.yaml", toy_corpus)
    assert load(plain).hash() == load(plain, ["search=null", "training.optimizer=adamw"]).hash()
    assert load(plain).hash() != load(plain, ["training.optimizer=adamax"]).hash()
    assert load(recipe_of()).hash() != load(recipe_of(groups=2)).hash()


def test_train_tells_what_was_chosen(recipe_of, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    verbosity = optuna.logging.get_verbosity()
    run = train(recipe_of(space={"model.params.neighbours": [1, 3]}), ["data.folds=[1, 2]"], runs=tmp_path / "runs")
    assert optuna.logging.get_verbosity() == verbosity
    said = capsys.readouterr().err
    # Each on one line, however long.
    assert len(re.findall(r"^  2 configurations tried, best validation UAR .*neighbours.* [13]$", said, re.M)) == 2
    assert "Trial" not in said
    for fold in ("fold1-seed0", "fold2-seed0"):
        record = json.loads((run / fold / "run.json").read_text())
        assert record["configurations_tried"] == 2
        assert record["search"]["best"]["model.params.neighbours"] in (1, 3)
        assert record["search"]["scored_on"] == "validation part"
        assert record["validation_uar"] == pytest.approx(record["search"]["validation_uar"])
        assert (run / fold / "trials.csv").exists()
    report = (run / "report" / "report.html").read_text()
    assert "configurations compared on validation speakers: 2" in report
    assert "model.params.neighbours = " in report
