"""`benchmark`, from a suite to a table: compared, crossed and disturbed, stopped and gone on, failing in words."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
import toy
import yaml

from intonate.bench import benchmark as bench
from intonate.bench import speed, suite
from intonate.bench.comparison_rows import HEARD
from intonate.emotions import merged_labels
from intonate.errors import CorpusError, RecipeError
from intonate.evaluation import table
from intonate.recognizer import builtin
from intonate.recognizer.recognizer import load_model
from intonate.training import fit, recipe

ROOT = Path(__file__).parents[2]
FOREST = {
    "inputs": {"voice": {"front_end": "voice_functionals"}},
    "model": {"name": "random_forest", "params": {"trees": 10}},
}
TOY = {"corpus": "folder", "labels": "4", "disjoint": "speakers-4", "folds": [1]}
COMPARED = {
    "title": "two forests",
    "corpora": {"toy": TOY | {"random": "random-80-20", "title": "Toy"}},
    "systems": {
        "forest": {"title": "forest", "recipe": "forest.yaml", "published": {"": "WA 99"}},
        "stump": {"title": "stump", "recipe": "forest.yaml", "set": ["model.params.depth=1"]},
        "both": {"title": "both", "members": ["forest", "stump"]},
        "hubert": {"title": "HuBERT", "missing": "its weights are not here"},
    },
}


@pytest.fixture(autouse=True)
def few_rounds(monkeypatch):
    """Answers are timed by three and not by thirty-five: half of the time that these tests would take."""
    monkeypatch.setattr(speed, "ROUNDS", 2)
    monkeypatch.setattr(speed, "WARM_UP", 1)


@pytest.fixture
def place(tmp_path, toy_corpus):
    """A folder with a recipe, corpora, and a function that writes a suite and runs it."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data/folder").symlink_to(toy_corpus)
    toy.recipe(tmp_path / "forest.yaml", toy_corpus, **FOREST)

    def run(raw, **options):
        path = tmp_path / "toy.yaml"
        path.write_text(yaml.safe_dump(raw, sort_keys=False), encoding="utf-8")
        out, runs = tmp_path / "out", tmp_path / "runs"
        page, run.failed = bench.benchmark(path, data_root=tmp_path / "data", runs=runs, out=out, **options)
        assert page == out / "RESULTS.md"
        assert (out / "results.html").exists()
        rows = json.loads((out / "results/suites/toy.json").read_text())["rows"]
        return rows, page.read_text(encoding="utf-8")

    return run


def test_every_system_stands_in_the_table_by_both_protocols(place, tmp_path):
    rows, page = place(COMPARED)
    assert [(row["system"], row["protocol"]) for row in rows] == [
        (system, protocol)
        for system in ("forest", "stump", "both", "HuBERT")
        for protocol in ("random (speakers overlap)", "speaker-disjoint")
    ]
    forest, _, stump, _, both, _, hubert, _ = rows
    assert forest["corpus"] == "Toy"
    assert forest["published"] == "WA 99"
    assert stump["unpublished"] == "no figure was published"
    assert forest["uar"]["low"] <= forest["uar"]["value"] <= forest["uar"]["high"]
    assert forest["megabytes"] > 0
    assert forest["ms_per_clip"] > 0
    assert hubert["uar"] is None
    assert hubert["note"] == "its weights are not here"
    for words in ("WA 99", "its weights are not here", "forest", "stump", "1 of 4"):
        assert words in page
    # The figure is what its kept predictions give.
    kept = tmp_path / "out/results/suites/toy"
    assert len(list(kept.glob("*.csv.gz"))) == 6
    # The ensemble is one file, which answers what its members do on average.
    assert both["train_minutes"] == pytest.approx(forest["train_minutes"] + stump["train_minutes"])
    runs = [tmp_path / f"runs/toy/{system}-toy-disjoint/fold1-seed0" for system in ("forest", "stump", "both")]
    one, other, together = (table.read(run / "predictions.csv") for run in runs)
    np.testing.assert_array_equal(one.file, together.file)
    np.testing.assert_allclose(together.probabilities, (one.probabilities + other.probabilities) / 2, atol=1e-4)
    assert load_model(runs[-1] / "model.onnx").spec.name == "both-toy-disjoint"


