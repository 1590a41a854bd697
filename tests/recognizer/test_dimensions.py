"""Numbers beside labels, or instead of them; several labels at once; and recordings answered whole."""

import csv
import io
import json

import numpy as np
import pytest
import soundfile
import tiny
from rich.console import Console

from intonate.errors import LabelError, ModelError
from intonate.recognizer.model_file import read_model
from intonate.recognizer.recognizer import load_model
from intonate.terminal import formats, page
from intonate.terminal.formats import Layout

NUMBERS = ("arousal", "dominance", "valence")


@pytest.fixture(params=["beside labels", "alone"])
def model(request, tmp_path):
    labels = tiny.LABELS if request.param == "beside labels" else ()
    spec = tiny.spec(labels=labels, dimensions=NUMBERS, temperature=1.0)
    tiny.write(tmp_path / "tiny.onnx", spec, classes=len(labels) + len(NUMBERS))
    return load_model(tmp_path / "tiny.onnx")


def test_a_short_recording_has_one_of_each(model):
    answer = model.predict((tiny.speech(2.0), 16_000))
    assert tuple(answer.dimensions) == NUMBERS
    assert all(0 <= value <= 1 for value in answer.dimensions.values())
    assert answer.segments[0].dimensions == answer.dimensions
    if model.spec.labels:
        assert sum(answer.scores.values()) == pytest.approx(1)
        assert answer.label == next(iter(answer.scores))
    else:
        assert (answer.label, dict(answer.scores), answer.abstained) == ("speech", {}, False)


def test_a_long_one_has_a_trace(model):
    answer = model.predict((tiny.speech(12.0), 16_000))
    spoken = [segment for segment in answer.segments if segment.speech]
    assert all(tuple(segment.dimensions) == NUMBERS for segment in spoken)
    if not model.spec.labels:
        # A trace needs a point for every stretch, though nothing changes its name.
        assert len(spoken) >= 6


def test_silence_has_none(model):
    answer = model.predict((np.zeros(32_000, np.float32), 16_000))
    assert (answer.label, dict(answer.dimensions)) == ("silence", {})
    assert not answer.segments[0].speech


def test_every_format_tells_them(model, tmp_path):
    soundfile.write(tmp_path / "clip.wav", tiny.speech(2.0), 16_000)
    answer = model.predict(tmp_path / "clip.wav")
    layout = Layout(model.spec.labels, single=True, dimensions=model.spec.dimensions)
    as_json = json.loads("".join(formats.as_json([answer], layout)))
    assert as_json["dimensions"] == as_json["segments"][0]["dimensions"]
    assert as_json["dimensions"] == pytest.approx(dict(answer.dimensions), abs=1e-6)
    (row,) = csv.DictReader(io.StringIO("".join(formats.as_csv([answer], layout))))
    assert {name: float(row[name]) for name in NUMBERS} == pytest.approx(dict(answer.dimensions), abs=1e-6)
    assert "arousal" in "".join(formats.as_srt([answer], layout))
    console = Console(file=io.StringIO(), width=100)
    page.show(console, answer, timeline=True)
    assert all(name in console.file.getvalue() for name in NUMBERS)
    assert "nobody speaks" not in console.file.getvalue()


def test_numbers_beyond_the_scale_are_cut_off(model, tmp_path):
    feeds = {"mel": np.full((1, 5, tiny.BANDS), 50, np.float32), "mel_lengths": np.array([5])}
    answer = read_model(model._model.path).run(feeds)[0, len(model.spec.labels) :]
    assert ((answer == 0) | (answer == 1)).all()


def test_a_model_without_labels_refuses_what_needs_them(tmp_path):
    spec = tiny.spec(labels=(), dimensions=NUMBERS)
    tiny.write(tmp_path / "tiny.onnx", spec, classes=3)
    model = load_model(tmp_path / "tiny.onnx")
    for options in ({"plain": True}, {"labels": "4"}):
        with pytest.raises(LabelError, match="has no labels"):
            model.stream(16_000, **options)
    with pytest.raises(LabelError, match="merge"):
        model.predict((tiny.speech(1.0), 16_000), labels="4")


@pytest.mark.parametrize("labels", [tiny.LABELS, ()], ids=["beside labels", "alone"])
def test_a_stream_tells_numbers_too(labels, tmp_path):
    tiny.write(tmp_path / "tiny.onnx", tiny.spec(labels=labels, dimensions=NUMBERS), classes=len(labels) + 3)
    model = load_model(tmp_path / "tiny.onnx")
    sound = np.concatenate([tiny.speech(4.0), np.zeros(16_000 * 3, np.float32)])
    stream = model.stream(16_000)
    events = [*stream.push(sound), *stream.finish()]
    spoken = [event for event in events if event.type == "segment" and event.state == "speech"]
    assert spoken
    assert all(tuple(event.dimensions) == NUMBERS for event in spoken[1:])
    assert {event.label for event in spoken} <= ({"speech"} if not labels else {*labels, "unsure"})
    (final,) = [event for event in events if event.type == "final"]
    whole = model.predict((sound[: round(16_000 * (final.end_s + 0.1))], 16_000))
    for name in NUMBERS:
        assert final.dimensions[name] == pytest.approx(whole.dimensions[name], abs=0.1)
    assert final.to_dict()["dimensions"].keys() == set(NUMBERS)
    last = [event for event in events if event.type == "segment"][-1]
    assert (last.state, last.dimensions) == ("silence", {})


def test_several_labels_at_once_need_not_sum_to_one(tmp_path):
    tiny.write(tmp_path / "tiny.onnx", tiny.spec(multi_label=True))
    scores = load_model(tmp_path / "tiny.onnx").predict((tiny.speech(2.0), 16_000)).scores
    assert all(0 <= score <= 1 for score in scores.values())
    assert sum(scores.values()) != pytest.approx(1, abs=1e-3)
    assert list(scores.values()) == sorted(scores.values(), reverse=True)


def test_a_graph_that_lacks_a_dimension(tmp_path):
    tiny.write(tmp_path / "tiny.onnx", tiny.spec(dimensions=NUMBERS))
    with pytest.raises(ModelError, match="the graph has 7 outputs, the spec 7 labels and 3 dimensions"):
        load_model(tmp_path / "tiny.onnx")


def test_whole_is_one_answer_whatever_the_length(tmp_path):
    tiny.write(tmp_path / "tiny.onnx", tiny.spec())
    model, sound = load_model(tmp_path / "tiny.onnx"), (tiny.speech(20.0), 16_000)
    whole = model.predict(sound, whole=True)
    assert len(whole.segments) == 1
    assert whole.segments[0].end_s == pytest.approx(20.0)
    (same,) = model.predict_many([sound], whole=True)
    assert same == whole
    assert model.predict(sound).scores != whole.scores
