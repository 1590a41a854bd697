"""Every recipe is one that works: it loads, its names exist, and its model is fitted for an epoch, as `train` does it.

A new recipe is held to this without a line being added here. Its front ends, its balance, its copies and its search are
as it says; the corpus is the toy one, and the models are as small as they come.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import small_encoders
import toy
import yaml

from intonate import models
from intonate.training import fit, fitting, recipe, recipe_names, scoring, sources

RECIPES = sorted((Path(__file__).parents[2] / "recipes").glob("*.yaml"))
# So small that a second is enough; a model that is not here is built as the recipe says.
SMALL = {
    "compact": toy.SMALL,
    "cnn1d": {"groups": [[16, 16], [16, 16, 16, 16], [8, 8]], "dense": [32, 16]},
    "cnn": {"channels": [16, 16, 32]},
    "cnn_lstm": {"channels": [16, 16, 16], "width": 24},
    "recurrent": {"width": 16},
    "resnet34": {"channels": [8, 16, 16, 32], "blocks": [1, 1, 1, 1]},
    "resnet_roberta": {"channels": [8, 16, 16, 32], "blocks": [1, 1, 1, 1]},
    "transformer": {"width": 32, "layers": 2, "hidden": 64},
    # Without the weights that others trained.
    "vggish_mlp": {"width": 0.1, "weights": ""},
    "yamnet_mlp": {"width": 0.1, "weights": ""},
    "imagenet": {"weights": ""},
    "random_forest": {"trees": 5},
    "xgboost": {"trees": 3},
    "lightgbm": {"trees": 3},
}
# The smallest image that each of the six networks takes, pixels.
SIDE = 75


def shrunk(path: Path, corpus: Path, root: Path) -> list[str]:
    """What is changed of a recipe so that it fits to the toy corpus."""
    whole = recipe.load(path)
    encoders = small_encoders.params(whole.model.name, root)
    changes: dict[str, object] = {
        "data.corpora": {"folder": str(corpus)},
        "data.set": "",
        "data.manifest": "",
        "data.labels": "4" if whole.data.labels else "",
        "data.split": "speakers-4",
        "data.folds": [1],
        "data.shortest_s": 0,
        "data.cache": "",
        "training.epochs": 1,
        "training.steps": 0,
        "training.batch_size": 8,
        "training.precision": "32",
        "training.seeds": [0],
        "training.leave_out": [],
    }
    changes |= {f"model.params.{key}": value for key, value in (SMALL.get(whole.model.name, {}) | encoders).items()}
    if "seconds" in whole.model.params:
        changes["model.params.checkpoint"] = small_encoders.whisper(root / "whisper")
    for name, item in whole.inputs.items():
        if item.params.get("of") == "encoded":
            changes[f"inputs.{name}.params.params.encoder"] = small_encoders.whisper(root / "whisper")
            changes[f"inputs.{name}.params.params.layers"] = [1, 2]
            if whole.model.name == "head":
                changes["model.params.of"] = 2
        if item.front_end == "mfcc_image":
            changes[f"inputs.{name}.params.side"] = SIDE
    if whole.model.params.get("network") == "mobilenetv2":  # the only one of them that may be narrower
        changes["model.params.width"] = 0.1
    if whole.data.balance and whole.data.balance.to == "count":
        changes["data.balance.count"] = 12
    if whole.translate:
        # Two corpora, and half of the speakers of the one that is left out without labels; few and small steps.
        changes |= {"data.corpora": toy.two_corpora(corpus, root / "other"), "data.split": "corpora-halves"}
        changes |= {"translate.to": "", "translate.fill": False}
        if whole.translate.name == "cyclegan":
            changes["translate.params"] = {"steps": 1, "layers": [8], "critic_layers": [8]}
    if whole.task == "multi_label":
        changes |= {"data.corpora": {}, "data.manifest": toy.with_several_labels(root / "several.csv", corpus)}
    if whole.search:
        # As many groups as the toy corpus has speakers to train on.
        changes |= {"search.trials": 1, "search.groups": min(whole.search.groups, 2)}
    return [f"{key}={yaml.safe_dump(value, default_flow_style=True, width=10**6)}" for key, value in changes.items()]


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_its_names_exist_and_a_comment_says_which_system_it_is(path):
    recipe_names.check(recipe.load(path))
    assert path.read_text(encoding="utf-8").startswith("# ")
    assert len(path.read_text(encoding="utf-8").splitlines()) < 40


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_its_model_is_fitted(path, toy_corpus, tmp_path, monkeypatch):
    """All that `train` does with a recipe up to the fitted model; export and report are the same for all."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    fitted: list[fitting.Fitted] = []

    def only_fitted(whole, examples, split, fold, seed, folder, *others):
        chosen, _ = fit._search_parameters(whole, examples, split, seed, folder)
        fitted.append(fitting.fit(chosen, examples, split, seed, folder))

    def with_words(whole, found=sources.read):
        rng = np.random.default_rng(0)
        return [
            replace(
                utterance,
                text=f"{utterance.emotion} dogs are sitting by the door",
                ratings={name: rng.uniform(*scale) for name, scale in whole.data.ratings.items()},
            )
            for utterance in found(whole)
        ]

    monkeypatch.setattr(sources, "read", with_words)
    monkeypatch.setattr(fit, "_fit", only_fitted)
    monkeypatch.setattr(scoring, "report", lambda *words: None)
    fit.train(path, shrunk(path, toy_corpus, tmp_path), runs=tmp_path / "runs")
    (one,) = fitted
    figures = {"dimensions": "validation_ccc", "multi_label": "validation_map"}
    if figure := figures.get(recipe.load(path).task):
        assert -1 <= one.facts[figure] <= 1
    else:
        assert 0 <= one.facts["validation_uar"] <= 1
    build = models.get(recipe.load(path).model.name)
    if isinstance(build, type):
        assert all(np.isfinite(weight.numpy(force=True)).all() for weight in one.model.parameters())
    assert [item.name for item in one.inputs] == list(recipe.load(path).inputs)
