"""`task: multi_label`, from a manifest with several labels to a clip to a model file, its report and its answers."""

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
from intonate.errors import CorpusError, LabelError, RecipeError
from intonate.evaluation import multi_label as tables
from intonate.evaluation.ratings import read_as
from intonate.export.card import give
from intonate.recognizer.recognizer import load_model
from intonate.schema import Utterance
from intonate.training import multi_label, validation
from intonate.training.fit import train
from intonate.training.module import masked_binary_cross_entropy

SPEAKERS, TAKES = ("ada", "ben", "cleo", "dan", "eve", "fritz"), 16
LABELS = ("bright", "fast", "happy")


def labelled_corpus(root: Path) -> Path:
    """A manifest of buzzes: syllables come fast or slowly, the timbre is bright or dark; what is both is happy, too.

    A tenth of the clips was labelled by nobody.
    """
    rng, rows = np.random.default_rng(0), []
    root.mkdir()
    for place, speaker in enumerate(SPEAKERS):
        for take in range(TAKES):
            bright, fast = (bool(bit) for bit in rng.integers(0, 2, 2))
            time_s = np.arange(16_000) / 16_000
            phase = 2 * np.pi * (120 + 8 * place) * time_s
            buzz = sum(np.sin(k * phase) / k ** (0.5 if bright else 2) for k in range(1, 20))
            syllables = np.square(np.sin(np.pi * (7 if fast else 2.5) * time_s))
            sound = 0.2 * syllables * buzz / 3 + 0.0003 * rng.normal(size=len(time_s))
            name = f"{speaker}-{take}.wav"
            soundfile.write(root / name, sound.astype(np.float32), 16_000)
            names = ["bright"] * bright + ["fast"] * fast + ["joy"] * (bright and fast)
            cell = "" if take == TAKES - 1 else "; ".join(names) or "[]"
            rows.append([name, speaker, "female" if place % 2 else "male", "en", cell])
    path = root / "clips.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([["file", "speaker", "gender", "language", "labels"], *rows])
    return path


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return labelled_corpus(tmp_path_factory.mktemp("labelled") / "clips")


def recipe(path: Path, corpus: Path, **parts):
    data = {"manifest": str(corpus), "split": "speakers-3", "folds": [1], "cache": ""}
    training = {"epochs": 25, "batch_size": 16, "average": 0, "mixup": 0, "label_smoothing": 0, "learning_rate": 0.01}
    training |= {"balance": False}
    pooled = {"front_end": "pooled", "params": {"of": "log_mel", "params": {"bands": 20}}}
    voice = {"voice": pooled | {"normalise": {"kind": "corpus"}}}
    head = {"name": "head", "params": {"units": 32, "layers": 1, "dropout": 0.1, "columns_dropout": 0}}
    known = {"task": "multi_label", "data": data, "inputs": voice, "model": head, "training": training}
    return toy.recipe(path, corpus, **(known | parts))


@pytest.fixture(scope="module")
def run(corpus, tmp_path_factory):
    root = tmp_path_factory.mktemp("run")
    return train(recipe(root / "toy.yaml", corpus), runs=root / "runs")


def test_it_hears_several_labels_on_new_speakers(run):
    record = json.loads((run / "fold1-seed0" / "run.json").read_text())
    assert record["test_macro_f1"]["clip alone"] > 0.8
    assert record["validation_map"] > 0.8
    assert not record.keys() & {"test_uar", "validation_uar"}
    table = read_as(run / "fold1-seed0" / "labels.csv", tables.LabelTable)
    assert table.dimensions == LABELS
    assert len(table) == 2 * (TAKES - 1)
    assert set(table.present.sum(axis=1)) == {0, 1, 3}
    # Scores of their own: a clip with all labels has a high score for each.
    assert table.answer[table.present.all(axis=1)].sum(axis=1).mean() > 1.5


def test_a_stopped_training_goes_on_with_the_labels_that_it_found(run, corpus):
    recipe(run.parent.parent / "again.yaml", corpus)
    before = (run / "fold1-seed0" / "run.json").read_text()
    assert train(run.parent.parent / "again.yaml", runs=run.parent) == run
    assert (run / "fold1-seed0" / "run.json").read_text() == before


def test_the_model_file_answers_all_that_are_likely_enough(run, corpus):
    model = load_model(run)
    assert (model.spec.labels, model.spec.multi_label) == (LABELS, True)
    kept = read_as(run / "fold1-seed0" / "labels.csv", tables.LabelTable)
    assert set(kept.threshold) == {model.spec.abstain_below}
    counts = set()
    for row in range(0, len(kept), 3):
        answer = model.predict(corpus.parent / kept.file[row])
        if answer.label not in ("silence", "noise"):
            scores = dict(zip(LABELS, kept.answer[row], strict=True))
            assert answer.scores == pytest.approx(scores, abs=2e-4)
            assert set(answer.labels) == {label for label in LABELS if scores[label] >= model.spec.abstain_below}
            assert answer.abstained == (not answer.labels)
            counts.add(len(answer.labels))
    assert counts


