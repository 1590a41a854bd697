"""`intonate compare` from the command: models, runs and CSVs of anybody, aligned clip by clip."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path

import numpy as np
import pytest
import tiny
from sklearn.metrics import recall_score

from intonate import corpora
from intonate.bench import compare, outside
from intonate.corpora import manifest
from intonate.emotions import merge
from intonate.errors import CorpusError, LabelError
from intonate.evaluation import table as tables
from intonate.evaluation.table import tabulate
from intonate.schema import Utterance

CORPORA = Path(os.environ.get("INTONATE_CORPORA", Path(__file__).parents[2].parent / "shared" / "corpora"))
LABELS = ("angry", "happy", "neutral", "sad")


@pytest.fixture
def place(toy_corpus, tmp_path):
    """A manifest, a table of ours and two CSVs of somebody's about the same clips."""
    rows = corpora.read("folder", toy_corpus).utterances
    manifest.write(tmp_path / "m.csv", rows)
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(len(rows), 4)) + 2 * np.array([[row.emotion == name for name in LABELS] for row in rows])
    scores = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    ours = tabulate(rows, [row.emotion for row in rows], LABELS, scores, root=toy_corpus)
    tables.write(ours, tmp_path / "ours.csv")
    lines = ["file,prediction"] + [f"{Path(row.path).name},{row.emotion}" for row in rows]
    (tmp_path / "theirs.csv").write_text("\n".join(lines) + "\n")
    return tmp_path


def test_ours_and_theirs(place):
    text = compare.command(
        [str(place / "ours.csv"), str(place / "theirs.csv"), str(place / "m.csv")], place / "r", repeats=200
    )
    assert "McNemar" in text
    assert all(len(line) <= 90 for line in text.splitlines()[:-1])
    kept = json.loads((place / "r" / "compare.json").read_text())
    (pair,) = kept["pairs"]
    assert pair["metrics"]["accuracy"]["b"] == 1.0
    assert pair["metrics"]["auc"]["difference"] is None
    assert kept["clips"] == len(tables.read(place / "ours.csv"))
    page = (place / "r" / "compare.html").read_text()
    assert "<svg" in page
    assert "nan" not in page.lower().replace("banan", "")


def test_a_run_is_its_held_out_answers_and_several_are_corrected(place):
    run = place / "run" / "report"
    run.mkdir(parents=True)
    tables.write(tables.read(place / "ours.csv"), run / "predictions.csv")
    names = [str(place / name) for name in ("run", "ours.csv", "theirs.csv")]
    compare.command([*names, str(place / "m.csv")], place / "r", repeats=200)
    kept = json.loads((place / "r" / "compare.json").read_text())
    assert len(kept["pairs"]) == 3
    assert all(pair["p_holm"] >= pair["metrics"]["uar"]["p"] for pair in kept["pairs"])


def test_labels_of_a_merge_are_counted_in_it(place):
    ours = tables.read(place / "ours.csv")
    coarse = compare._merge_labels(ours, "valence")
    aligned, notes = compare.align({"fine": ours, "coarse": coarse})
    assert aligned["fine"].labels == aligned["coarse"].labels == ("negative", "neutral", "positive")
    assert any("valence" in note for note in notes)
    np.testing.assert_allclose(aligned["fine"].probabilities, aligned["coarse"].probabilities)


@pytest.mark.parametrize("score", [1.0, 0.75])
def test_an_answer_without_a_place_in_the_merge_stays_wrong(score):
    rows = [Utterance(f"{place}.wav", "angry", "angry", "s", "c") for place in range(2)]
    labels = ("angry", "calm", "happy", "surprise")
    fine = tabulate(rows, ["angry"] * 2, labels, [[0, 0, 0, 1], [1 - score, score, 0, 0]])
    merged = compare._merge_labels(fine, "valence")
    assert "surprise" not in merge("valence")
    assert merged.label.tolist() == ["surprise", "neutral"]
    assert merged.emotion.tolist() == ["negative"] * 2
    coarse = tabulate(rows, ["negative"] * 2, ("negative", "neutral", "positive"), [[1, 0, 0]] * 2)
    aligned, _ = compare.align({"fine": fine, "coarse": coarse})
    assert aligned["fine"].label.tolist() == ["surprise", "neutral"]


def test_other_clips_have_nothing_in_common(place):
    ours = tables.read(place / "ours.csv")
    strangers = dataclasses.replace(ours, file=np.array([f"x{row}.wav" for row in range(len(ours))]))
    with pytest.raises(CorpusError, match="no clip in common"):
        compare.align({"a": ours, "b": strangers})


def test_one_system_is_not_compared_and_a_model_needs_a_manifest(place):
    with pytest.raises(CorpusError, match="two systems or more"):
        compare.command([str(place / "ours.csv"), str(place / "m.csv")], place / "r")
    with pytest.raises(CorpusError, match="MANIFEST"):
        compare.command(["compact", str(place / "ours.csv")], place / "r")


def test_evaluate_answers_of_another_program(place):
    text = outside.evaluate(place / "theirs.csv", place / "m.csv", place / "r")
    assert "UAR            100.0" in text
    assert (place / "r" / "report.html").is_file()
    assert "labels and no scores" in text


