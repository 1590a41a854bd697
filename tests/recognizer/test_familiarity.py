"""How much a recording is like the training, and recordings that are too short to be sure of."""

from pathlib import Path

import numpy as np
import pytest
import tiny

from intonate import load_model
from intonate.audio.clean import clean
from intonate.audio.decode import load
from intonate.recognizer.timeline import UNSURE

RATE_HZ = 16_000


EXAMPLE = Path(__file__).parents[2] / "examples" / "neutral.flac"


def voice(seconds):
    """The beginning of the speech of an example."""
    waveform = clean(load(EXAMPLE, RATE_HZ), RATE_HZ, [{"step": "trim"}])
    return waveform[RATE_HZ // 5 :][: round(seconds * RATE_HZ)]


def answer(tmp_path, waveform, timeline=False, **changes):
    tiny.write(tmp_path / "m.onnx", tiny.spec(**changes))
    return load_model(tmp_path / "m.onnx").predict((waveform, RATE_HZ), timeline=timeline)


def test_a_model_that_does_not_tell_says_nothing(tmp_path):
    found = answer(tmp_path, voice(1.5))
    assert found.familiarity is None
    assert "familiarity" not in found.to_dict()


@pytest.mark.parametrize("timeline", [False, True])
def test_it_falls_with_the_distance_from_training(tmp_path, timeline):
    near = answer(tmp_path, voice(1.5), timeline, regions=tiny.REGIONS, distances=(0.0, 50.0, 100.0))
    far = answer(tmp_path, voice(1.5), timeline, regions=tiny.REGIONS, distances=(0.0, 1e-4, 2e-4))
    assert far.familiarity == 0
    assert 0 < near.familiarity <= 1
    assert near.to_dict()["familiarity"] == near.familiarity


def test_the_utterances_of_a_stream_tell_it_as_recordings_do(tmp_path):
    tiny.write(tmp_path / "m.onnx", tiny.spec(regions=tiny.REGIONS, distances=(0.0, 50.0, 100.0)))
    recognizer = load_model(tmp_path / "m.onnx")
    stream, waveform = recognizer.stream(RATE_HZ), load(EXAMPLE, RATE_HZ)
    *_, final = [*stream.push(waveform), *stream.finish()]
    assert final.type == "final"
    assert final.familiarity == pytest.approx(recognizer.predict((waveform, RATE_HZ)).familiarity, abs=0.15)
    assert final.to_dict()["familiarity"] == round(final.familiarity, 3)


@pytest.mark.parametrize(("seconds", "is_unsure"), [(0.4, True), (1.5, False)])
def test_too_little_sound_is_unsure(tmp_path, seconds, is_unsure):
    found = answer(tmp_path, voice(seconds), unsure_below_s=0.5)
    assert found.abstained is is_unsure
    assert (found.segments[0].label == UNSURE) is is_unsure
    assert found.guess in tiny.LABELS, "the best guess stays"


@pytest.mark.parametrize(("seconds", "is_unsure"), [(0.4, True), (1.5, False)])
def test_utterances_and_turns_are_as_unsure_as_recordings(tmp_path, seconds, is_unsure):
    tiny.write(tmp_path / "m.onnx", tiny.spec(unsure_below_s=1.0))
    recognizer = load_model(tmp_path / "m.onnx")
    waveform = np.pad(voice(seconds), RATE_HZ)
    assert recognizer.predict((waveform, RATE_HZ)).abstained is is_unsure
    stream = recognizer.stream(RATE_HZ)
    finals = [event for event in [*stream.push(waveform), *stream.finish()] if event.type == "final"]
    assert [final.abstained for final in finals] == [is_unsure]
    turns = recognizer.predict((waveform, RATE_HZ), speakers=1)
    assert turns.abstained is is_unsure
    assert [part.abstained for part in (*turns.segments, *turns.speakers)] == [is_unsure, is_unsure]


def test_a_conversation_tells_it_over_its_turns(tmp_path):
    tiny.write(tmp_path / "m.onnx", tiny.spec(regions=tiny.REGIONS, distances=(0.0, 50.0, 100.0)))
    recognizer = load_model(tmp_path / "m.onnx")
    waveform = np.pad(voice(1.5), RATE_HZ)
    alone = recognizer.predict((waveform, RATE_HZ))
    for sound, options in ((waveform, {"speakers": 1}), (np.stack([waveform, 0 * waveform], 1), {"channels": "each"})):
        found = recognizer.predict((sound, RATE_HZ), **options)
        assert found.familiarity == pytest.approx(alone.familiarity, abs=0.05)
        assert found.to_dict()["familiarity"] == round(found.familiarity, 3)
    assert recognizer.predict((0 * waveform, RATE_HZ), speakers=1).familiarity is None
