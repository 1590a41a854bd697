"""Explanations in a report: the clips are chosen by the rule that it states, and what cannot be explained says why."""

from __future__ import annotations

import dataclasses
import json
import re

import numpy as np
import pytest
import soundfile
import tiny

from intonate import load_model
from intonate.errors import AudioError, ModelError
from intonate.evaluation import explained_clips
from intonate.evaluation.table import tabulate
from intonate.explanation import words
from intonate.explanation.explain import CHANGES, explain
from intonate.schema import Utterance

LABELS = ("angry", "happy", "sad")


def table(truth, label, confidence):
    """A table whose rows have these truths, answers and confidences."""
    shares = np.array(
        [
            [sure if name == one else (1 - sure) / 2 for name in LABELS]
            for one, sure in zip(label, confidence, strict=True)
        ]
    )
    rows = [
        Utterance(path=f"{place}.wav", emotion=one, raw_label=one, speaker="x", corpus="c")
        for place, one in enumerate(truth)
    ]
    return tabulate(rows, list(truth), LABELS, shares)


@pytest.fixture(scope="module")
def explanation(tiny_model):
    return explain(load_model(tiny_model), (tiny.speech(1.5), 16_000))


def test_the_clips_are_those_of_the_rule():
    # Six right answers to angry, in no order; two wrong ones; one right one to happy; sad does not occur.
    answers = table(
        ["angry"] * 8 + ["happy"],
        ["angry"] * 6 + ["happy", "sad", "happy"],
        [0.9, 0.4, 0.7, 0.5, 0.8, 0.6, 0.95, 0.55, 0.99],
    )
    assert explained_clips.chosen_rows(answers, 1) == [2, 6, 8]
    # Ranked 1, 3, 5, 2, 4, 0: of each half the middle one; of two wrong ones both, the less sure first.
    assert explained_clips.chosen_rows(answers, 2) == [3, 4, 7, 6, 8]
    assert sorted(explained_clips.chosen_rows(answers, 100)) == list(range(9))
    assert explained_clips.chosen_rows(answers, 0) == []


def test_panels_tell_what_was_measured(explanation):
    answers = table(["angry", "happy", "sad"], ["angry", "sad", "sad"], [0.8, 0.6, 0.7])
    weaker = dataclasses.replace(
        explanation,
        changed=tuple(dataclasses.replace(item, label="another", probability=0.0) for item in explanation.changed),
    )

    def explain_row(row):
        if row == 1:
            raise AudioError("1.wav: no such file")
        return (explanation, None, weaker)[row]

    clips = explained_clips.explain_clips(answers, 1, explain_row)
    assert len(clips.explanations) == 3
    panels = dict(explained_clips.panels(clips))
    assert list(panels) == [
        "Is it true of the model?", "What a change of the voice does", "angry, right", "sad, right", "Not explained",
    ]  # fmt: skip
    area, random = (100 * value for value in (explanation.deletion.area(), explanation.deletion.random_area()))
    assert (
        f"{words.loses(area)} on average; in random order it {words.loses(random)}"
        in panels["Is it true of the model?"]
    )
    assert "Chosen by a rule" in panels["Is it true of the model?"]
    assert words.CAUTION in panels["Is it true of the model?"]
    mean = (explanation.changed[0].probability - 2 * explanation.probability) / 2
    row = re.search(rf"{re.escape(next(iter(CHANGES)))}</td>(.*?)</tr>", panels["What a change of the voice does"])
    cells = re.findall(r"<td>(.*?)</td>", row[1])
    flips = 1 + (explanation.changed[0].label != explanation.label)
    assert (cells[0], cells[2]) == (f"{100 * mean:+.0f}", str(flips))
    assert words.sentences(explanation)[0] in panels["angry, right"]
    assert panels["angry, right"].count("<svg") == 1
    assert panels["Not explained"] == "<p>1 clip: no such file (1.wav)</p>"


def test_where_nothing_can_be_explained_the_reason_stands_there_once(tmp_path):
    answers = table(["angry", "happy"], ["angry", "happy"], [0.8, 0.6])

    def explain_row(_):
        raise ModelError("model 'reader' only reads")

    clips = explained_clips.explain_clips(answers, 1, explain_row)
    ((heading, html),) = explained_clips.panels(clips)
    assert heading == "Nothing is explained"
    assert html.count("model &#x27;reader&#x27; only reads") == 1
    assert "2 clips: " in html
    explained_clips.write(clips, tmp_path / "report" / "explanations.json")
    kept = json.loads((tmp_path / "report" / "explanations.json").read_text())
    assert [entry["error"] for entry in kept["clips"]] == ["model 'reader' only reads"] * 2


def test_evaluate_explains_in_its_report_if_it_is_asked_to(tmp_path, tiny_model):
    from intonate.training.evaluate import evaluate

    for place, emotion in enumerate(("angry", "happy", "sad", "neutral")):
        soundfile.write(tmp_path / f"{emotion}.wav", tiny.speech(1.2, seed=place), 16_000)
    rows = [f"{emotion}.wav,{emotion},{number}" for number, emotion in enumerate(("angry", "happy", "sad", "neutral"))]
    (tmp_path / "manifest.csv").write_text("\n".join(["file,emotion,speaker", *rows]) + "\n")
    plain = evaluate(tiny_model, tmp_path / "manifest.csv", tmp_path / "plain").read_text()
    assert explained_clips.HEADING not in plain
    assert not (tmp_path / "plain" / "explanations.json").exists()
    page = evaluate(tiny_model, tmp_path / "manifest.csv", tmp_path / "report", explained=1).read_text()
    assert explained_clips.HEADING in page
    kept = json.loads((tmp_path / "report" / "explanations.json").read_text())
    recognizer = load_model(tiny_model)
    assert len(kept["clips"]) == 4
    for entry in kept["clips"]:
        answer = recognizer.predict(tmp_path / entry["file"])
        assert entry["explained"] == answer.label
        assert entry["scores"][0]["score"] == pytest.approx(answer.scores[answer.label], abs=1e-4)
    # A clip in which nobody speaks: the report is written, and says why there is no explanation.
    soundfile.write(tmp_path / "sad.wav", np.zeros(16_000), 16_000)
    page = evaluate(tiny_model, tmp_path / "manifest.csv", tmp_path / "report", explained=1).read_text()
    assert "Not explained" in page
    assert re.search(r"1 clip: nobody speaks in it", page)


def test_a_model_without_labels_is_refused_before_any_work(tmp_path):
    from intonate.training.evaluate import evaluate

    names = ("arousal", "dominance", "valence")
    tiny.write(tmp_path / "dimensions.onnx", tiny.spec(labels=(), dimensions=names, scores={}), classes=3)
    with pytest.raises(ModelError, match="intonate explain FILE --label arousal"):
        evaluate(tmp_path / "dimensions.onnx", tmp_path / "none.csv", tmp_path / "report", explained=1)