@pytest.mark.corpora
@pytest.mark.slow
def test_standard_and_compact_on_tess(tmp_path):
    """The interval and the p-value, beside a bootstrap that draws and scores one resample after the other."""
    if not (CORPORA / "tess").is_dir():
        pytest.skip("TESS is not in ../shared/corpora")
    manifest.write(tmp_path / "tess.csv", corpora.read("tess", CORPORA / "tess").utterances[::28])
    compare.command(["standard", "compact", str(tmp_path / "tess.csv")], tmp_path / "r", repeats=4000)
    kept = json.loads((tmp_path / "r" / "compare.json").read_text())
    figure = kept["pairs"][0]["metrics"]["uar"]
    assert kept["pairs"][0]["unit"] == "utterance"
    a, b = (tables.read(tmp_path / "r" / f"predictions-{number}.csv") for number in (1, 2))
    rng = np.random.default_rng(11)
    differences = []
    for _ in range(1500):
        rows = rng.integers(0, len(a), len(a))
        one, other = (
            recall_score(
                t.emotion[rows], t.label[rows], average="macro", labels=np.unique(t.emotion[rows]), zero_division=0
            )
            for t in (a, b)
        )
        differences.append(one - other)
    low, high = np.percentile(differences, [2.5, 97.5])
    smaller = min((np.array(differences) <= 0).sum(), (np.array(differences) >= 0).sum())
    assert figure["low"] == pytest.approx(low, abs=0.02)
    assert figure["high"] == pytest.approx(high, abs=0.02)
    assert figure["p"] == pytest.approx(min(1, 2 * (smaller + 1) / 1501), abs=0.06)


@pytest.mark.parametrize(
    ("name", "header", "separator"),
    [
        ("label.csv", "file,speaker,label", ","),
        ("quoted.csv", '"file","speaker","emotion"', ","),
        ("m.tsv", "path\tspk\ttarget", "\t"),
        ("rated.csv", "file,EmoAct,EmoVal", ","),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_every_manifest_that_evaluate_takes_is_one(tmp_path, name, header, separator, encoding):
    (tmp_path / name).write_text(f"{header}\n{separator.join(('a.wav', 'ada', 'sad'))}\n", encoding=encoding)
    assert compare._is_manifest(str(tmp_path / name))


def test_json_lines_are_a_manifest_and_answers_are_none(tmp_path):
    (tmp_path / "m.jsonl").write_text('{"file_name": "a.wav", "label": "sad"}\n')
    assert compare._is_manifest(str(tmp_path / "m.jsonl"))
    (tmp_path / "words.csv").write_text('file,label,hypothesis\na.wav,sad,"well, no"\nb.wav,sad\n')
    assert compare._is_manifest(str(tmp_path / "words.csv"))
    for header in (
        "file,guess,label",
        "file,emotion,prediction",
        "file,label,predicted_emotion",
        "path,ang,hap,label",
        "file,note",
        "",
    ):
        (tmp_path / "p.csv").write_text(f"{header}\na.wav,sad,sad\n")
        assert not compare._is_manifest(str(tmp_path / "p.csv")), header


def test_models_that_give_no_one_label_are_refused_at_first(place, tmp_path, monkeypatch):
    monkeypatch.setattr(compare, "answers", lambda *_, **__: pytest.fail("something was listened to"))
    for number, changes in enumerate(({"labels": (), "dimensions": LABELS, "merge": ""}, {"multi_label": True})):
        path = tmp_path / f"{number}" / "model.onnx"
        path.parent.mkdir()
        spec = dataclasses.replace(tiny.spec(), **changes)
        tiny.write(path, spec, classes=len(spec.outputs))
        with pytest.raises(LabelError, match="and here clips have one; judge it by intonate evaluate"):
            compare.command(["compact", str(path.parent), str(place / "m.csv")], place / "r")


def test_labels_of_ones_own_are_compared(place):
    words = {"angry": "cross", "happy": "glad", "neutral": "so-so", "sad": "blue"}
    spec = dataclasses.replace(
        tiny.spec(), labels=tuple(words.values()), merge="own:" + "|".join(sorted(words.values()))
    )
    for name in ("a.onnx", "b.onnx"):
        tiny.write(place / name, dataclasses.replace(spec, name=name), classes=len(words))
    rows = manifest.read(place / "m.csv")
    lines = [f"{row.path},{words[row.emotion].upper()}" for row in rows if row.emotion in words]
    (place / "own.csv").write_text("\n".join(["file,class", *lines]) + "\n")
    compare.command([*(str(place / name) for name in ("a.onnx", "b.onnx", "own.csv"))], place / "r", repeats=100)
    kept = json.loads((place / "r" / "compare.json").read_text())
    assert (kept["clips"], kept["labels"]) == (len(lines), sorted(words.values()))


def test_the_last_table_is_no_manifest_where_it_has_answers(place):
    rows = manifest.read(place / "m.csv")
    lines = ["file,label,predicted_emotion", *(f"{row.path},{row.emotion},sad" for row in rows)]
    (place / "both.csv").write_text("\n".join(lines) + "\n")
    text = compare.command([str(place / "ours.csv"), str(place / "both.csv")], place / "r", repeats=20)
    assert "both: Columns: file as file, predicted_emotion as label." in text
    text = compare.command([str(place / "both.csv"), str(place / "both.csv")], place / "r", repeats=20)
    assert "Their answers agree with kappa –" in text
