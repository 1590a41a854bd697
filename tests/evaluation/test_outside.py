"""Predictions of other programs: what is guessed, what is said about the rest, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import prediction_tables
import pytest

from intonate.errors import CorpusError, LabelError
from intonate.evaluation import outside
from intonate.evaluation.bootstrap import measure
from intonate.evaluation.protocol import scores


@pytest.fixture
def rows():
    return prediction_tables.utterances("emodb", 4, 2)


def write(path: Path, lines: list[str]) -> Path:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_bare_labels_are_scored_and_the_rest_is_told(rows, tmp_path):
    spelling = {"happy": "Happiness", "sad": "Sadness"}
    lines = ["file,prediction,comment"]
    lines += [f"elsewhere/{row.path},{spelling.get(row.emotion, row.emotion)},x" for row in rows[2:]]
    lines += ["stranger.wav,happy,x", f"{rows[2].path},sad,x"]
    reading = outside.read(write(tmp_path / "theirs.csv", lines), rows)
    assert reading.columns == {"file": "file", "prediction": "label"}
    assert len(reading.table) == len(rows) - 2
    assert measure(reading.table, "uar") == 1.0
    assert np.isnan(measure(reading.table, "auc"))
    notes = " ".join(reading.notes)
    for words in ("not used: comment", "stranger.wav", "repeated", "2 of the manifest without a prediction"):
        assert words in notes


def test_scores_give_what_labels_cannot(rows, tmp_path):
    labels = ("angry", "disgust", "fear", "happy", "neutral", "sad")
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(len(rows), 6)) + 3 * np.array([[row.emotion == name for name in labels] for row in rows])
    lines = ["path;" + ";".join(f"prob_{name}" for name in labels)]
    lines += [
        f"{row.path};" + ";".join(f"{value:.4f}" for value in values) for row, values in zip(rows, logits, strict=True)
    ]
    reading = outside.read(write(tmp_path / "theirs.csv", lines), rows)
    assert set(reading.table.labels) == set(labels)
    np.testing.assert_allclose(reading.table.probabilities.sum(axis=1), 1)
    assert 0.5 < measure(reading.table, "auc") <= 1
    assert any("softmax" in note for note in reading.notes)
    expected = np.array(labels)[logits.argmax(axis=1)]
    order = {row.path: place for place, row in enumerate(rows)}
    assert all(
        expected[order[file]] == label for file, label in zip(reading.table.file, reading.table.label, strict=True)
    )


def test_base_names_that_many_share_are_matched_by_more_of_the_path(rows, tmp_path):
    assert len({Path(row.path).name for row in rows}) < len(rows)
    whole = write(
        tmp_path / "whole.csv",
        ["file,label", *(f"{Path(row.path).with_suffix('.flac')},{row.emotion}" for row in rows)],
    )
    assert len(outside.read(whole, rows).table) == len(rows)
    bare = write(tmp_path / "bare.csv", ["file,label", *(f"{Path(row.path).name},{row.emotion}" for row in rows)])
    with pytest.raises(CorpusError, match="could be several clips"):
        outside.read(bare, rows)


def test_names_are_mapped_by_hand(rows, tmp_path):
    lines = ["clip_id,guess", *(f"{row.path},{'hpy' if row.emotion == 'happy' else row.emotion}" for row in rows)]
    path = write(tmp_path / "theirs.csv", lines)
    with pytest.raises(CorpusError, match="--map COLUMN=file"):
        outside.read(path, rows)
    mapping = {"clip_id": "file", "guess": "label", "hpy": "happy"}
    assert measure(outside.read(path, rows, mapping=mapping).table, "accuracy") == 1.0
    with pytest.raises(CorpusError, match="no column and no label 'gess'"):
        outside.read(path, rows, mapping=mapping | {"gess": "label"})


def test_labels_can_be_counted_together(rows, tmp_path):
    path = write(tmp_path / "theirs.csv", ["file,label", *(f"{row.path},negative" for row in rows)])
    with pytest.raises(LabelError, match="--map THEIRS=OURS"):
        outside.read(path, rows)
    table = outside.read(path, rows, merge_name="valence").table
    assert measure(table, "uar") == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["file,label"], "have no rows"),
        (["file,note", "a.wav,x"], "neither a column of labels"),
        (["file,happy,sad", "a.wav,0.5,much"], "1 has|not a number|none of the"),
        (["file,label", "a.wav"], "has 1 fields, expected 2"),
        (["file,label", "nowhere.wav,happy"], "none of the 1 rows"),
    ],
)
def test_what_cannot_be_used_is_one_sentence(rows, tmp_path, lines, message):
    with pytest.raises(CorpusError, match=message):
        outside.read(write(tmp_path / "theirs.csv", lines), rows)


def test_the_truth_may_be_in_the_same_file(tmp_path):
    path = write(tmp_path / "own.csv", ["file,truth,prediction", "a.wav,happy,happy", "b.wav,sad,happy"])
    table = outside.read_with_truth(path).table
    assert measure(table, "accuracy") == 0.5
    with pytest.raises(CorpusError, match="no column of the truth"):
        outside.read_with_truth(write(tmp_path / "none.csv", ["file,prediction", "a.wav,happy"]))


def test_an_empty_answer_is_none(rows, tmp_path):
    lines = ["file,prediction", *(f"{row.path},{row.emotion if place > 2 else ''}" for place, row in enumerate(rows))]
    lines.append(f"elsewhere/{Path(rows[0].path).parent.name}/{Path(rows[0].path).name},happy")
    reading = outside.read(write(tmp_path / "theirs.csv", lines), rows)
    assert "" not in reading.table.labels
    assert len(reading.table) == len(rows) - 3
    assert any(note.startswith("3 of the manifest without a prediction") for note in reading.notes)
    nothing = write(tmp_path / "nothing.csv", ["file,prediction", *(f"{row.path}," for row in rows)])
    with pytest.raises(CorpusError, match="has a label"):
        outside.read(nothing, rows)


def test_an_unknown_spelling_makes_no_scores_of_labels(rows, tmp_path):
    lines = [
        "file,prediction",
        *(f"{row.path},{row.emotion if place > 2 else 'joyyy'}" for place, row in enumerate(rows)),
    ]
    (condition,) = scores(outside.read(write(tmp_path / "theirs.csv", lines), rows).table, repeats=20)["conditions"]
    for view in (condition["open"], condition["restricted"]):
        assert view["overall"]["uar"]["value"] > 0.9
        assert all(view["overall"][name]["value"] is None for name in ("auc", "ece", "brier", "nll"))


@pytest.mark.parametrize("times", [("0 days 00:00:00.000000", "0 days 00:00:03.500000"), ("00:00:00", "00:00:03.5")])
def test_starts_are_read_as_a_manifest_has_them(rows, tmp_path, times):
    pieces = [replace(rows[0], start_s=start_s, emotion=emotion) for start_s, emotion in ((0.0, "sad"), (3.5, "happy"))]
    lines = [f"{rows[0].path},{time},{row.emotion}" for time, row in zip(times, pieces, strict=True)]
    table = outside.read(write(tmp_path / "theirs.csv", ["file,start,prediction", *lines]), pieces).table
    assert table.start.tolist() == [0.0, 3.5]
    assert measure(table, "accuracy") == 1.0
    truth = write(tmp_path / "truth.csv", ["file,start_s,prediction,truth", *(f"{line},sad" for line in lines)])
    assert outside.read_with_truth(truth).table.start.tolist() == [0.0, 3.5]
    with pytest.raises(CorpusError, match=r"row 2 of .*theirs\.csv: start is 'soon'; expected a number"):
        outside.read(write(tmp_path / "theirs.csv", ["file,start,prediction", "a.wav,soon,sad"]), pieces)


def test_several_labels_are_no_scores_of_one_choice(rows, tmp_path):
    several = write(tmp_path / "p.csv", ["file,label,guess,labels,happy,sad", "a.wav,sad,sad,sad; happy,0.6,0.9"])
    with pytest.raises(CorpusError, match="has a column labels, of a model that gives several at once"):
        outside.read(several, rows)
    one = write(tmp_path / "one.csv", ["file,prediction", f"{rows[0].path},happy"])
    with pytest.raises(CorpusError, match="1 rows of the manifest have several labels or none"):
        outside.read(one, [replace(rows[0], emotion="", labels=("happy", "sad")), *rows[1:]])


@pytest.mark.parametrize("name", ["predicted_emotion", "preds", "output", "hypothesis", "Prediction"])
def test_what_is_called_an_answer_goes_before_what_may_be_the_truth(rows, tmp_path, name):
    lines = [f"file,label,emotion,pred_score,{name}"]
    lines += [f"{row.path},{row.emotion},{row.emotion},0.9,sad" for row in rows]
    path = write(tmp_path / "theirs.csv", lines)
    reading = outside.read(path, rows)
    assert reading.columns == {"file": "file", name: "label"}
    assert set(reading.table.label.tolist()) == {"sad"}
    assert outside.read_with_truth(path).table.label.tolist() == reading.table.label.tolist()


def test_the_truth_is_not_taken_for_the_answers(rows, tmp_path):
    lines = ["file,label,rater", *(f"{row.path},{row.emotion},sad" for row in rows)]
    path = write(tmp_path / "theirs.csv", lines)
    with pytest.raises(CorpusError, match=r"'label' is the truth in every row, and 'rater' .*--map rater=label, or"):
        outside.read(path, rows)
    assert measure(outside.read(path, rows, mapping={"rater": "label"}).table, "uar") < 0.5
    assert measure(outside.read(path, rows, mapping={"label": "label"}).table, "uar") == 1.0
    # Whoever is always right may have the truth, or anything else, beside the answers.
    same = [f"{row.path},{row.emotion},{row.emotion},quiet" for row in rows]
    assert len(outside.read(write(tmp_path / "same.csv", ["file,label,truth,note", *same]), rows).table) == len(rows)


@pytest.mark.parametrize("name", ["label", "emotion"])
def test_the_truth_beside_scores_is_not_taken_for_the_answers(rows, tmp_path, name):
    lines = [f"file,{name},angry,disgust,fear,happy,neutral,sad"]
    lines += [f"{row.path},{row.emotion},0.5,0.1,0.1,0.1,0.1,0.1" for row in rows]
    path = write(tmp_path / "theirs.csv", lines)
    reading = outside.read(path, rows)
    assert measure(reading.table, "uar") == pytest.approx(1 / 6)
    assert name not in reading.columns
    assert any(f"Column {name!r} is the truth in every row" in note for note in reading.notes)
    assert measure(outside.read(path, rows, mapping={name: "label"}).table, "uar") == 1.0
    # One row that is not the truth: these are decisions of the system.
    lines[1] = lines[1].replace(f",{rows[0].emotion},", ",sad,")
    reading = outside.read(write(tmp_path / "theirs.csv", lines), rows)
    assert reading.columns[name] == "label"
    assert 0.5 < measure(reading.table, "uar") < 1.0


@pytest.mark.parametrize(
    ("column", "cell"),
    [
        *(("prediction_correct", "True"), ("predicted_gender", "female"), ("predicted_by", "ann")),
        *(("hypothesis", "well, no"), ("prediction_set", "happy|sad"), ("predicted_at", "12:30"), ("outputs", "")),
    ],
)
def test_what_only_begins_like_an_answer_is_none(rows, tmp_path, column, cell):
    lines = [f"file,label,{column}", *(f'{row.path},sad,"{cell}"' for row in rows)]
    path = write(tmp_path / "theirs.csv", lines)
    assert outside.read(path, rows).columns == {"file": "file", "label": "label"}
    scored = [f"file,{column},angry,sad", *(f'{row.path},"{cell}",0.2,0.8' for row in rows)]
    assert column not in outside.read(write(tmp_path / "scored.csv", scored), rows).columns


def test_labels_of_ones_own_are_known_as_answers(tmp_path):
    rows = [replace(row, emotion="barking") for row in prediction_tables.utterances("emodb", 2, 2)]
    lines = [
        "file,label,predicted_class",
        *(f"{row.path},barking,{'barking' if n else ''}" for n, row in enumerate(rows)),
    ]
    assert outside.read(write(tmp_path / "own.csv", lines), rows).columns["predicted_class"] == "label"
    lines = ["file,truth,output", *(f"{row.path},barking,woof" for row in rows)]
    path = write(tmp_path / "mapped.csv", lines)
    assert outside.read(path, rows, mapping={"woof": "barking"}).columns["output"] == "label"


@pytest.mark.parametrize(
    ("header", "cells"), [("label,emotion", "{},"), ("prediction,comment", "{},"), ("prediction,rater", "{},sad")]
)
def test_perfect_answers_stand_beside_what_is_no_answer(rows, tmp_path, header, cells):
    lines = [f"file,{header}", *(f"{row.path},{cells.format(row.emotion)}" for row in rows)]
    assert measure(outside.read(write(tmp_path / "theirs.csv", lines), rows).table, "uar") == 1.0


def test_a_rounding_error_makes_no_logits_of_probabilities(rows, tmp_path):
    lines = ["file,angry,happy", f"{rows[0].path},1.0000001,-1e-7", *(f"{row.path},0.75,0.25" for row in rows[1:])]
    reading = outside.read(write(tmp_path / "theirs.csv", lines), rows)
    assert reading.table.probabilities.max() == 1.0
    assert not any("softmax" in note for note in reading.notes)


def test_labels_beside_scores_are_what_is_counted(rows, tmp_path):
    own_classes = ("angry", "disgust", "fear", "happy", "neutral", "sad")
    lines = ["file,prediction," + ",".join(f"p:{name}" for name in own_classes)]
    lines += [f"{row.path},{row.emotion},0.5,0.1,0.1,0.1,0.1,0.1" for row in rows]
    reading = outside.read(write(tmp_path / "theirs.csv", lines), rows)
    assert measure(reading.table, "uar") == 1.0
    assert measure(reading.table, "auc") == 0.5
    assert any(f"in {len(rows) * 5 // 6} rows" in note for note in reading.notes)


@pytest.mark.parametrize("cell", ["nan", "", "high", "inf"])
def test_a_score_that_is_none_is_told_with_its_row(rows, tmp_path, cell):
    lines = ["file,angry,happy", f"{rows[0].path},0.5,0.5", f"{rows[1].path},0.5,{cell}"]
    with pytest.raises(CorpusError, match=rf"row 3 of .*: the score happy is '{cell}'; expected a number"):
        outside.read(write(tmp_path / "theirs.csv", lines), rows)
