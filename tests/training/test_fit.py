"""`train`, from a recipe to a run folder: stopped and gone on, refused, repeated."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import toy
import yaml
from filelock import FileLock

from intonate.errors import RecipeError, SplitError
from intonate.evaluation import table
from intonate.recognizer.recognizer import load_model
from intonate.schema import Utterance
from intonate.training import network, provenance, sources
from intonate.training.fit import train
from intonate.training.recipe import load

ROOT = Path(__file__).parents[2]
FOREST = {
    "inputs": {"voice": {"front_end": "voice_functionals"}},
    "model": {"name": "random_forest", "params": {"trees": 10}},
}


def weights(path: Path) -> dict[str, np.ndarray]:
    graph = onnx.load(str(path)).graph
    return {entry.name: onnx.numpy_helper.to_array(entry) for entry in graph.initializer}


def assert_same_weights(one: Path, other: Path) -> None:
    first, second = weights(one), weights(other)
    assert first.keys() == second.keys()
    for name, values in first.items():
        np.testing.assert_array_equal(values, second[name], err_msg=name)


@pytest.fixture(scope="module")
def run(toy_corpus, tmp_path_factory):
    """A finished run of three epochs."""
    root = tmp_path_factory.mktemp("run")
    training = {"epochs": 3, "batch_size": 8, "average": 0.5}
    return train(toy.recipe(root / "toy.yaml", toy_corpus, training=training), runs=root / "runs")


def test_the_run_folder_holds_all_that_is_needed(run, toy_corpus):
    fold = run / "fold1-seed0"
    assert sorted(path.name for path in fold.iterdir()) == ["model.onnx", "predictions.csv", "run.json"]
    assert (run / "report").is_dir()
    record = json.loads((fold / "run.json").read_text())
    assert record["epochs"] == 3
    assert record["test_clips"] == 12
    assert record["onnx_difference"] < 1e-3
    assert record["packages"]["torch"]
    assert set(record["test_uar"]) == {"clip alone", "clip + 5", "speaker-normalised"}
    spec = load_model(fold / "model.onnx").spec
    assert spec.labels == ("angry", "happy", "neutral", "sad")
    assert spec.recipe_hash == record["recipe_hash"]
    assert spec.licence == "CC0-1.0"
    assert len(spec.unseen_speakers) == 2


def test_it_says_nothing_of_the_machine(run, toy_corpus, monkeypatch):
    secrets = [str(toy_corpus), str(Path.home()), str(ROOT), os.environ.get("PATH", "/usr/bin")]
    for path in run.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert not [secret for secret in secrets if secret.encode() in content], path


def test_the_kept_recipe_trains_again(run, toy_corpus, tmp_path):
    again = train(run / "recipe.yaml", [f"data.corpora.folder={toy_corpus}"], runs=tmp_path)
    assert_same_weights(run / "fold1-seed0" / "model.onnx", again / "fold1-seed0" / "model.onnx")


def test_a_finished_run_is_not_trained_again(run, toy_corpus, tmp_path):
    before = (run / "fold1-seed0" / "run.json").stat().st_mtime_ns
    train(run / "recipe.yaml", [f"data.corpora.folder={toy_corpus}"], runs=run.parent)
    assert (run / "fold1-seed0" / "run.json").stat().st_mtime_ns == before


def test_another_recipe_is_refused(run, toy_corpus):
    with pytest.raises(RecipeError, match="another recipe"):
        train(run / "recipe.yaml", [f"data.corpora.folder={toy_corpus}", "training.epochs=4"], runs=run.parent)


def test_a_recipe_that_failed_does_not_keep_the_name(toy_corpus, tmp_path):
    recipe = toy.recipe(tmp_path / "toy.yaml", toy_corpus, **FOREST)
    with pytest.raises(SplitError, match="is not known"):
        train(recipe, ["data.split=random"], runs=tmp_path)
    run = train(recipe, runs=tmp_path)
    assert (run / "fold1-seed0" / "run.json").exists()


@pytest.mark.parametrize("has_backup", [False, True])
def test_copies_under_other_names_are_left_out(has_backup, toy_corpus, tmp_path, capsys):
    """A backup beside the recordings: a random split puts one of the two on either side."""
    corpus = tmp_path / "corpus"
    shutil.copytree(toy_corpus, corpus)
    if has_backup:
        for emotion in [*corpus.iterdir()]:
            shutil.copytree(emotion, tmp_path / "backup" / emotion.name)
            shutil.copytree(tmp_path / "backup" / emotion.name, emotion / "backup")
    data = {"corpora": {"folder": str(corpus)}, "labels": "4", "split": "random-80-20", "cache": ""}
    train(toy.recipe(tmp_path / "toy.yaml", corpus, data=data, **FOREST), runs=tmp_path / "runs")
    words = capsys.readouterr()
    said = " ".join((words.out + words.err).split())
    assert ("for they are copies of clips that are validated or tested on" in said) is has_backup


def test_other_data_is_refused(run, toy_corpus, tmp_path):
    """One clip fewer: its fit would stand in one report with those to all clips."""
    fewer, kept = tmp_path / "fewer", tmp_path / "runs" / run.name
    shutil.copytree(toy_corpus, fewer)
    shutil.copytree(run, kept)
    next(path for path in sorted(fewer.rglob("*")) if path.is_file()).unlink()
    recipe_before = (kept / "recipe.yaml").read_text()
    for seeds in ("[0, 1]", "[0]"):  # something is left to train, or nothing
        with pytest.raises(RecipeError, match="was trained on other data: files, labels or words have changed since"):
            train(run / "recipe.yaml", [f"data.corpora.folder={fewer}", f"training.seeds={seeds}"], runs=kept.parent)
    assert not (kept / "fold1-seed1").exists()
    assert (kept / "recipe.yaml").read_text() == recipe_before


def test_the_same_names_with_other_sounds_are_refused(run, toy_corpus, tmp_path):
    other, kept = tmp_path / "other", tmp_path / "runs" / run.name
    shutil.copytree(toy_corpus, other)
    shutil.copytree(run, kept)
    first, second = sorted(other.rglob("*.wav"))[:2]
    shutil.copy(first, second)
    with pytest.raises(RecipeError, match="fold1-seed0 was trained on other data"):
        train(run / "recipe.yaml", [f"data.corpora.folder={other}", "training.seeds=[0, 1]"], runs=kept.parent)


@pytest.mark.parametrize(
    ("labels", "says"),
    [
        (
            "own:angry|hapy|neutral|sad",
            "data.labels: no clip has the label 'hapy'; did you mean 'happy'? (known: happy)",
        ),
        ("own:angry|happy|neutral|sad|bored", "data.labels: no clip has the label 'bored'; leave it out"),
        ("own:angry", "data.labels: 'angry' alone tells nothing apart; expected two labels at least"),
    ],
)
def test_labels_without_clips_are_refused(labels, says, toy_corpus, tmp_path):
    recipe = toy.recipe(tmp_path / "toy.yaml", toy_corpus, **FOREST)
    with pytest.raises(RecipeError) as error:
        train(recipe, [f"data.labels={labels}"], runs=tmp_path / "runs")
    assert str(error.value) == says


def test_clips_whose_label_the_recipe_does_not_list_are_told(toy_corpus, tmp_path, capsys):
    recipe = load(toy.recipe(tmp_path / "toy.yaml", toy_corpus, **FOREST)).having({"data.labels": "own:angry|sad"})
    rows = [Utterance("a.wav", label, label, "folder/1", "folder") for label in ("angry", "happy", "sad")]
    assert [row.emotion for row in sources.usable(recipe, rows)[1]] == ["angry", "sad"]
    assert "Left out, for the model has no such label: 1 happy." in " ".join(capsys.readouterr().err.split())


def test_words_are_data_of_what_reads_them(toy_corpus, tmp_path):
    recipe = load(toy.recipe(tmp_path / "toy.yaml", toy_corpus))
    path = next(toy_corpus.rglob("*.wav"))
    reads = recipe.having({"inputs": {"ids": {"front_end": "tokens"}}})
    silent, said = [
        [Utterance(str(path), "sad", "sad", "folder/1", "folder", text=text)] for text in ("", "kids are talking")
    ]
    assert provenance.manifest_hash(silent, recipe) == provenance.manifest_hash(said, recipe)
    assert provenance.manifest_hash(silent, reads) != provenance.manifest_hash(said, reads)


def test_two_do_not_train_in_one_folder(run, toy_corpus):
    with FileLock(run / ".lock"), pytest.raises(RecipeError, match="another process trains in"):
        train(run / "recipe.yaml", [f"data.corpora.folder={toy_corpus}"], runs=run.parent)
    train(run / "recipe.yaml", [f"data.corpora.folder={toy_corpus}"], runs=run.parent)


KILLED = """
import os, signal, sys
from intonate.training import network
from intonate.training.fit import train

