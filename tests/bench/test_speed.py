"""What a fit costs: its answer is timed on a sound that a model is asked about."""

import pytest

from intonate.bench import speed
from intonate.recognizer.recognizer import load_model


@pytest.mark.parametrize("name", ["compact", "standard"])
def test_the_timed_sound_is_taken_for_a_voice(name):
    recognizer = load_model(name)
    rate_hz = recognizer.spec.sample_rate_hz
    assert recognizer.predict((speed._buzz(rate_hz), rate_hz)).segments[0].speech


def test_an_answer_takes_longer_with_the_longer_sound(monkeypatch, tmp_path):
    from intonate.recognizer import builtin

    monkeypatch.setattr(speed, "ROUNDS", 3)
    short = speed.milliseconds(builtin.path_of("compact"))
    monkeypatch.setattr(speed, "CLIP_S", 30.0)
    assert 0 < short < speed.milliseconds(builtin.path_of("compact"))
