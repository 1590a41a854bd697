"""Which rows of a table a model is judged by."""

import hashlib
import json
from dataclasses import replace

import pytest
import soundfile
import tiny
from typer.testing import CliRunner

from intonate.cli import app
from intonate.errors import CorpusError, ModelError
from intonate.evaluation import ratings
from intonate.evaluation.multi_label import LabelTable
from intonate.evaluation.table import read
from intonate.schema import Utterance
from intonate.training import evaluated_rows
from intonate.training.evaluate import evaluate, labelled_rows, merge_of
from intonate.training.evaluated_rows import heard_clips, heard_speakers, trained_on

EMOTIONS = ("angry", "happy", "neutral", "sad")


def written(folder, *rows):
    for name in {row.split(",")[0] for row in rows}:
        soundfile.write(folder / name, tiny.speech(0.5), 16_000)
    (folder / "table.csv").write_text("\n".join(["file,emotion", *rows]) + "\n")
    return folder / "table.csv"


def test_a_row_that_is_listed_twice_counts_once(tmp_path):
    table = written(tmp_path, "a.wav,angry", "b.wav,sad", "a.wav,angry")
    rows, notes = labelled_rows(tiny.spec(), table)
    assert [row.emotion for row in rows] == ["angry", "sad"]
    assert notes[0] == "1 rows of the table repeat another, and count once."


def test_the_command_tells_the_figure_and_then_the_page(tmp_path, tiny_model):
    table, report = written(tmp_path, "a.wav,angry", "b.wav,sad"), tmp_path / "report"
    done = CliRunner().invoke(app, ["evaluate", str(tiny_model), str(table), "--report", str(report)])
    assert done.exit_code == 0, done.output
    overall = json.loads((report / "metrics.json").read_text())["conditions"][0]["open"]["overall"]["uar"]
    figures = [f"{100 * overall[key]:.1f}" for key in ("value", "low", "high")]
    first, *_, last = done.stdout.splitlines()
    assert first == "clip alone: UAR {} % ({}–{}), 2 clips, unknown speakers".format(*figures)
    assert last == str(report / "report.html")


@pytest.mark.parametrize("merge", ["7", "own:" + "|".join(tiny.LABELS)])
def test_a_clip_that_is_too_short_to_be_sure_of_counts_as_unsure(tmp_path, merge):
    several = merge.startswith("own:")
    tiny.write(tmp_path / "m.onnx", tiny.spec(unsure_below_s=1.0, merge=merge, multi_label=several))
    path = written(tmp_path, "a.wav,angry", "b.wav,sad")
    soundfile.write(tmp_path / "b.wav", tiny.speech(1.5), 16_000)
    evaluate(tmp_path / "m.onnx", path, tmp_path / "report")
    if several:
        answers = ratings.read_as(tmp_path / "report" / "labels.csv", LabelTable)
        is_unsure = ~answers.chosen.any(axis=1)
    else:
        is_unsure = read(tmp_path / "report" / "predictions.csv").abstained
    assert is_unsure.tolist() == [True, False]


def test_the_figures_of_numbers_stand_beside_those_of_labels(tmp_path):
    spec, path = tiny.spec(dimensions=("arousal",)), written(tmp_path, "a.wav,angry", "b.wav,sad")
    path.write_text("file,emotion,arousal\na.wav,angry,0.9\nb.wav,sad,0.1\n")
    tiny.write(tmp_path / "both.onnx", spec, classes=len(spec.labels) + 1)
    page = evaluate(tmp_path / "both.onnx", path, tmp_path / "report")
    figures = json.loads((page.parent / "metrics.json").read_text())
    assert "uar" in figures["conditions"][0]["open"]["overall"]
    assert figures["ratings"] == ratings.scores(ratings.read(page.parent / "dimensions.csv"))
    assert figures["ratings"]["conditions"][0]["overall"]["arousal"].keys() == {"ccc", "rmse"}


def test_a_clip_with_two_labels_is_refused(tmp_path):
    table = written(tmp_path, "a.wav,angry", "a.wav,sad")
    with pytest.raises(
        CorpusError, match=r"a\.wav is listed as angry and as sad; expected one label for each, or for each st"
    ):
        labelled_rows(tiny.spec(), table)


def test_labels_of_ones_own_have_no_place_for_others(tmp_path):
    spec = replace(tiny.spec(), labels=EMOTIONS, merge="own:angry|happy|neutral|sad")
    assert merge_of(spec) == "own:angry|happy|neutral|sad"
    rows, _ = labelled_rows(spec, written(tmp_path, "a.wav,angry", "b.wav,calm", "c.wav,neutral"))
    assert [row.emotion for row in rows] == ["angry", "neutral"]