def test_kept_predictions_give_the_figures(place, tmp_path):
    import gzip

    rows, _ = place(COMPARED, only=["forest"])
    packed = tmp_path / "out/results/suites/toy/forest-toy-disjoint.csv.gz"
    plain = tmp_path / "plain.csv"
    plain.write_bytes(gzip.decompress(packed.read_bytes()))
    read = table.read(plain)
    right = float(np.mean(read.label == read.emotion))
    assert right == pytest.approx(next(row["wa"]["value"] for row in rows if row["protocol"] == "speaker-disjoint"))


def test_what_was_not_asked_for_or_had_no_time_says_so_and_comes_later(place, monkeypatch):
    rows, _ = place(COMPARED, only=["forest"], hours=0)
    assert [row["note"] for row in rows if row["system"] == "forest"] == ["not trained yet"] * 2
    assert [row["note"] for row in rows if row["system"] == "stump"] == ["not trained yet"] * 2
    place(COMPARED, only=["forest"])
    rows, _ = place(COMPARED)
    assert all(row["uar"] for row in rows if row["system"] != "HuBERT")
    # What is there is not trained again.
    monkeypatch.setattr(fit, "_fit", lambda *arguments: pytest.fail("trained again"))
    again, _ = place(COMPARED)
    assert [row["uar"] for row in again] == [row["uar"] for row in rows]


def test_what_was_measured_elsewhere_stays_as_long_as_its_recipe(place, tmp_path):
    first, _ = place(COMPARED)
    shutil.rmtree(tmp_path / "runs")
    renamed = json.loads(json.dumps(COMPARED))
    renamed["systems"]["forest"] |= {"title": "woods", "published": {"": "WA 98"}}
    renamed["systems"]["stump"]["set"] = ["model.params.depth=2"]
    rows, page = place(renamed, only=["hubert"])
    by_system = {(row["system"], row["protocol"]): row for row in rows}
    assert [row["uar"] for row in first[:2]] == [row["uar"] for row in rows[:2]]
    assert {row["published"] for row in rows[:2]} == {"WA 98"}
    # Another recipe, and an ensemble with it.
    for system in ("stump", "both"):
        for protocol in ("random (speakers overlap)", "speaker-disjoint"):
            assert by_system[system, protocol]["uar"] is None
            assert by_system[system, protocol]["note"] == "not trained yet"
    assert "woods" in page


def test_the_scores_on_what_was_trained_on_stand_beside(place, tmp_path):
    heard = COMPARED | {"systems": {"forest": COMPARED["systems"]["forest"] | {"heard": True}}}
    rows, page = place(heard)
    assert [row["protocol"] for row in rows] == ["random (speakers overlap)", HEARD, "speaker-disjoint"]
    random, training, _ = rows
    assert training["wa"]["value"] == 1.0 >= random["wa"]["value"]
    assert HEARD in page
    kept = {path.name for path in (tmp_path / "out/results/suites/toy").iterdir()}
    assert kept == {f"forest-toy-{name}.csv.gz" for name in ("random", "random-heard", "disjoint")}


def test_a_change_of_the_suite_is_one_of_every_recipe(place, tmp_path):
    place(COMPARED | {"set": ["model.params.trees=3"]}, only=["forest", "stump"])
    trees = {
        yaml.safe_load(path.read_text())["model"]["params"]["trees"]
        for path in (tmp_path / "runs/toy").glob("*/recipe.yaml")
    }
    assert trees == {3}


def test_a_system_with_our_habits_is_a_row_more(tmp_path):
    toy.recipe(tmp_path / "forest.yaml", tmp_path, **FOREST)
    system = {"title": "forest", "recipe": "forest.yaml", "set": ["model.params.trees=3"], "note": "quick"}
    raw = COMPARED | {
        "systems": {"forest": system | {"habits": ["training.plain=false"]}},
        "set": ["data.shortest_s=1"],
    }
    (tmp_path / "toy.yaml").write_text(yaml.safe_dump(raw))
    systems = suite.load(tmp_path / "toy.yaml")[0].systems
    assert {key: (one.title, one.set, one.note) for key, one in systems.items()} == {
        "forest": ("forest", ["data.shortest_s=1", "model.params.trees=3"], "quick"),
        "forest-habits": (
            "forest, with our habits",
            ["data.shortest_s=1", "model.params.trees=3", "training.plain=false"],
            "quick",
        ),
    }


