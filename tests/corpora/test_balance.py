"""Balance: as many of every class, of the training part alone, after the split and never before."""

import json
from collections import Counter

import numpy as np
import pytest
import toy
import yaml
from hypothesis import given
from hypothesis import strategies as st

from intonate import corpora
from intonate.corpora import balance, splits
from intonate.corpora.balance import Balance
from intonate.errors import RecipeError, SplitError
from intonate.training import batches, data, fit, fitting, network
from intonate.training.recipe import Data, load

RULES = ("largest", "smallest", "harmonic_mean", "count")


def of(to, count=7):
    return Balance(to, count if to == "count" else 0)


@pytest.mark.parametrize(
    ("to", "expected"), [("largest", 40), ("smallest", 10), ("harmonic_mean", 17), ("count", 7), ("count", 100)]
)
def test_every_class_has_as_many(to, expected):
    targets = np.repeat([0, 1, 2], [10, 20, 40])
    train = np.arange(70)
    rows = balance.rows(train, targets, of(to, expected), np.random.default_rng(0))
    assert Counter(targets[rows].tolist()) == dict.fromkeys(range(3), expected)


def test_the_harmonic_mean_is_that_of_the_class_counts():
    # 3 / (1/10 + 1/20 + 1/40) = 17.14
    targets = np.repeat([0, 1, 2], [10, 20, 40])
    rows = balance.rows(np.arange(70), targets, Balance("harmonic_mean"), np.random.default_rng(0))
    assert len(rows) == 3 * round(3 / (1 / 10 + 1 / 20 + 1 / 40))


@given(
    st.lists(st.integers(0, 4), min_size=1, max_size=80),
    st.sampled_from(RULES),
    st.integers(1, 50),
    st.integers(0, 5),
)
def test_only_training_rows_evenly_repeated(labels, to, count, seed):
    targets = np.array(labels)
    train = np.flatnonzero(np.random.default_rng(seed).random(len(targets)) < 0.7)
    if not len(train):
        return
    rows = balance.rows(train, targets, of(to, count), np.random.default_rng(seed))
    again = balance.rows(train, targets, of(to, count), np.random.default_rng(seed))
    assert np.array_equal(rows, again)
    assert rows.dtype == np.int64
    assert list(rows) == sorted(rows)
    assert set(rows) <= set(train), "training originals only"
    assert set(targets[rows]) == set(targets[train]), "no class is lost"
    sizes = Counter(targets[rows].tolist())
    assert len(set(sizes.values())) == 1
    for label, size in sizes.items():
        own = train[targets[train] == label]
        times = Counter(rows[targets[rows] == label].tolist())
        if size >= len(own):
            assert set(times) == set(own), "a class that grows loses nobody"
            assert max(times.values()) - min(times.values()) <= 1
        else:
            assert set(times.values()) == {1}, "a class that shrinks repeats nobody"


def test_impossible_balances_are_refused():
    with pytest.raises(RecipeError, match="did you mean 'harmonic_mean'"):
        Balance("harmonic")
    for bad in (("count", 0), ("largest", 5)):
        with pytest.raises(RecipeError, match="needs a count"):
            Balance(*bad)


FOREST = {
    "inputs": {"voice": {"front_end": "voice_functionals"}},
    "model": {"name": "random_forest", "params": {"trees": 5}},
}


def recipe_of(tmp_path, toy_corpus, model=FOREST, split="random-80-20", **more):
    path = toy.recipe(tmp_path / "toy.yaml", toy_corpus, **model)
    raw = yaml.safe_load(path.read_text())
    raw["data"] |= {"split": split, "folds": []} | more
    path.write_text(yaml.safe_dump(raw))
    return path


def test_a_recipe_balances_what_is_fitted_and_nothing_else(tmp_path, toy_corpus, monkeypatch):
    """P3's leak (copies made before the validation part was cut) cannot come back: who is split, and who is fitted."""
    split, fitted, scored = [], [], []
    folds, matrix, table = splits.folds, fitting._matrix, fit.write_tables

    def watched_folds(name, utterances, seed=0):
        split.append([row.path for row in utterances])
        return folds(name, utterances, seed)

    def watched_matrix(examples, rows, inputs):
        fitted.append(rows)
        return matrix(examples, rows, inputs)

    def watched_table(recipe, examples, part, *others):
        scored.append(part)
        return table(recipe, examples, part, *others)

    monkeypatch.setattr(splits, "folds", watched_folds)
    monkeypatch.setattr(fitting, "_matrix", watched_matrix)
    monkeypatch.setattr(fit, "write_tables", watched_table)
    fit.train(recipe_of(tmp_path, toy_corpus, balance={"to": "count", "count": 30}), runs=tmp_path / "runs")
    for paths in split:
        assert len(paths) == len(set(paths)) == 48, "recordings are split, each of them once"
    rows, part = fitted[0], scored[0]
    assert len(rows) == 4 * 30
    assert set(rows) == set(part.train)
    assert not set(rows) & {*part.validation, *part.test}
    assert len(set(part.test)) == len(part.test)
    assert len(set(part.validation)) == len(part.validation)