def test_the_report_has_every_figure_with_its_interval(run):
    results = json.loads((run / "report" / "metrics.json").read_text())
    assert results["labels"] == list(LABELS)
    (condition,) = results["conditions"]
    for figure in (*condition["overall"].values(), condition["labels"]["fast"]["average_precision"]):
        assert figure["low"] <= figure["value"] <= figure["high"]
    assert set(condition["groups"]["gender"]) == {"female", "male"}
    page = (run / "report" / "report.html").read_text()
    assert "macro-F1" in page
    assert "By gender" in page
    assert page.count("<svg") == 1


def test_evaluate_takes_the_column_labels(run, corpus, tmp_path):
    done = CliRunner().invoke(app, ["evaluate", str(run), str(corpus), "--report", str(tmp_path / "report")])
    assert done.exit_code == 0, done.output
    table = read_as(tmp_path / "report" / "labels.csv", tables.LabelTable)
    assert len(table) == len(SPEAKERS) * (TAKES - 1)
    results = json.loads((tmp_path / "report" / "metrics.json").read_text())
    figure = results["conditions"][0]["overall"]["macro_f1"]
    assert figure["value"] > 0.8
    assert f"macro-F1 {100 * figure['value']:.1f} % (" in done.stdout.splitlines()[0]
    assert "6 clips" in " ".join(results["notes"])


def test_evaluate_with_one_emotion_to_a_clip(run, corpus, tmp_path):
    rows = [f"{row.path},{row.speaker},happy" for row in manifest.read(corpus)[:8]]
    (tmp_path / "one.csv").write_text("\n".join(["file,speaker,emotion", *rows]) + "\n")
    words = ["evaluate", str(run), str(tmp_path / "one.csv"), "--report", str(tmp_path / "report")]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    results = json.loads((tmp_path / "report" / "metrics.json").read_text())
    assert results["conditions"][0]["labels"]["happy"]["clips"] == 8
    assert "one emotion" in results["notes"][0]


def test_evaluate_with_labels_that_it_does_not_know(run, corpus, tmp_path):
    path = manifest.read(corpus)[0].path
    (tmp_path / "strange.csv").write_text(f"file,labels\n{path},purple; green\n")
    done = CliRunner().invoke(app, ["evaluate", str(run), str(tmp_path / "strange.csv"), "--report", str(tmp_path)])
    assert done.exit_code == 1
    assert "has no label that 'toy' knows: it has green, purple" in " ".join(done.output.split())


def test_the_card_tells_what_a_score_means(run, tmp_path):
    file = give(run, tmp_path)
    card = file.with_suffix(".md").read_text()
    assert "several at once or none: bright, fast, happy" in card
    assert "need not sum to one" in card
    assert "| fast |" in card
    row = next(row for row in load_model(file).spec.scores["labels"] if row["group"] == "all")
    assert f"{100 * row['macro_f1']['value']:.1f}" in card


def test_what_asks_for_one_label_to_a_clip_refuses_it(run, corpus, tmp_path):
    model = load_model(run)
    with pytest.raises(LabelError, match="several labels at once"):
        model.predict(manifest.read(corpus)[0].path, labels="4")
    with pytest.raises(LabelError, match="judge it by intonate evaluate"):
        validation.of_manifest(corpus, run / "fold1-seed0" / "model.onnx")
    explained = ["evaluate", str(run), str(corpus), "--report", str(tmp_path), "--explain", "1"]
    done = CliRunner().invoke(app, explained)
    assert "clips are chosen by one" in " ".join(done.output.split())
    for command in (["evaluate", str(run), str(corpus), "--report", str(tmp_path / "r"), "--card"],
                    ["compare", str(run), "compact", str(corpus), "--report", str(tmp_path / "c")],
                    ["ensemble", str(tmp_path / "two.onnx"), str(run), str(run)],
                    ["predict", str(corpus.parent / "ada-0.wav"), "--model", f"{run}+text"]):  # fmt: skip
        done = CliRunner().invoke(app, command)
        assert done.exit_code == 1, command
        assert "several labels at once" in " ".join(done.output.split()), (command, done.output)
        assert "Traceback" not in done.output