def test_systems_of_one_name_are_told_apart_by_their_suites(place, tmp_path):
    place(COMPARED, hours=0)
    shutil.copy(tmp_path / "toy.yaml", tmp_path / "twin.yaml")
    options = {"data_root": tmp_path / "data", "runs": tmp_path / "runs", "out": tmp_path / "out", "hours": 0}
    page, _ = bench.benchmark(tmp_path / "twin.yaml", **options)
    text = page.read_text(encoding="utf-8")
    for system in ("forest", "stump", "both", "HuBERT"):
        for name in (system, f"{system}, suite twin"):
            assert text.count(f"\n| {name} | ") == 2, name
    place(COMPARED, hours=0)


def test_shipped_suites_stand_in_one_page(tmp_path):
    """As in a clone, without the corpora: what was measured stays, and no suite stands in the way of another."""
    kept = ROOT / "benchmarks/results/suites"
    for file in kept.glob("*.json"):
        (tmp_path / "results/suites").mkdir(parents=True, exist_ok=True)
        shutil.copy(file, tmp_path / "results/suites")
    paths = sorted((ROOT / "recipes/suites").glob("*.yaml"))
    for path in paths:
        _, failed = bench.benchmark(path, hours=0, data_root=tmp_path, runs=tmp_path / "runs", out=tmp_path)
        assert not failed
    page = (tmp_path / "RESULTS.md").read_text(encoding="utf-8")
    for path in paths:
        assert f"`intonate benchmark {path.stem} --only" in page
        measured = [
            [row["uar"] for row in json.loads(file.read_text(encoding="utf-8"))["rows"] if row["uar"]]
            for folder in (kept, tmp_path / "results/suites")
            if (file := folder / f"{path.stem}.json").exists()
        ]
        assert measured[0] == measured[-1]


def test_rows_that_cannot_be_told_apart_are_refused_before_training(place, tmp_path, monkeypatch):
    monkeypatch.setattr(fit, "train", lambda *arguments: pytest.fail("trained"))
    systems = COMPARED["systems"] | {"stump": COMPARED["systems"]["stump"] | {"title": "forest"}}
    with pytest.raises(
        RecipeError, match=r"systems.forest on corpora.toy and systems.stump on corpora.toy are both called 'forest'"
    ):
        place(COMPARED | {"systems": systems})
    assert not (tmp_path / "out").exists()


def test_tables_that_cannot_be_written_keep_nothing(place, tmp_path):
    with pytest.raises(CorpusError, match="there is nothing to compare"):
        place({"title": "nothing", "corpora": {"toy": {"labels": "4"}}, "systems": COMPARED["systems"]})
    assert not list((tmp_path / "out").rglob("*.json"))


def test_a_figure_that_was_published_of_another_corpus_is_not_this_ones(place):
    corpora = COMPARED["corpora"] | {"other": TOY | {"title": "Other"}}
    systems = {"forest": COMPARED["systems"]["forest"] | {"published": {"other": "WA 99"}}}
    rows, page = place(COMPARED | {"corpora": corpora, "systems": systems}, hours=0)
    assert [(row["published"], row["unpublished"]) for row in rows] == [
        *[("", "no figure was published for this corpus")] * 2,
        ("WA 99", ""),
    ]
    assert "no figure was published for this corpus" in page


