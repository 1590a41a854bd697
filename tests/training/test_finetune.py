"""A model file from one's own labelled recordings, with any labels, as a user makes one."""

import csv
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import tiny
import toy

from intonate.corpora import own
from intonate.corpora.overlap import Split
from intonate.errors import CorpusError, SplitError
from intonate.recognizer.model_file import read_model
from intonate.recognizer.recognizer import load_model
from intonate.schema import Utterance
from intonate.training import finetune as finetune_module
from intonate.training import finetune_split
from intonate.training.evaluate import evaluate
from intonate.training.finetune import finetune

NAMES = {"angry": "frustrated customer", "sad": "ok"}


@pytest.fixture(scope="module")
def calls(tmp_path_factory):
    """Two labels of one's own, four speakers."""
    made = toy.corpus(tmp_path_factory.mktemp("made") / "corpus", takes=4, emotions=tuple(NAMES))
    root = tmp_path_factory.mktemp("calls")
    for emotion, label in NAMES.items():
        shutil.move(made / emotion, root / label)
    return root


@pytest.fixture(scope="module")
def model(calls, tmp_path_factory):
    out = tmp_path_factory.mktemp("out") / "mine.onnx"
    return out, finetune(calls, out)


def test_own_labels_become_a_model_that_predicts_and_evaluates(calls, model, tmp_path):
    out, text = model
    assert read_model(out).spec.labels == ("frustrated customer", "ok")
    clip = next((calls / "ok").rglob("*.wav"))
    assert set(load_model(out).stream(16_000)._spec.labels) == {"frustrated customer", "ok"}
    assert load_model(out).predict(clip).model == "mine"
    assert "tested on the speakers" in text
    table = tmp_path / "calls.csv"
    rows = [(path, path.relative_to(calls).parts[0]) for path in sorted(calls.rglob("*.wav"))]
    with table.open("w") as stream:
        csv.writer(stream).writerows([("recording", "Class"), *rows])
    assert evaluate(out, table, tmp_path / "report").is_file()


def test_the_card_tells_the_split_the_encoder_and_the_licence(model):
    out, _ = model
    card = out.with_suffix(".md").read_text()
    assert "## Scores on speakers it never heard" in card
    assert "the encoder was not changed" in card
    assert "The recordings: yours" in card
    assert "whose speakers it knows" in card


def test_a_random_split_says_so(calls, tmp_path):
    for path in calls.rglob("*.wav"):
        target = tmp_path / "flat" / path.relative_to(calls).parts[0] / f"{len(list(tmp_path.rglob('*.wav')))}.wav"
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    text = finetune(tmp_path / "flat", tmp_path / "flat.onnx")
    card = (tmp_path / "flat.md").read_text()
    assert "random (speakers overlap)" in text
    assert "## Scores on a random split" in card
    assert "never heard" not in card


def test_refitting_is_named_and_changes_the_file(calls, model, tmp_path, every_sound_is_speech):
    finetune(calls, tmp_path / "mine.onnx", refit=True)
    assert "fitted once more" in (tmp_path / "mine.md").read_text()
    assert "fitted once more" not in model[0].with_suffix(".md").read_text()
    before, after = (
        load_model(path).predict(next(calls.rglob("*.wav"))) for path in (model[0], tmp_path / "mine.onnx")
    )
    assert before.scores != after.scores
    specs = [read_model(path).spec for path in (model[0], tmp_path / "mine.onnx")]
    assert not [name for name in specs[1].unseen_speakers if name.startswith("own/")]
    tested = [name for name in specs[0].unseen_speakers if name.startswith("own/")]
    assert len(specs[1].heard_speakers) == len(specs[0].heard_speakers) + len(tested) > len(tested)


def test_labels_without_sense_are_near_chance(calls, tmp_path):
    paths = sorted(calls.rglob("*.wav"))
    labels = np.random.default_rng(3).permutation(np.arange(len(paths)) % 2)
    with (tmp_path / "t.csv").open("w") as stream:
        csv.writer(stream).writerows([("file", "label"), *((p, "ab"[k]) for p, k in zip(paths, labels, strict=True))])
    assert "Near chance" in finetune(tmp_path / "t.csv", tmp_path / "t.onnx")


def test_copies_are_on_one_side(calls):
    rows = own.read(calls).utterances
    folder = calls.parent / "copies"
    folder.mkdir(exist_ok=True)
    copies = []
    for number, row in enumerate(rows[:4]):
        sound, rate = soundfile.read(row.path)
        path = folder / f"{number}.wav"
        if number % 2:
            soundfile.write(path, 0.5 * np.r_[np.zeros(400), sound], rate)
        else:
            shutil.copy(row.path, path)
        copies.append(own._utterance(str(path), row.emotion, "someone else"))
    kept = finetune_split.without_copies([*rows, *copies])
    assert not {row.path for row in copies} & {row.path for row in kept.utterances}
    assert any("copies of recordings" in note for note in kept.notes)
    contradiction = own._utterance(copies[0].path, "another", "")
    kept = finetune_split.without_copies([*rows, contradiction])
    assert {row.path for row in kept.utterances} & {rows[0].path, contradiction.path} == set()
    with pytest.raises(CorpusError, match=r"no recording is left .* are copies .*, .*0\.wav; correct"):
        finetune_split.without_copies([rows[0], contradiction])
    again = own._utterance(rows[0].path, "another", "")
    with pytest.raises(CorpusError, match=r"left out: recordings that are listed several times with .* labels"):
        finetune_split.without_copies([rows[0], again, again])


