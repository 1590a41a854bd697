"""How much a recording is like the training, and recordings that are too short to be sure of."""

import numpy as np
import pytest
import tiny

from intonate import load_model
from intonate.recognizer.timeline import UNSURE

RATE_HZ = 16_000


def voice(seconds, level=0.1):
    time_s = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    tone = np.sin(2 * np.pi * 180 * time_s) + 0.5 * np.sin(2 * np.pi * 1_300 * time_s)
    return (level * tone * (0.6 + 0.4 * np.sin(2 * np.pi * 4 * time_s))).astype(np.float32)


def answer(tmp_path, waveform, timeline=False, **changes):
    tiny.write(tmp_path / "m.onnx", tiny.spec(**changes))
    return load_model(tmp_path / "m.onnx").predict((waveform, RATE_HZ), timeline=timeline)


def test_a_model_that_does_not_tell_says_nothing(tmp_path):
    found = answer(tmp_path, voice(2))
    assert found.familiarity is None
    assert "familiarity" not in found.to_dict()


@pytest.mark.parametrize("timeline", [False, True])
def test_it_falls_with_the_distance_from_training(tmp_path, timeline):
    near = answer(tmp_path, voice(2), timeline, distances=(0.0, 50.0, 100.0))
    far = answer(tmp_path, voice(2), timeline, distances=(0.0, 1e-4, 2e-4))
    assert far.familiarity == 0
    assert 0 < near.familiarity <= 1
    assert near.to_dict()["familiarity"] == near.familiarity


@pytest.mark.parametrize(("seconds", "is_unsure"), [(0.4, True), (2.0, False)])
def test_too_little_sound_is_unsure(tmp_path, seconds, is_unsure):
    found = answer(tmp_path, voice(seconds), unsure_below_s=0.5)
    assert found.abstained is is_unsure
    assert (found.segments[0].label == UNSURE) is is_unsure
    assert found.label in tiny.LABELS, "the best guess stays"