def test_balancing_and_copies_take_several_labels(corpus, tmp_path):
    training = {"epochs": 3, "batch_size": 8, "average": 0.5, "mixup": 0.5, "balance": True}
    data = {"manifest": str(corpus), "labels": "own:fast|happy", "split": "speakers-3", "folds": [1], "cache": ""}
    data |= {"expand": [[{"transform": "gain", "db": 6}]]}
    path = recipe(tmp_path / "toy.yaml", corpus, data=data, training=training, inputs=toy.MEL | toy.VOICE,
                  model={"name": "compact", "params": toy.SMALL})  # fmt: skip
    run = train(path, runs=tmp_path)
    assert load_model(run).spec.labels == ("fast", "happy")
    record = json.loads((run / "fold1-seed0" / "run.json").read_text())
    assert set(record["test_macro_f1"]) == {"clip alone", "clip + 5", "speaker-normalised"}


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ({"data": {"corpora": {"folder": "x"}, "split": "speakers-3"}}, "needs data.manifest, a table with a column"),
        ({"model": {"name": "random_forest"}}, "task: multi_label needs a network"),
        ({"training": {"leave_out": ["table"]}}, "training.leave_out works on one label to a clip"),
        ({"training": {"soft_labels": True}}, "training.soft_labels works on one label to a clip"),
        ({"search": {"space": {"training.learning_rate": [0.1]}}}, "search works on one label to a clip"),
        ({"task": "multilabel"}, "task: Input should be 'labels', 'multi_label' or 'dimensions'"),
    ],
)
def test_what_cannot_be_learnt_is_refused(parts, words, corpus, tmp_path):
    with pytest.raises(RecipeError, match=words):
        train(recipe(tmp_path / "toy.yaml", corpus, **parts), runs=tmp_path)


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        ("own:fast|laughing", "no clip has the label 'laughing'"),
        ("own:fast|hapy", "did you mean 'happy'"),
        ("own:joy", "a manifest's 'joy' is called 'happy'"),
        ("7", "no clip has the label 'angry'"),
    ],
)
def test_a_label_that_no_clip_has(labels, words, corpus, tmp_path):
    data = {"manifest": str(corpus), "labels": labels, "split": "speakers-3", "cache": ""}
    with pytest.raises(CorpusError, match=words):
        train(recipe(tmp_path / "toy.yaml", corpus, data=data), runs=tmp_path)


def test_a_manifest_without_several_labels(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros(100), 16_000)
    (tmp_path / "clips.csv").write_text("file,emotion\na.wav,happy\n")
    data = {"manifest": str(tmp_path / "clips.csv"), "split": "speakers-3", "cache": ""}
    with pytest.raises(CorpusError, match="gives no clip several labels; expected a column labels"):
        train(recipe(tmp_path / "toy.yaml", tmp_path, data=data), runs=tmp_path)
    rows = [Utterance("a", "", "", "", "table", labels=("loud",))] * 2
    with pytest.raises(CorpusError, match="every clip has the label 'loud'"):
        multi_label.check(rows, "own:loud")
    with pytest.raises(CorpusError, match="every list of the column labels is empty"):
        multi_label.merge_of([Utterance("a", "", "", "", "table", labels=())])


def test_a_merge_puts_labels_together_and_leaves_others_out():
    rows = [
        Utterance("a", "", "", "", "table", labels=("calm", "sad")),
        Utterance("b", "", "", "", "table", labels=("excited",)),
        Utterance("c", "happy", "", "", "table"),
    ]
    np.testing.assert_array_equal(
        multi_label.truth(rows, "4"), [[0, 0, 1, 1], [0, 1, 0, 0], [0, 1, 0, 0]]
    )  # angry, happy, neutral, sad


def test_the_rarest_label_of_a_clip():
    present = np.array([[1, 1, 0], [1, 0, 0], [1, 0, 1], [0, 0, 1], [0, 0, 0]], bool)
    np.testing.assert_array_equal(multi_label.rarest(present), [1, 0, 2, 2, 3])


def test_the_loss_is_that_of_each_label_by_itself():
    rng = torch.Generator().manual_seed(0)
    logits, truth = torch.randn(6, 3, generator=rng), torch.randint(0, 2, (6, 3), generator=rng).float()
    binary = torch.nn.functional.binary_cross_entropy_with_logits
    found = masked_binary_cross_entropy(logits, truth, torch.ones(6, 3, dtype=torch.bool))
    assert float(found) == pytest.approx(float(binary(logits, truth)), abs=1e-6)
    logits.requires_grad_()
    allowed = torch.tensor([[True, False, True]] * 6)
    loss = masked_binary_cross_entropy(logits, truth, allowed)
    loss.backward()
    assert (logits.grad[:, 1] == 0).all()
    logits = logits.detach()
    assert float(loss.detach()) == pytest.approx(float(binary(logits[:, ::2], truth[:, ::2])), abs=1e-6)