def test_speakers_can_be_named_and_unknown_ones_are_refused(calls):
    rows = own.read(calls).utterances
    split = finetune_split.split(rows, ["ada", "ben"])
    assert {rows[row].speaker for row in split.test} == {"own/ada", "own/ben"}
    assert not {rows[row].speaker for row in split.train} & {"own/ada", "own/ben"}
    with pytest.raises(SplitError, match="no such speaker"):
        finetune_split.split(rows, ["nobody"])


def _in_parts(calls, root, part_of):
    """The calls in folders of their parts."""
    for row in own.read(calls).utterances:
        target = root.joinpath(part_of(row), *Path(row.path).parts[-3:])  # label, speaker, file
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(row.path, target)
    return own.read(root).utterances


@pytest.mark.parametrize("part", ["test", "Testing", "val"])
def test_folders_of_a_split_are_the_split(calls, tmp_path, part):
    root = tmp_path / "test" / "data"  # what lies above is no part
    rows = _in_parts(calls, root, lambda row: part if row.speaker.endswith(("ada", "ben")) else "train")
    split = finetune_split.split(rows, [])
    assert {rows[row].speaker for row in split.test} == {"own/ada", "own/ben"}
    assert (split.speakers_overlap, split.protocol) == (
        False,
        "speaker-disjoint: the folders' own test part, of other speakers",
    )


def test_a_column_of_the_split_is_the_split(calls, tmp_path):
    rows = own.read(calls).utterances
    lines = [f"{row.path},{row.raw_label},{row.speaker},{'test' if 'ada' in row.speaker else 'train'}" for row in rows]
    (tmp_path / "t.csv").write_text("\n".join(["file,label,speaker,split", *lines]) + "\n")
    found = own.read(tmp_path / "t.csv")
    split = finetune_split.split(found.utterances, [], found.parts)
    assert {found.utterances[row].speaker for row in split.test} == {"own/own/ada"}
    assert split.protocol == "speaker-disjoint: the table's own test part, of other speakers"
    held_out = finetune_split.split(found.utterances, ["own/ben"], found.parts)
    assert {found.utterances[row].speaker for row in held_out.test} == {"own/own/ben"}


def test_folders_of_a_split_that_share_speakers_make_a_random_one(calls, tmp_path):
    rows = _in_parts(calls, tmp_path, lambda row: "test" if row.path.endswith("1.wav") else "train")
    split = finetune_split.split(rows, [])
    parts = [Path(row.path).parts[len(tmp_path.parts)] for row in rows]
    assert {parts[row] for row in split.test} == {"test"}
    assert split.speakers_overlap
    assert "speakers are in both" in split.protocol
    # Who is not known may be anybody.
    rows = [replace(row, speaker="") if part == "test" else row for row, part in zip(rows, parts, strict=True)]
    assert "who speaks is not known" in finetune_split.split(rows, []).protocol


def test_all_broken_files_are_named_at_once(calls, tmp_path):
    shutil.copytree(calls, tmp_path / "calls")
    for name in ("a.wav", "b.wav"):
        (tmp_path / "calls/ok/ada" / name).write_bytes(b"no sound")
    with pytest.raises(ValueError, match=r"a\.wav.*b\.wav"):
        finetune(tmp_path / "calls", tmp_path / "x.onnx")


def test_a_label_with_too_few_recordings_is_refused(calls, tmp_path):
    shutil.copytree(calls, tmp_path / "calls")
    (tmp_path / "calls/rare/ada").mkdir(parents=True)
    soundfile.write(tmp_path / "calls/rare/ada/1.wav", toy.voice("happy", 1, np.random.default_rng(9)), 16_000)
    with pytest.raises(CorpusError, match="rare"):
        finetune(tmp_path / "calls", tmp_path / "x.onnx")


def test_a_session_of_the_page(tmp_path):
    pieces = [("happy" if k % 2 else "sad") for k in range(24)]
    sound = np.concatenate([tiny.speech(2.0, seed=k) for k in range(len(pieces))])
    soundfile.write(tmp_path / "session 1.wav", sound, 16_000)
    labels = [{"start": 2 * k, "end": 2 * k + 2, "label": name} for k, name in enumerate([*pieces[:-1], "silence"])]
    saved = {"format": "intonate-labels", "version": 1, "file": "session 1", "labels": labels}
    (tmp_path / "session 1 labels.json").write_text(json.dumps(saved))
    text = finetune(tmp_path / "session 1 labels.json", tmp_path / "mine.onnx")
    assert "23 pieces of session 1.wav" in text
    assert "1 pieces without speech" in text
    assert read_model(tmp_path / "mine.onnx").spec.labels == ("happy", "sad")


def test_a_speaker_whom_the_base_never_heard_is_heard_in_ones_own_recordings():
    rows = [Utterance("a.wav", name, name, f"own/ravdess/{who}", "own") for who in ("03", "07") for name in ("x", "y")]
    base = replace(tiny.spec(), corpora=("ravdess",), unseen_speakers=("ravdess/03", "ravdess/07"))
    split = Split("speaker-disjoint", np.arange(2), np.arange(0), np.arange(2, 4), "")
    choice = finetune_module.Choice(0, 1.0, 0.5, np.eye(2), 1)
    spec = finetune_module._spec(base, "mine", ("x", "y"), "own:x|y", choice, np.arange(2), rows, split)
    assert spec.unseen_speakers == ("own/ravdess/07", "ravdess/07")