def test_a_folder_that_is_not_there_is_told_at_once(tmp_path):
    with pytest.raises(CorpusError, match=r"there is no folder .*nowhere; name the one .* by --data"):
        bench.benchmark("smoke", hours=0, data_root=tmp_path / "nowhere", runs=tmp_path, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_corpus_that_is_not_there_is_a_row_with_its_reason(place):
    absent = {"corpus": "ravdess_song", "labels": "4", "disjoint": "speakers-4", "title": "Song"}
    corpora = COMPARED["corpora"] | {"song": absent}
    rows, _ = place(COMPARED | {"corpora": corpora, "systems": {"forest": COMPARED["systems"]["forest"]}})
    assert [bool(row["uar"]) for row in rows] == [True, True, False]
    assert "ravdess_song" in rows[2]["note"]


def test_a_system_that_fails_does_not_stop_the_others(place):
    broken = {"title": "broken", "recipe": "forest.yaml", "set": ["model.params.treees=3"]}
    rows, page = place(COMPARED | {"systems": {"broken": broken, "forest": COMPARED["systems"]["forest"]}})
    assert "treees" in rows[0]["note"]
    assert "treees" in page
    assert place.failed == ["broken-toy-random", "broken-toy-disjoint"]
    assert rows[2]["uar"]


def test_each_corpus_is_tested_on_all(place):
    corpora = {"one": TOY | {"title": "One"}, "other": TOY | {"title": "Other"}}
    forest = {"forest": {"title": "forest", "recipe": "forest.yaml"}}
    rows, page = place({"title": "crossed", "kind": "cross", "corpora": corpora, "systems": forest})
    pairs = [(row["trained_on"], row["corpus"]) for row in rows]
    assert pairs == [("One", "One"), ("One", "Other"), ("Other", "One"), ("Other", "Other")]
    # On the diagonal only whom it was not trained on.
    assert rows[0]["wa"]["value"] < rows[1]["wa"]["value"] + 1e-9
    assert "Other" in page


def test_each_corpus_is_left_out_in_turn(place, tmp_path, toy_corpus):
    toy.two_corpora(toy_corpus, tmp_path / "data/table")
    coral = {
        "inputs": {"voice": {"front_end": "spectral_functionals", "normalise": {"kind": "corpus"}}},
        "model": {"name": "logistic_regression"},
        "translate": {"name": "coral", "keep": False},
    }
    toy.recipe(tmp_path / "coral.yaml", toy_corpus, **coral)
    both = {"together": {"folder": "Toy", "table": "Other"}, "labels": "4", "disjoint": "corpora-halves"}
    systems = {
        "none": {"title": "nothing", "recipe": "coral.yaml", "set": ["translate=null"], "seeds": [0]},
        "coral": {"title": "CORAL", "recipe": "coral.yaml"},
        "broken": {"title": "broken", "recipe": "coral.yaml", "set": ["translate.name=coal"]},
    }
    corpora = {"both": both | {"disjoint_seeds": [0, 1]}}
    rows, page = place({"title": "left out", "kind": "leave_out", "corpora": corpora, "systems": systems})
    assert [(row["system"], row["corpus"]) for row in rows] == [
        (system, corpus) for system in ("nothing", "CORAL", "broken") for corpus in ("Toy", "Other")
    ]
    assert {(row["folds"], row["of_folds"]) for row in rows[:4]} == {(2, 2)}
    assert [row["seeds"] for row in rows[:4]] == [1, 1, 2, 2]
    assert [row["uar"] for row in rows[4:]] == [None, None]
    assert "did you mean 'coral'" in rows[4]["note"]
    assert "Tested on a corpus that was left out" in page
    line = next(line for line in page.splitlines() if line.startswith("| CORAL"))
    mean = (rows[2]["uar"]["value"] + rows[3]["uar"]["value"]) / 2
    assert f"| {100 * mean:.1f} |" in line
    assert "| 2 of 2 × 2 |" in line
    # A row is the predictions on its corpus, which are kept.
    kept = table.read(tmp_path / "runs/toy/coral-both-disjoint/report/predictions.csv").where(corpus="table")
    assert float(np.mean(kept.label == kept.emotion)) == pytest.approx(rows[3]["wa"]["value"])


def test_noise_is_laid_over_the_test_clips_only(place, tmp_path):
    noises = tmp_path / "data/noises"
    noises.mkdir()
    soundfile.write(noises / "running_tap.flac", np.random.default_rng(0).normal(0, 0.1, 32_000), 16_000)
    raw = {
        "title": "disturbed",
        "kind": "disturb",
        "disturb": {"noises": "noises", "snr_db": [20, -20]},
        "corpora": {"toy": TOY},
        "systems": {"forest": {"title": "forest", "recipe": "forest.yaml"}},
    }
    rows, page = place(raw)
    assert [(row["noise"], row["snr_db"]) for row in rows] == [
        ("none", None),
        ("running tap", 20),
        ("running tap", -20),
        ("telephone band", None),
    ]
    clean, _, drowned, _ = (row["uar"]["value"] for row in rows)
    assert drowned < clean
    assert "running tap" in page


def test_what_was_measured_of_a_built_in_model_stays_as_long_as_its_training(place, tmp_path, monkeypatch):
    noises = tmp_path / "data/noises"
    noises.mkdir()
    raw = {
        "title": "disturbed",
        "kind": "disturb",
        "disturb": {"noises": "noises"},
        "corpora": {"toy": TOY, "twin": TOY | {"title": "Twin"}},
        "systems": {"compact": {"title": "compact", "model": "compact"}},
    }
    first, _ = place(raw)
    assert all(row["uar"] for row in first)
    noises.rmdir()
    rows, _ = place(raw)
    assert rows == first
    monkeypatch.setattr(builtin, "path_of", lambda name: builtin.ASSETS / "compact-open.onnx")
    (row, _) = place(raw)[0]
    assert row["uar"] is None
    assert "there is no folder" in row["note"]


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (COMPARED | {"titel": "x"}, "the key 'titel' is not known; did you mean 'title'"),
        (COMPARED | {"systems": {"x": {"title": "x"}}}, "systems.x needs either a recipe, or members, or a model"),
        (
            COMPARED | {"systems": {"x": {"title": "x", "members": ["forest"]}}},
            "systems.x.members must stand before it",
        ),
        (
            COMPARED | {"systems": {"x": {"title": "x", "recipe": "forest.yaml", "only": ["toi"]}}},
            "systems.x.only: 'toi' is no key of corpora; did you mean 'toy'",
        ),
        (
            COMPARED | {"systems": {"x": {"title": "x", "recipe": "forest.yaml", "folds": {"toi": [1]}}}},
            "systems.x.folds: 'toi' is no key of corpora; did you mean 'toy'",
        ),
        (
            COMPARED | {"systems": {"x": {"title": "x", "recipe": "forest.yaml", "published": {"": "1", "toi": "3"}}}},
            "systems.x.published: 'toi' is no key of corpora; did you mean 'toy'",
        ),
        (
            COMPARED | {"systems": {"x": {"title": "x", "recipe": "forest.yaml", "folds": {"toy": [4, 5]}}}},
            r"systems.x.folds.toy: there is no fold 5 of speakers-4 \(1 to 4\)",
        ),
        (
            COMPARED | {"corpora": {"toy": TOY | {"folds": [0]}}},
            r"corpora.toy.folds: there is no fold 0 of speakers-4 \(1 to 4\)",
        ),
        (
            COMPARED | {"corpora": {"toy": TOY | {"disjoint": "ravdes-6"}}},
            "corpora.toy: split 'ravdes-6' is not known; did you mean 'ravdess-6'",
        ),
        (
            COMPARED | {"corpora": {"toy": {"labels": "4", "disjont": "speakers-4"}}},
            "the key 'corpora.toy.disjont' is not known; did you mean 'disjoint'",
        ),
    ],
)
def test_a_suite_that_is_none_says_what_is_wrong(place, raw, said):
    with pytest.raises(RecipeError, match=said):
        place(raw)