class Killer(network.Classifier):
    def on_train_batch_start(self, batch, index):
        if self.current_epoch == 2 and index == 1:
            os.kill(os.getpid(), signal.SIGKILL)

network.Classifier = Killer
train(sys.argv[1], runs=sys.argv[2])
"""


@pytest.mark.slow
def test_a_killed_training_goes_on_as_if_never_stopped(toy_corpus, tmp_path):
    training = {"epochs": 4, "batch_size": 8, "average": 0.5, "keep": "last"}
    recipe = toy.recipe(tmp_path / "toy.yaml", toy_corpus, training=training)
    whole = train(recipe, runs=tmp_path / "whole") / "fold1-seed0"
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    words = [sys.executable, "-c", KILLED, str(recipe), str(tmp_path / "killed")]
    killed = subprocess.run(words, env=environment, capture_output=True, timeout=240)
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    fold = tmp_path / "killed" / "toy" / "fold1-seed0"
    assert (fold / "checkpoints" / "last.ckpt").exists()
    assert not (fold / "model.onnx").exists()
    train(recipe, runs=tmp_path / "killed")
    assert_same_weights(whole / "model.onnx", fold / "model.onnx")
    records = [json.loads((folder / "run.json").read_text()) for folder in (whole, fold)]
    for key in ("epochs", "validation_uar", "test_uar"):
        assert records[0][key] == records[1][key], key
    assert not (fold / "checkpoints").exists()


def test_batches_that_add_up_are_one_step(toy_corpus, tmp_path):
    """Two batches of 6 and one of 12: the same steps."""
    learnt = []
    for name, size, accumulate in (("two", 6, 2), ("one", 12, 1)):
        training = {
            "epochs": 1,
            "batch_size": size,
            "accumulate": accumulate,
            "average": 0,
            "mixup": 0,
            "balance": False,
        }
        inputs = {"features": toy.VOICE["voice"] | {"normalise": {"kind": "corpus"}}}
        model = {"name": "mlp_network", "params": {"layers": [8], "dropout": 0}}
        path = tmp_path / f"{name}.yaml"
        recipe = toy.recipe(path, toy_corpus, name=name, inputs=inputs, model=model, training=training)
        run = train(recipe, runs=tmp_path)
        learnt.append(weights(run / "fold1-seed0" / "model.onnx"))
    assert learnt[0].keys() == learnt[1].keys()
    for name, values in learnt[0].items():
        np.testing.assert_allclose(values, learnt[1][name], atol=2e-5, err_msg=name)


def test_batches_of_one_are_for_networks_without_batch_normalisation(toy_corpus, tmp_path):
    training = {"epochs": 1, "batch_size": 1}
    frames = {"front_end": "mfcc", "params": {"coefficients": 8}}
    gru = {"inputs": {"frames": frames}, "model": {"name": "recurrent", "params": {"width": 4}}}
    train(toy.recipe(tmp_path / "gru.yaml", toy_corpus, name="gru", training=training, **gru), runs=tmp_path / "runs")
    with pytest.raises(RecipeError, match=r"training\.batch_size: .*batch normalisation.* expected 2 or more"):
        train(toy.recipe(tmp_path / "toy.yaml", toy_corpus, training=training), runs=tmp_path / "runs")


@pytest.mark.parametrize(("steps", "epochs"), [(1, 1), (14, 5)])
def test_steps_are_made_in_whole_epochs(steps, epochs, toy_corpus, tmp_path):
    """24 clips train, in batches of 8: three steps an epoch."""
    inputs = {"features": toy.VOICE["voice"] | {"normalise": {"kind": "corpus"}}}
    model = {"name": "mlp_network", "params": {"layers": [8], "dropout": 0}}
    training = {"plain": True, "steps": steps, "batch_size": 8, "epochs": 3}
    recipe = toy.recipe(tmp_path / "toy.yaml", toy_corpus, inputs=inputs, model=model, training=training)
    record = json.loads((train(recipe, runs=tmp_path) / "fold1-seed0" / "run.json").read_text())
    assert record["epochs"] == epochs


def test_a_rate_for_an_encoder_that_is_not_there_is_refused_before_anything_is_heard(toy_corpus, tmp_path):
    recipe = toy.recipe(tmp_path / "toy.yaml", toy_corpus, training={"encoder_learning_rate": 1e-5})
    with pytest.raises(RecipeError, match="compact has none; set it to 0"):
        train(recipe, runs=tmp_path)


class StopError(Exception):
    pass


@pytest.fixture
def fitted(toy_corpus, tmp_path, monkeypatch):
    """A function that trains and gives the weights and facts, without writing a file; it can stop on the way."""

    def fit(runs, stop_at=None, **options):
        epochs = []

        class Watched(network.Classifier):
            def on_train_batch_start(self, batch, index):
                if index == 1:
                    epochs.append(self.current_epoch)
                    if self.current_epoch == stop_at:
                        raise StopError

        def instead(original):
            def keep(*words):
                kept.append(original(*words))
                raise StopError

            return keep

        kept: list = []
        with monkeypatch.context() as patch:
            patch.setattr(network, "fit", instead(network.fit))
            patch.setattr(network, "Classifier", Watched)
            training = {"epochs": 3, "batch_size": 8, **options}
            with pytest.raises(StopError):
                train(toy.recipe(tmp_path / "toy.yaml", toy_corpus, training=training), runs=tmp_path / runs)
        return epochs, *(kept[0] if kept else (None, None))

    return fit


def assert_same_network(one, other):
    second = other.state_dict()
    for name, value in one.state_dict().items():
        assert value.equal(second[name]), name


OPTIONS = (
    {"average": 0.5, "keep": "last"},
    {"average": 0.5, "keep": "best"},
    {"average": 0, "keep": "last", "patience": 9},
    {"average": 0, "keep": "last", "halve_after": 1, "optimizer": "adamax"},
)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_a_stopped_training_goes_on_with_the_epoch_it_was_in(fitted, options):
    epochs, whole, facts = fitted("whole", **options)
    assert epochs == [0, 1, 2]
    assert fitted("stopped", stop_at=1, **options)[0] == [0, 1]
    epochs, resumed, resumed_facts = fitted("stopped", **options)
    assert epochs == [1, 2]
    assert_same_network(whole, resumed)
    assert facts == resumed_facts


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_a_training_stopped_after_its_last_epoch_is_not_repeated(fitted, options):
    _, whole, facts = fitted("runs", **options)
    epochs, again, again_facts = fitted("runs", **options)
    assert epochs == []
    assert_same_network(whole, again)
    assert facts == again_facts


def test_the_missing_folds_are_trained(toy_corpus, tmp_path):
    recipe = toy.recipe(tmp_path / "toy.yaml", toy_corpus, **FOREST)
    run = train(recipe, ["data.folds=[2]"], runs=tmp_path / "runs")
    done = (run / "fold2-seed0" / "run.json").stat().st_mtime_ns
    train(recipe, ["data.folds=[]", "training.seeds=[0, 1]"], runs=tmp_path / "runs")
    assert len(list(run.glob("fold*-seed*/run.json"))) == 8
    assert (run / "fold2-seed0" / "run.json").stat().st_mtime_ns == done


def test_seeds_differ_and_repeat(toy_corpus, tmp_path):
    recipe = toy.recipe(tmp_path / "toy.yaml", toy_corpus, training={"epochs": 1, "batch_size": 8, "seeds": [0, 1]})
    one, other = (train(recipe, runs=tmp_path / name) for name in ("one", "other"))
    for seed in (0, 1):
        assert_same_weights(*(run / f"fold1-seed{seed}" / "model.onnx" for run in (one, other)))
    first, second = (weights(one / f"fold1-seed{seed}" / "model.onnx") for seed in (0, 1))
    assert any((first[name] != second[name]).any() for name in first if first[name].dtype == np.float32)


def test_what_the_training_says_is_what_the_recognizer_answers(run, toy_corpus):
    """The kept table, clip alone, beside `predict` on the same files."""
    recognizer = load_model(run / "fold1-seed0" / "model.onnx")
    rows = table.read(run / "fold1-seed0" / "predictions.csv").where(statistics="clip alone")
    assert len(rows.file) == 12
    answers = [recognizer.predict(toy_corpus / file.removeprefix("folder/")) for file in rows.file]
    # Where the voice activity takes the tones for speech.
    heard = [(place, answer) for place, answer in enumerate(answers) if answer.scores]
    assert len(heard) >= 3
    for place, answer in heard:
        for label, probability in zip(rows.labels, rows.probabilities[place], strict=True):
            assert answer.scores[label] == pytest.approx(probability, abs=1e-5)


def test_a_class_that_the_training_speakers_lack_keeps_its_place(tmp_path):
    data = toy.corpus(tmp_path / "data")
    for take in (data / "happy").glob("*/*"):
        if "dan" not in take.name:
            take.unlink()
    raw = yaml.safe_load(toy.recipe(tmp_path / "toy.yaml", data, **FOREST).read_text())
    for fold in range(1, 5):
        raw["data"]["folds"] = [fold]
        (tmp_path / "toy.yaml").write_text(yaml.safe_dump(raw))
        run = train(tmp_path / "toy.yaml", runs=tmp_path / "runs")
    seen = [load_model(run / f"fold{fold}-seed0").spec for fold in range(1, 5)]
    assert {spec.labels for spec in seen} == {("angry", "happy", "neutral", "sad")}


def test_members_are_fits_of_several_seeds_in_one_graph(toy_corpus, tmp_path):
    head = {
        "inputs": {"voice": {"front_end": "voice_functionals"}},
        "model": {"name": "head", "params": {"units": 8}},
    }
    options = {"epochs": 1, "batch_size": 8, "average": 0, "alone": 0.5}
    whole = train(
        toy.recipe(tmp_path / "a.yaml", toy_corpus, **head, training={**options, "members": 2}), runs=tmp_path
    )
    alone = toy.recipe(tmp_path / "b.yaml", toy_corpus, **head, name="alone", training={**options, "seeds": [0, 1]})
    singles = [train(alone, runs=tmp_path) / f"fold1-seed{seed}" for seed in (0, 1)]

    def logits(folder):
        session = onnxruntime.InferenceSession(str(folder / "model.onnx"))
        (entry,) = session.get_inputs()
        rows = np.random.default_rng(0).normal(size=(3, entry.shape[1])).astype(np.float32)
        return session.run(None, {entry.name: rows})[0]

    np.testing.assert_allclose(logits(whole / "fold1-seed0"), sum(map(logits, singles)), atol=1e-4)
    assert json.loads((whole / "fold1-seed0" / "run.json").read_text())["epochs"] == 1


@pytest.mark.parametrize(
    ("model", "training", "sentence"),
    [
        ({"name": "compact"}, {"members": 2}, "several of compact cannot be made one network"),
        ({"name": "head"}, {"members": 2, "keep_weights": True}, "set training.members to 1"),
    ],
)
def test_members_that_cannot_be_are_refused_before_anything_is_heard(model, training, sentence, toy_corpus, tmp_path):
    path = toy.recipe(tmp_path / "toy.yaml", toy_corpus, model=model, training=training)
    with pytest.raises(RecipeError, match=sentence):
        network.check_model(load(path))
