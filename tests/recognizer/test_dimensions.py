"""Numbers beside labels, or instead of them; several labels at once; and recordings answered whole."""

import csv
import io
import itertools
import json

import numpy as np
import pytest
import soundfile
import tiny
from rich.console import Console

from intonate.corpora import manifest
from intonate.errors import LabelError, ModelError
from intonate.recognizer.model_file import read_model
from intonate.recognizer.recognizer import Failure, load_model
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


def test_in_a_call_every_turn_and_speaker_has_them(model):
    sound = tiny.speech(3.0)
    call = np.stack([np.concatenate([sound, 0 * sound]), np.concatenate([0 * sound, sound])], axis=1)
    answer = model.predict((call, 16_000), channels="each")
    assert [speaker.name for speaker in answer.speakers] == ["Left", "Right"]
    for told in (answer, *answer.speakers, *answer.segments):
        assert tuple(told.dimensions) == NUMBERS
    shape = answer.to_dict()
    assert all(set(part["dimensions"]) == set(NUMBERS) for part in (shape, *shape["speakers"], *shape["segments"]))
    console = Console(file=io.StringIO(), width=100)
    page.show(console, answer)
    lines = [line for line in console.file.getvalue().splitlines() if "s of speech" in line]
    assert len(lines) == 2
    if not model.spec.labels:
        assert all("arousal 0." in line or "arousal 1." in line for line in lines)


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
    assert f"arousal {answer.dimensions['arousal']:.2f}" in "".join(formats.as_srt([answer], layout))
    console = Console(file=io.StringIO(), width=100)
    page.show(console, answer, timeline=True)
    _, *bars, _, stretch = console.file.getvalue().strip().splitlines()
    for name, value in answer.dimensions.items():
        # From 0 to 1, and no probability: in bars and in the timeline.
        (bar,) = [line for line in bars if line.split()[0] == name]
        assert bar.endswith(f" {value:.2f}")
        assert f"{name} {value:.2f}" in stretch
    best = f"{answer.label}  {answer.scores[answer.label]:>4.0%}" if answer.scores else "speech"
    assert f" {best}  arousal " in stretch
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


@pytest.fixture
def several(tmp_path):
    """A model that may give several labels at once, with a threshold between the scores of what it hears."""
    tiny.write(tmp_path / "tiny.onnx", tiny.spec(multi_label=True))
    values = sorted(load_model(tmp_path / "tiny.onnx").predict((tiny.speech(2.0), 16_000)).scores.values())
    tiny.write(tmp_path / "several.onnx", tiny.spec(multi_label=True, abstain_below=(values[-2] + values[-3]) / 2))
    return load_model(tmp_path / "several.onnx")


def test_labels_that_are_likely_enough(several, tmp_path):
    answer = several.predict((tiny.speech(2.0), 16_000))
    assert len(answer.labels) == 2
    assert answer.labels == tuple(answer.scores)[:2]
    assert (answer.label, answer.abstained) == (answer.labels[0], False)
    assert answer.segments[0].labels == answer.labels
    # As short as a syllable, or with a threshold that nothing reaches: none, and unsure.
    tiny.write(tmp_path / "strict.onnx", tiny.spec(multi_label=True, abstain_below=1.1))
    strict = load_model(tmp_path / "strict.onnx").predict((tiny.speech(2.0), 16_000))
    assert (strict.labels, strict.shown_label, strict.guess) == ((), "unsure", answer.label)
    silent = several.predict((np.zeros(32_000, np.float32), 16_000))
    assert (silent.labels, silent.label) == ((), "silence")
    tiny.write(tmp_path / "one.onnx", tiny.spec())
    one = load_model(tmp_path / "one.onnx").predict((tiny.speech(2.0), 16_000))
    assert one.labels is None
    assert "labels" not in one.to_dict()


def test_every_format_tells_all_labels(several, tmp_path):
    soundfile.write(tmp_path / "clip.wav", tiny.speech(2.0), 16_000)
    answer = several.predict(tmp_path / "clip.wav")
    first, second = answer.labels
    layout = Layout(several.spec.labels, single=True, several=True)
    as_json = json.loads("".join(formats.as_json([answer], layout)))
    assert as_json["labels"] == as_json["segments"][0]["labels"] == [first, second]
    (row,) = csv.DictReader(io.StringIO("".join(formats.as_csv([answer], layout))))
    assert row["labels"] == f"{first}; {second}"
    assert manifest.parse_labels(row["labels"], "") == (first, second)
    failure = list(csv.DictReader(io.StringIO("".join(formats.as_csv([Failure("a", "broken")], layout)))))
    assert failure[0]["error"] == "broken"
    assert f"{first} " in (subtitle := "".join(formats.as_srt([answer], layout)))
    assert f", {second} " in subtitle
    console = Console(file=io.StringIO(), width=100)
    page.show(console, answer, timeline=True)
    headline, *_, stretch = console.file.getvalue().strip().splitlines()
    assert f"{first} {answer.scores[first]:.0%}, {second} {answer.scores[second]:.0%}" in headline
    assert f"{first} + {second}" in stretch


def test_a_timeline_is_cut_where_any_label_comes_or_goes(several):
    sound = np.concatenate([tiny.speech(6.0), 0.05 * tiny.speech(6.0), tiny.speech(6.0)])
    segments = several.predict((sound, 16_000)).segments
    spoken = [segment for segment in segments if segment.speech]
    for segment in spoken:
        wanted = [label for label, score in segment.scores.items() if score >= several.spec.abstain_below]
        assert segment.labels == tuple(wanted)
    pairs = [(left, right) for left, right in itertools.pairwise(segments) if left.end_s == right.start_s]
    assert all((left.label, left.labels) != (right.label, right.labels) for left, right in pairs)


def test_streams_and_conversations_tell_all_labels(several):
    sound = np.concatenate([tiny.speech(4.0), np.zeros(16_000 * 3, np.float32)])
    stream = several.stream(16_000)
    events = [*stream.push(sound), *stream.finish()]
    for event in events:
        wanted = [label for label, score in event.scores.items() if score >= several.spec.abstain_below]
        assert event.to_dict()["labels"] == wanted
    assert any(len(event.labels) > 1 for event in events)
    told = several.predict((np.stack([sound, 0 * sound], axis=1), 16_000), channels="each").to_dict()
    assert told["labels"] == told["speakers"][0]["labels"]
    assert all("labels" in segment for segment in told["segments"])
    for merged in ({"labels": "4"}, {"plain": True, "labels": "4"}):
        with pytest.raises(LabelError, match="several labels at once"):
            several.stream(16_000, **merged)


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