def test_unknown_names_are_suggested(place, monkeypatch):
    monkeypatch.chdir(ROOT)
    with pytest.raises(RecipeError, match="did you mean 'papers'"):
        suite.load("paper")
    with pytest.raises(RecipeError, match="did you mean 'forest'"):
        place(COMPARED, only=["forrest"])


@pytest.mark.parametrize("path", sorted((ROOT / "recipes/suites").glob("*.yaml")), ids=lambda path: path.stem)
def test_shipped_suites_name_recipes_that_are_there(path):
    found, _ = suite.load(path)
    assert found.systems
    for corpus in found.corpora.values():
        assert merged_labels(corpus.labels)
    for system in found.systems.values():
        if system.recipe:
            recipe.load(path.parent / system.recipe, system.set)


def test_a_system_whose_checkpoint_is_not_here_says_so_and_the_others_go_on(place, toy_corpus, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    toy.recipe(
        tmp_path / "hubert.yaml",
        toy_corpus,
        inputs={"waveform": {"front_end": "waveform"}},
        model={"name": "speech_encoder", "params": {"checkpoint": "facebook/hubert-base-ls960"}},
    )
    hubert = {"hubert": {"title": "HuBERT", "recipe": "hubert.yaml"}}
    rows, page = place(COMPARED | {"systems": hubert | {"forest": COMPARED["systems"]["forest"]}})
    for row in rows:
        assert (row["uar"] is None) == (row["system"] == "HuBERT")
        if row["system"] == "HuBERT":
            assert "facebook/hubert-base-ls960 (380 MB) is not on this machine" in row["note"]
    assert "hf download facebook/hubert-base-ls960" in page