def test_rows_are_left_out_for_what_they_have(tmp_path):
    path = written(tmp_path, "a.wav,angry", "b.wav,sad")
    cells = ("a.wav,angry", "b.wav,laughing", "a.wav,angry; laughing", "b.wav,[]", "b.wav,")
    clips = [f"{cell.split(',')[0]},{place},{cell.split(',')[1]}" for place, cell in enumerate(cells)]
    path.write_text("\n".join(["file,start,labels", *clips]).replace(",4,", ",0.4,") + "\n")
    rows, notes = labelled_rows(replace(tiny.spec(), corpora=("table",)), path)
    assert [row.all_labels for row in rows] == [("angry",)]
    assert notes[:3] == [
        "Left out, for the model has no such label: 1 laughing.",
        "Left out, for they have several labels and the model gives one: 1 clips.",
        "Left out, for they have no label: 2 clips.",
    ]
    # Nobody is no speaker that was trained on.
    assert not any("trained on (corpora" in note for note in notes)


def test_a_scale_needs_dimensions(tmp_path):
    with pytest.raises(ModelError, match="gives no dimensions, whose --scale it could be"):
        evaluate("compact", written(tmp_path, "a.wav,angry"), tmp_path / "report", scale=(1, 7))


@pytest.mark.parametrize("corpus", ["own", "table"])
def test_a_model_that_heard_these_speakers_is_told(tmp_path, corpus):
    path = written(tmp_path, "a.wav,angry", "b.wav,sad", "c.wav,sad")
    path.write_text("file,emotion,speaker\na.wav,angry,ann\nb.wav,sad,bob\nc.wav,sad,\n")
    names = [f"{corpus}/ann", f"{corpus}/eve", ""]
    heard = heard_speakers([Utterance("x.wav", "sad", "sad", name, corpus) for name in names])
    spec = replace(tiny.spec(), corpora=(corpus,), heard_speakers=heard)
    assert len(heard) == 2
    assert "ann" not in spec.to_json()
    rows, notes = labelled_rows(spec, path)
    assert trained_on(spec, rows) == {"table/ann"}
    assert any("1 of the speakers may have been trained on" in note for note in notes)
    # Whoever is in a table of one's own need not be in another.
    assert trained_on(replace(spec, heard_speakers=heard_speakers([])), rows) == set()


def test_a_model_that_heard_these_clips_is_told_whatever_they_are_called(tmp_path):
    path = written(tmp_path, "a.wav,angry", "b.wav,sad", "renamed.wav,sad")
    soundfile.write(tmp_path / "a.wav", tiny.speech(0.6), 16_000)
    rows, _ = labelled_rows(tiny.spec(), path)
    heard = heard_clips(rows[2:])  # b.wav has the same bytes
    again = heard_clips([replace(rows[0], corpus="ravdess")], heard)
    assert again == heard  # whoever is of a corpus of the catalogue is known by name
    _, notes = labelled_rows(replace(tiny.spec(), heard_clips=heard_clips([], heard)), path)
    assert any("2 of the clips were trained on (the same bytes)" in note for note in notes), notes
    assert not any("trained on (the same" in note for note in labelled_rows(tiny.spec(), path)[1])


def test_clips_are_not_read_for_a_model_that_was_trained_on_no_table(tmp_path, monkeypatch):
    monkeypatch.setattr(evaluated_rows, "keys_of", lambda *_, **__: pytest.fail("read for nothing"))
    labelled_rows(tiny.spec(), written(tmp_path, "a.wav,angry"))


def test_a_list_of_digests_opens_one_file_at_most():
    rows = [Utterance("x.wav", "sad", "sad", name, "own") for name in ("own/ann", "own/eve")]
    first, second = heard_speakers(rows[:1]), heard_speakers(rows)
    assert not set(first) & set(second)
    # Who was heard before is not heard twice, and what an earlier version wrote is read.
    assert len(heard_speakers(rows, first)) == 2
    without_salt = (hashlib.sha256(b"ann").hexdigest()[:16],)
    assert trained_on(replace(tiny.spec(), heard_speakers=without_salt), rows) == {"own/ann"}
    assert len(heard_speakers(rows, without_salt)) == 2


def test_a_corpus_of_the_catalogue_is_the_same_people_everywhere():
    rows = [Utterance("x.wav", "sad", "sad", name, "ravdess") for name in ("ravdess/01", "ravdess/02", "")]
    spec = replace(tiny.spec(), corpora=("ravdess",), unseen_speakers=("ravdess/02",))
    assert trained_on(spec, rows) == {"ravdess/01"}
    assert heard_speakers(rows) == ()


def test_the_notes_are_printed_too(tmp_path, tiny_model, capsys):
    path = written(tmp_path, "a.wav,angry", "b.wav,sad")
    path.write_text("file,emotion,mood\na.wav,angry,x\nb.wav,sad,y\n")
    evaluate(tiny_model, path, tmp_path / "report")
    assert "table.csv: columns not used: mood." in capsys.readouterr().err
