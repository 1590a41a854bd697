"""What goes wrong every day gets one sentence, and leaves nothing behind."""

import errno
import shutil
import signal
import sys
from pathlib import Path

import pytest
import toy

from intonate.cli import main
from intonate.errors import ModelError, RecipeError
from intonate.export.card import _split_headline, _split_sentence
from intonate.recognizer.builtin import path_of
from intonate.training import provenance, sources
from intonate.training.fit_tables import _portable_path
from intonate.training.recipe import load


def run(monkeypatch, *args):
    monkeypatch.setattr(sys, "argv", ["intonate", *map(str, args)])
    with pytest.raises(SystemExit) as done:
        main()
    return done.value.code


@pytest.mark.parametrize("name", ["../evil", "/tmp/evil", "a/b", "..", ".hidden", ""])
def test_a_name_that_leads_elsewhere_is_refused(name, toy_corpus, tmp_path):
    with pytest.raises(RecipeError, match="name"):
        load(toy.recipe(tmp_path / "r.yaml", toy_corpus, name=name))


def test_a_precision_may_be_a_number(toy_corpus, tmp_path):
    recipe = toy.recipe(tmp_path / "r.yaml", toy_corpus)
    assert load(recipe, ["training.precision=32"]).training.precision == "32"
    with pytest.raises(RecipeError, match="precision"):
        load(recipe, ["training.precision=16"])


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device", "runs/x"), KeyboardInterrupt()])
def test_a_full_disk_and_ctrl_c_are_no_tracebacks(error, monkeypatch, capsys, tmp_path):
    def fails(*_args, **_more):
        raise error

    monkeypatch.setattr("intonate.training.fit.train", fails)
    code = run(monkeypatch, "train", "random-forest")
    told = capsys.readouterr().err
    assert code == (130 if isinstance(error, KeyboardInterrupt) else 1)
    assert told == ("" if code == 130 else "intonate: runs/x: no space left on device\n")


def test_a_folder_as_a_recipe_and_a_missing_one_are_told_at_once(monkeypatch, capsys, tmp_path):
    assert run(monkeypatch, "train", tmp_path) == 1
    assert "is a folder" in capsys.readouterr().err
    assert run(monkeypatch, "train", "no-such-recipe") == 1
    assert "does not exist" in capsys.readouterr().err


def test_a_run_folder_is_a_model(tmp_path, tiny_model):
    for fold in (2, 1):
        place = tmp_path / f"fold{fold}-seed0"
        place.mkdir()
        shutil.copy(tiny_model, place / "model.onnx")
    assert path_of(tmp_path) == tmp_path / "fold1-seed0" / "model.onnx"
    shutil.rmtree(tmp_path / "fold1-seed0")
    assert path_of(tmp_path).parent.name == "fold2-seed0"
    shutil.rmtree(tmp_path / "fold2-seed0")
    with pytest.raises(ModelError, match=r"without a model\.onnx"):
        path_of(tmp_path)


def test_a_text_checkpoint_without_a_tokenizer_is_refused(tmp_path):
    import small_encoders

    from intonate.models.fusion import SpeechTextFusion

    found = small_encoders.checkpoints(tmp_path)
    for pattern in ("tokenizer*", "vocab*"):
        for path in Path(found["text"]).glob(pattern):
            path.unlink()
    with pytest.raises(ModelError, match="has no tokenizer"):
        SpeechTextFusion.tokenizer(**found)


def test_other_sound_under_the_same_name_is_other_data(toy_corpus, tmp_path):
    folder = tmp_path / "corpus"
    shutil.copytree(toy_corpus, folder)
    recipe = load(toy.recipe(tmp_path / "r.yaml", folder))
    before = provenance.manifest_hash(sources.read(recipe), recipe)
    assert before == provenance.manifest_hash(sources.read(recipe), recipe)
    path = sorted(folder.rglob("*.wav"))[0]
    path.write_bytes(path.read_bytes()[:44] + path.read_bytes()[44:][::-1])
    assert provenance.manifest_hash(sources.read(recipe), recipe) != before


def test_files_of_a_manifest_keep_their_folders(toy_corpus, tmp_path):
    data = toy.with_words(tmp_path / "m.csv", toy_corpus)
    recipe = load(toy.recipe(tmp_path / "r.yaml", toy_corpus, data=data))
    a, b = (_portable_path(str(tmp_path / name / "1.wav"), recipe) for name in "ab")
    assert (a, b) == ("a/1.wav", "b/1.wav")


def test_the_card_of_a_random_split_says_so():
    record = {"split": "random (speakers overlap)"}
    assert "never heard" not in _split_headline(record) + _split_sentence(record)
    assert "speakers overlap" in _split_headline(record)
    assert "never heard" in _split_headline({"split": "pooled"})


def test_ctrl_c_in_a_fit_exits_as_ctrl_c_and_says_how_it_goes_on(toy_corpus, tmp_path, monkeypatch, capsys):
    def interrupted(*_):
        raise KeyboardInterrupt

    path = toy.recipe(tmp_path / "toy.yaml", toy_corpus, training={"epochs": 1})
    monkeypatch.chdir(tmp_path)
    handler = signal.getsignal(signal.SIGINT)
    with monkeypatch.context() as patch:
        patch.setattr("intonate.training.module.Classifier.training_step", interrupted)
        assert run(patch, "train", path) == 130
    assert "the same command goes on" in capsys.readouterr().err
    assert signal.getsignal(signal.SIGINT) is handler
    assert not list(tmp_path.glob("runs/toy/fold*"))


def test_a_refused_training_leaves_no_folder(toy_corpus, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    path = toy.recipe(tmp_path / "toy.yaml", toy_corpus)
    assert run(monkeypatch, "train", path, "--set", "data.manifest=missing.csv") == 1
    assert "missing.csv does not exist" in capsys.readouterr().err
    assert not list((tmp_path / "runs").iterdir())
