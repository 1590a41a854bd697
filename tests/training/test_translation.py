"""Translation: clips of several corpora made to sound like a target, whose labels nobody reads."""

import json
from dataclasses import replace

import numpy as np
import pytest
import toy

from intonate.corpora import splits
from intonate.errors import RecipeError
from intonate.training import (
    cyclegan,
    data,
    fit,
    fitting,
    recipe,
    recipe_names,
    sources,
    translation,
    translation_report,
    translators,
)
from intonate.training.translators import Speech

SMALL = {"layers": [32, 16, 32], "critic_layers": [32, 32]}
LOGISTIC = {
    "inputs": {"voice": {"front_end": "spectral_functionals", "normalise": {"kind": "corpus", "clip": 5}}},
    "model": {"name": "logistic_regression"},
}


def made_up(seed=0, clips=300, columns=6):
    """Two labelled corpora and a target that is one of them moved and stretched; two emotions in the first column."""
    rng = np.random.default_rng(seed)
    emotion, corpus = rng.integers(0, 2, clips), rng.integers(0, 2, clips)
    features = rng.normal(size=(clips, columns))
    features[:, 0] += 3 * emotion
    features[:, 1] += 2 * corpus
    target = rng.normal(size=(clips, columns)) * 1.5 + 2
    target[:, 0] += 3 * rng.integers(0, 2, clips)
    return Speech(
        features.astype(np.float32),
        emotion,
        np.ones((clips, 2), bool),
        corpus,
        ("one", "two"),
        target.astype(np.float32),
    )


@pytest.fixture(scope="module")
def two_corpora(toy_corpus, tmp_path_factory):
    return toy.two_corpora(toy_corpus, tmp_path_factory.mktemp("two") / "other")


@pytest.fixture(scope="module")
def prepared(two_corpora, toy_corpus, tmp_path_factory):
    """A recipe that translates, its examples, one split and the measured inputs."""
    path = toy.recipe(tmp_path_factory.mktemp("recipe") / "toy.yaml", toy_corpus, **LOGISTIC)
    whole = recipe.load(path).having({"data.corpora": two_corpora, "data.split": "corpora-halves"})
    utterances = data.with_labels(sources.read(whole), "4")
    examples = data.prepare(utterances, "4", data.by_recipe(whole))
    split = splits.folds("corpora-halves", utterances)[0]
    return whole, examples, split, fitting._model_inputs(whole, examples, split)


def translated(prepared, tmp_path, **options):
    whole, examples, split, inputs = prepared
    whole = whole.having({"translate": {"name": "coral"} | options})
    return translation.extend(whole, examples, split, inputs, 0, tmp_path)


def test_coral_gives_every_corpus_the_mean_and_covariance_of_the_target(tmp_path):
    speech = made_up()
    features, _ = translators.get("coral")(speech, 0, tmp_path, shrinkage=1e-6)
    for corpus in (0, 1):
        rows = features[speech.corpus == corpus]
        np.testing.assert_allclose(rows.mean(axis=0), speech.target.mean(axis=0), atol=1e-3)
        np.testing.assert_allclose(np.cov(rows.T), np.cov(speech.target.T), atol=1e-2)