@pytest.mark.parametrize("protocol", ["random-80-20", "random-70-10-20", "speaker-disjoint", "speakers-4"])
def test_what_was_balanced_cannot_be_split(toy_corpus, protocol):
    utterances = list(corpora.read("folder", toy_corpus).utterances)
    targets = np.array([sorted({row.emotion for row in utterances}).index(row.emotion) for row in utterances])
    everything = np.arange(len(utterances))
    balanced = balance.rows(everything, targets, Balance("count", 20), np.random.default_rng(0))
    assert splits.folds(protocol, utterances)
    with pytest.raises(SplitError, match=r"listed more than once: split the recordings first, then balance"):
        splits.folds(protocol, [utterances[row] for row in balanced])


def test_a_network_gets_the_balanced_rows_and_draws_each_once(tmp_path, toy_corpus, monkeypatch):
    seen = {}

    def watched(clips, balanced, batch_size, *others):
        seen.update(rows=clips.rows, balanced=balanced, clips=clips)
        raise KeyboardInterrupt

    monkeypatch.setattr(network, "EpochSampler", watched)
    path = recipe_of(tmp_path, toy_corpus, model={}, balance={"to": "count", "count": 18})
    with pytest.raises(KeyboardInterrupt):
        fit.train(path, runs=tmp_path / "runs")
    assert len(seen["rows"]) == 4 * 18
    assert seen["balanced"] is False, "data.balance takes the place of training.balance"
    # Copies of a row are changed each in its own way; the first as if it were alone.
    clips = seen["clips"]
    first = next(place for place, row in enumerate(clips.rows) if np.sum(clips.rows == row) > 1)
    one, two = (clips[first + copy]["mel"] for copy in (0, 1))
    assert clips.rows[first] == clips.rows[first + 1]
    assert not np.array_equal(one, two)
    assert batches._occurrences(np.array([5, 2, 5, 5, 2])).tolist() == [0, 0, 1, 2, 1]


def test_new_keys_leave_the_hash_of_older_recipes_alone(tmp_path, toy_corpus):
    path = recipe_of(tmp_path, toy_corpus)
    plain = load(path)
    same = ("data.shortest_s=0", "data.balance=null", "data.cache=/somewhere", "data.cache=''")
    assert {load(path, [key]).hash() for key in same} == {plain.hash()}
    other = ("data.shortest_s=1", "data.balance={to: largest}", "data.balance={to: count, count: 3}")
    assert len({load(path, [key]).hash() for key in other} | {plain.hash()}) == 4
    older = {key: value for key, value in plain.portable()["data"].items() if key not in ("shortest_s", "balance")}
    assert set(older) == set(Data.model_fields) - {"shortest_s", "balance", "cache"}
    assert "/somewhere" not in json.dumps(load(path, ["data.cache=/somewhere"]).portable())


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("{to: harmonic}", "data.balance.to"),
        ("{to: count}", "needs a count of 1 or more"),
        ("{to: largest, count: 5}", "the others take none"),
        ("{to: largest, counts: 5}", "data.balance.counts"),
    ],
)
def test_a_recipe_with_an_impossible_balance(tmp_path, toy_corpus, given, message):
    with pytest.raises(RecipeError, match=message):
        load(recipe_of(tmp_path, toy_corpus), [f"data.balance={given}"])


def test_clips_that_are_too_short_are_left_out_counted_and_said(tmp_path, toy_corpus, capsys):
    path = recipe_of(tmp_path, toy_corpus, shortest_s=1.2, split="speakers-4")
    rows = data.with_labels(corpora.read("folder", toy_corpus).utterances, "4")
    asked = data.by_recipe(load(path))
    lengths_s = [clip.samples / 16_000 for clip in data.analyse(rows, asked.sound)]
    short = sum(length_s < 1.2 for length_s in lengths_s)
    assert 5 < short < 43
    run = fit.train(path, ["data.folds=[1, 2]"], runs=tmp_path / "runs")
    assert f"left out {short} clips shorter than 1.2 s after cleaning" in capsys.readouterr().err
    records = [json.loads((run / f"fold{fold}-seed0" / "run.json").read_text()) for fold in (1, 2)]
    assert [record["too_short_clips"] for record in records] == [short, short]
    assert {record["clips"] for record in records} == {48 - short}
    assert f"Left out, shorter than 1.2 s after cleaning: {short} clips." in (run / "report/report.html").read_text()


def test_not_one_clip_is_long_enough(tmp_path, toy_corpus):
    with pytest.raises(Exception, match="none of the 48 clips is 9 s long after cleaning"):
        fit.train(recipe_of(tmp_path, toy_corpus, shortest_s=9), runs=tmp_path / "runs")
