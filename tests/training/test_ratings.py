"""`task: dimensions`, from ratings in a manifest to a model file, its report, its card and what it answers."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
import toy
from typer.testing import CliRunner

from intonate.cli import app
from intonate.corpora import manifest
from intonate.errors import CorpusError, RecipeError
from intonate.evaluation import metrics
from intonate.evaluation import ratings as tables
from intonate.export.card import give
from intonate.recognizer.recognizer import load_model
from intonate.schema import Utterance
from intonate.training import ratings
from intonate.training.fit import train
from intonate.training.module import concordance_loss

SPEAKERS, TAKES = ("ada", "ben", "cleo", "dan", "eve", "fritz"), 12
SCALES = {"arousal": [1, 7], "valence": [1, 5]}


def rated_corpus(root: Path) -> Path:
    """A manifest of buzzes whose loudness and speed tell the arousal, and whose timbre tells the valence."""
    rng, rows = np.random.default_rng(0), []
    root.mkdir()
    for place, speaker in enumerate(SPEAKERS):
        for take in range(TAKES):
            arousal, valence = rng.uniform(0, 1, 2)
            time_s = np.arange(16_000) / 16_000
            phase = 2 * np.pi * (120 + 8 * place) * time_s
            buzz = sum(np.sin(k * phase) / k ** (2 - 1.5 * valence) for k in range(1, 20))
            syllables = np.square(np.sin(np.pi * (2 + 5 * arousal) * time_s))
            sound = 10 ** (arousal - 1.4) * syllables * buzz / 3 + 0.0003 * rng.normal(size=len(time_s))
            name = f"{speaker}-{take}.wav"
            soundfile.write(root / name, sound.astype(np.float32), 16_000)
            gender = "female" if place % 2 else "male"
            emotion = "happy" if valence > 0.5 else "sad"
            rows.append([name, speaker, gender, "en", f"{1 + 6 * arousal:.3f}", f"{1 + 4 * valence:.3f}", emotion])
    path = root / "ratings.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([["file", "speaker", "gender", "language", "EmoAct", "valence", "emotion"], *rows])
    return path


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return rated_corpus(tmp_path_factory.mktemp("rated") / "clips")


def recipe(path: Path, corpus: Path, **parts):
    data = {"manifest": str(corpus), "ratings": SCALES, "split": "speakers-3", "folds": [1], "cache": ""}
    training = {"epochs": 20, "batch_size": 16, "average": 0, "mixup": 0, "learning_rate": 0.01}
    pooled = {"front_end": "pooled", "params": {"of": "log_mel", "params": {"bands": 20}}}
    voice = {"voice": pooled | {"normalise": {"kind": "corpus"}}}
    head = {"name": "head", "params": {"units": 32, "layers": 1, "dropout": 0.1, "columns_dropout": 0}}
    known = {"task": "dimensions", "data": data, "inputs": voice, "model": head, "training": training}
    return toy.recipe(path, corpus, **(known | parts))


@pytest.fixture(scope="module")
def run(corpus, tmp_path_factory):
    root = tmp_path_factory.mktemp("run")
    return train(recipe(root / "toy.yaml", corpus), runs=root / "runs")


def test_it_hears_what_was_rated_on_new_speakers(run):
    record = json.loads((run / "fold1-seed0" / "run.json").read_text())
    assert min(record["test_ccc"]["clip alone"].values()) > 0.6
    assert record["validation_ccc"] > 0.6
    assert not record.keys() & {"test_uar", "validation_uar"}
    table = tables.read(run / "fold1-seed0" / "dimensions.csv")
    assert table.dimensions == ("arousal", "valence")
    found = dict(zip(table.dimensions, metrics.concordance(table.truth, table.answer), strict=True))
    assert found == pytest.approx(record["test_ccc"]["clip alone"])


def test_the_model_file_answers_numbers(run, corpus):
    model = load_model(run)
    assert (model.spec.labels, model.spec.dimensions) == ((), ("arousal", "valence"))
    assert model.spec.scales == {"arousal": (1, 7), "valence": (1, 5)}
    utterance = manifest.read(corpus)[0]
    answer = model.predict(utterance.path)
    assert (answer.label, answer.scores) == ("speech", {})
    kept = tables.read(run / "fold1-seed0" / "dimensions.csv")
    path = corpus.parent / kept.file[0]
    np.testing.assert_allclose([*model.predict(path).dimensions.values()], kept.answer[0], atol=2e-4)


def test_the_report_has_intervals_over_speakers_and_groups(run):
    results = json.loads((run / "report" / "metrics.json").read_text())
    (condition,) = results["conditions"]
    assert condition["protocol"] == "speaker-disjoint (speakers-3)"
    figures = condition["overall"]["arousal"]
    assert figures["ccc"]["low"] <= figures["ccc"]["value"] <= figures["ccc"]["high"]
    assert set(condition["groups"]["gender"]) == {"female", "male"}
    page = (run / "report" / "report.html").read_text()
    assert "By gender" in page
    assert page.count("<svg") == 2


def test_evaluate_judges_it_on_its_own_scale(run, corpus, tmp_path):
    words = ["evaluate", str(run), str(corpus), "--report", str(tmp_path / "report")]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    table = tables.read(tmp_path / "report" / "dimensions.csv")
    assert len(table) == len(SPEAKERS) * TAKES
    assert 0 <= table.truth.min() < table.truth.max() <= 1
    results = json.loads((tmp_path / "report" / "metrics.json").read_text())
    ccc = results["conditions"][0]["overall"]["arousal"]["ccc"]
    figure = "arousal CCC {value:.3f} ({low:.3f}–{high:.3f})".format(**ccc)
    assert figure in done.stdout.splitlines()[0]
    wrong = CliRunner().invoke(app, [*words, "--scale", "1-2"])
    assert wrong.exit_code != 0
    assert "outside the scale 1 to 2" in " ".join(wrong.output.split())


def test_the_card_tells_scale_and_figures(run, tmp_path):
    file = give(run, tmp_path)
    card = file.with_suffix(".md").read_text()
    assert "arousal: 0 is 1 on it, 1 is 7" in card
    assert "| all | arousal | 24 | 2 |" in card
    figure = load_model(file).spec.scores["dimensions"][0]["ccc"]
    assert f"{figure['value']:.3f} ({figure['low']:.3f}–{figure['high']:.3f})" in card


def test_labels_and_dimensions_at_once(corpus, tmp_path):
    data = {"manifest": str(corpus), "ratings": SCALES, "labels": "own:happy|sad", "split": "speakers-3"}
    path = recipe(tmp_path / "toy.yaml", corpus, data=data | {"folds": [1], "cache": ""})
    run = train(path, runs=tmp_path)
    record = json.loads((run / "fold1-seed0" / "run.json").read_text())
    assert record["test_ccc"]["clip alone"]["arousal"] > 0.5
    assert record["test_uar"]["clip alone"] > 0.6
    answer = load_model(run).predict(manifest.read(corpus)[0].path)
    assert (set(answer.scores), set(answer.dimensions)) == ({"happy", "sad"}, set(SCALES))
    assert sum(answer.scores.values()) == pytest.approx(1)
    assert "Dimensions" in (run / "report" / "report.html").read_text()
    assert "## Dimensions" in give(run, tmp_path / "given").with_suffix(".md").read_text()


def test_branches_each_tell_the_number_that_they_add_up_to(corpus, tmp_path):
    """`compact` on log-mel and functionals: two branches, whose outputs add up."""
    training = {"epochs": 8, "batch_size": 16, "average": 0, "mixup": 0.2, "learning_rate": 0.005}
    path = recipe(
        tmp_path / "toy.yaml",
        corpus,
        inputs=toy.MEL | toy.VOICE,
        model={"name": "compact", "params": toy.SMALL},
        training=training,
    )
    run = train(path, runs=tmp_path)
    record = json.loads((run / "fold1-seed0" / "run.json").read_text())
    assert set(record["test_ccc"]) == {"clip alone", "clip + 5", "speaker-normalised"}
    assert record["test_ccc"]["speaker-normalised"]["valence"] > 0.3


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ({"task": "labels"}, "data.labels' is missing"),
        ({"data": {"manifest": "x.csv", "split": "speakers-3"}}, "needs data.ratings"),
        ({"data": {"manifest": "x.csv", "split": "s", "ratings": {"arousal": [7, 1]}}}, "lowest to its highest"),
        ({"model": {"name": "random_forest"}}, "needs a network"),
        ({"training": {"leave_out": ["table"]}}, "training.leave_out works on labels"),
        ({"search": {"space": {"training.learning_rate": [0.1]}}}, "search works on labels"),
    ],
)
def test_what_cannot_be_learnt_from_ratings_is_refused(parts, words, corpus, tmp_path):
    with pytest.raises(RecipeError, match=words):
        train(recipe(tmp_path / "toy.yaml", corpus, **parts), runs=tmp_path)


def test_a_dimension_that_nobody_rated(corpus):
    with pytest.raises(CorpusError, match="no utterance has a rating of 'dominance'"):
        ratings.rows(manifest.read(corpus), {"dominance": (1, 7)})


def test_a_rating_may_be_missing():
    utterances = [
        Utterance(name, "", "", "", "table", ratings=own)
        for name, own in (("a", {"arousal": 4}), ("b", {"valence": 1}), ("c", {}))
    ]
    kept = ratings.rows(utterances, SCALES)
    assert [row.path for row in kept] == ["a", "b"]
    np.testing.assert_array_equal(ratings.targets(kept, SCALES), [[0.5, np.nan], [np.nan, 0]])


def test_the_loss_is_one_minus_the_concordance_of_what_was_rated():
    rng = np.random.default_rng(0)
    truth, values = rng.uniform(0, 1, (2, 40, 3))
    truth[:20, 1] = np.nan
    truth[1:, 2] = np.nan  # a single rating says nothing
    loss = concordance_loss(torch.from_numpy(values), torch.from_numpy(truth))
    found = metrics.concordance(truth, values)
    assert np.isnan(found[2])
    assert float(loss) == pytest.approx(1 - found[:2].mean(), abs=1e-6)
    assert float(concordance_loss(torch.from_numpy(values), torch.full((40, 3), torch.nan))) == 0


def test_the_gradient_has_no_gap_where_a_rating_is_missing():
    values = torch.rand(8, 2, requires_grad=True)
    truth = torch.rand(8, 2)
    truth[3, 0] = torch.nan
    concordance_loss(values, truth).backward()
    assert torch.isfinite(values.grad).all()
    assert values.grad[3, 0] == 0