@pytest.mark.parametrize("attention", [True, False])
def test_the_cycle_gan_comes_near_the_target_and_keeps_the_emotions(attention, tmp_path):
    speech = made_up()
    features, history = cyclegan.cyclegan(
        speech, 0, tmp_path, steps=300, learning_rate=1e-3, attention=attention, **SMALL
    )
    facts = translation_report.comparison(speech, features, 0)
    assert facts["separable"]["recorded"] > 0.9
    assert facts["separable"]["translated"] < facts["separable"]["recorded"] - 0.1
    assert facts["recognised"]["translated"] > 0.8
    assert {len(values) for values in history["losses"].values()} == {300 // cyclegan.EPOCH_STEPS}
    assert history["losses"]["cycle"][-1] < 2
    shares = history["attention"]
    assert all(sum(weights.values()) == pytest.approx(1, abs=1e-3) for weights in shares.values())
    if not attention:
        assert shares == {"one": {"one": 1.0, "two": 0.0}, "two": {"one": 0.0, "two": 1.0}}


def test_a_cycle_gan_that_was_stopped_goes_on_as_if_it_never_was(tmp_path):
    speech, steps = made_up(clips=60), 2 * cyclegan.EPOCH_STEPS
    whole, whole_history = cyclegan.cyclegan(speech, 0, tmp_path / "whole", steps=steps, **SMALL)
    cyclegan.cyclegan(speech, 0, tmp_path / "stopped", steps=cyclegan.EPOCH_STEPS, **SMALL)
    resumed, history = cyclegan.cyclegan(speech, 0, tmp_path / "stopped", steps=steps, **SMALL)
    np.testing.assert_array_equal(resumed, whole)
    assert history == whole_history
    # Finished, it is not trained again.
    finished, _ = cyclegan.cyclegan(speech, 0, tmp_path / "stopped", steps=steps, **SMALL)
    np.testing.assert_array_equal(finished, whole)
    other_seed, _ = cyclegan.cyclegan(speech, 1, tmp_path / "other", steps=steps, **SMALL)
    assert not np.array_equal(other_seed, whole)


def test_translated_clips_are_trained_on_beside_the_others_and_nowhere_else(prepared, tmp_path):
    _, examples, split, _ = prepared
    extended, new_split, facts = translated(prepared, tmp_path)
    count, extra = len(examples.clips), len(split.train)
    assert facts["translated_clips"] == extra
    np.testing.assert_array_equal(new_split.train, [*split.train, *range(count, count + extra)])
    assert (new_split.test is split.test, new_split.validation is split.validation) == (True, True)
    assert len(extended.clips) == len(extended.utterances) == len(extended.targets) == count + extra
    np.testing.assert_array_equal(extended.targets[count:], examples.targets[split.train])
    assert all(before is after for before, after in zip(examples.clips, extended.clips, strict=False))
    assert {row.corpus for row in extended.utterances[count:]} == {"table as unlabelled"}
    alone = translated(prepared, tmp_path, keep=False)[1]
    np.testing.assert_array_equal(alone.train, range(count, count + extra))


@pytest.mark.parametrize("name", ["coral", "cyclegan"])
def test_labels_of_the_unlabelled_clips_and_of_the_test_are_never_read(name, prepared, tmp_path):
    whole, examples, split, inputs = prepared
    params = {"steps": 1, **SMALL} if name == "cyclegan" else {}
    options = {"name": name, "params": params}
    first, *_ = translated(prepared, tmp_path / "first", **options)
    hidden = np.concatenate([split.unlabelled, split.test])
    targets = examples.targets.copy()
    targets[hidden] = 3 - targets[hidden]
    swapped = whole, replace(examples, targets=targets), split, inputs
    second, *_ = translated(swapped, tmp_path / "second", **options)
    for one, other in zip(first.clips, second.clips, strict=True):
        np.testing.assert_array_equal(one["voice"], other["voice"])


def test_unchanged_clips_come_back_as_they_were(prepared, tmp_path):
    """Out of the normalisation and the principal components, too, where nothing was clipped."""
    _, examples, split, inputs = prepared
    item = replace(inputs[0], normalisation=replace(inputs[0].normalisation, clip=0.0))
    swapped = prepared[0], examples, split, (item,)
    for components in (0, 5):
        extended, *_ = translated(swapped, tmp_path, name="unchanged", components=components)
        for row, clip in zip(split.train, extended.clips[len(examples.clips) :], strict=True):
            np.testing.assert_allclose(clip["voice"], examples.clips[row]["voice"], rtol=1e-3, atol=1e-2)


def test_segments_of_a_clip_are_translated_each(prepared, tmp_path):
    """A front end with rows: every row is translated, by the label of its clip, and they are a clip again."""
    whole, examples, split, (item,) = prepared
    rng = np.random.default_rng(0)
    columns = len(item.normalisation.mean)
    clips = [{"voice": rng.normal(size=(rng.integers(1, 4), columns)).astype(np.float32)} for _ in examples.clips]
    item = replace(
        item, normalisation=replace(item.normalisation, mean=(0.0,) * columns, sd=(1.0,) * columns, clip=0.0)
    )
    swapped = whole, replace(examples, clips=clips), split, (item,)
    extended, *_ = translated(swapped, tmp_path, name="unchanged", components=5)
    for row, clip in zip(split.train, extended.clips[len(clips) :], strict=True):
        np.testing.assert_allclose(clip["voice"], clips[row]["voice"], atol=1e-4)
    extended, *_ = translated(swapped, tmp_path, name="coral", params={"shrinkage": 1e-6})
    moved = np.concatenate([clip["voice"] for clip in extended.clips[len(clips) :]])
    target = np.concatenate([clips[row]["voice"] for row in split.unlabelled])
    np.testing.assert_allclose(moved.mean(axis=0), target.mean(axis=0), atol=1e-3)


def test_rare_classes_are_filled_and_no_more(prepared, tmp_path):
    whole, examples, split, inputs = prepared
    corpora = np.array([row.corpus for row in examples.utterances])
    own = split.test[examples.targets[split.test] != 0]
    train = np.concatenate([split.train, own, split.test[examples.targets[split.test] == 0][:2]])
    rare = replace(split, train=np.sort(train), test=split.unlabelled, unlabelled=split.unlabelled[:0])
    extended, new_split, facts = translated(
        (whole, examples, rare, inputs), tmp_path, to="folder", fill=True, keep=False
    )
    added = new_split.train[new_split.train >= len(examples.clips)]
    counts = np.bincount(examples.targets[rare.train][corpora[rare.train] == "folder"])
    np.testing.assert_array_equal(np.bincount(extended.targets[added], minlength=4), counts.max() - counts)
    # The target's own recordings stay, those of the other corpus do not.
    assert set(corpora[new_split.train[new_split.train < len(examples.clips)]]) == {"folder"}
    assert facts["translated_clips"] == len(added) > 0


@pytest.mark.parametrize(
    ("options", "change", "message"),
    [
        ({}, {"unlabelled": np.empty(0, np.int64)}, "gives no clips without labels; use data.split: corpora-halves"),
        ({"to": "emodb"}, {}, "translate.to: 'emodb' is not one of several corpora that are trained on (table)"),
    ],
)
def test_without_a_target_nothing_is_translated(options, change, message, prepared, tmp_path):
    whole, examples, split, inputs = prepared
    with pytest.raises(RecipeError, match=message.replace("(", r"\(").replace(")", r"\)")):
        translated((whole, examples, replace(split, **change), inputs), tmp_path, **options)


def test_an_input_that_cannot_be_translated_is_refused(prepared, tmp_path):
    whole, examples, split, (item,) = prepared
    for inputs, message in (
        ((item, item), "one input that is normalised"),
        ((replace(item, normalisation=None),), "one input that is normalised"),
        ((replace(item, normalisation=replace(item.normalisation, kind="speaker")),), "set normalise.kind to corpus"),
    ):
        with pytest.raises(RecipeError, match=message):
            translated((whole, examples, split, inputs), tmp_path)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": "cycle_gan"}, "translator 'cycle_gan' is not known; did you mean 'cyclegan'"),
        (
            {"name": "coral", "params": {"shrinking": 1}},
            "translate.params has no 'shrinking'; did you mean 'shrinkage'",
        ),
    ],
)
def test_names_are_looked_up_before_anything_is_read(options, message, prepared):
    with pytest.raises(RecipeError, match=message):
        recipe_names.check(prepared[0].having({"translate": options}))


def test_filling_needs_a_corpus_whose_classes_can_be_counted(prepared):
    with pytest.raises(RecipeError, match="fill needs `to`"):
        prepared[0].having({"translate": {"name": "coral", "fill": True}})


def test_a_run_shows_its_losses_and_clips_and_goes_on(two_corpora, toy_corpus, tmp_path):
    params = {"steps": 1, **SMALL}
    parts = LOGISTIC | {
        "data": {"corpora": two_corpora, "labels": "4", "split": "corpora-halves", "folds": [1, 3], "cache": ""},
        "translate": {"name": "cyclegan", "params": params},
        "training": {"seeds": [0, 1]},
    }
    path = toy.recipe(tmp_path / "toy.yaml", toy_corpus, **parts)
    run = fit.train(path, runs=tmp_path / "runs")
    page = (run / "report/report.html").read_text(encoding="utf-8")
    for words in ("What the translation did", "corpora-halves/folder/1: losses", "corpora-halves/table/1: clips"):
        # Of one seed of each fold.
        assert page.count(words) == 1
    record = json.loads((run / "fold1-seed0/run.json").read_text())
    assert record["translated_clips"] > 0
    assert set(record["separable"]) == {"recorded", "translated"}
    before = (run / "fold1-seed0/run.json").stat().st_mtime_ns
    fit.train(path, runs=tmp_path / "runs")
    assert (run / "fold1-seed0/run.json").stat().st_mtime_ns == before
