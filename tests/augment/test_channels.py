"""What microphones, lines and codecs do: each transform of the catalogue, and steps that are drawn by chance."""

import numpy as np
import pytest

from intonate.audio.resample import resample
from intonate.augment import channels
from intonate.augment.waveform import TRANSFORMS, apply, check, draw
from intonate.errors import RecipeError

RATE_HZ = 16_000
OWN = ("equalise", "codec", "hum", "rumble", "coloured", "offset", "overdrive", "level", "excerpt")


@pytest.fixture
def voice():
    time_s = np.arange(2 * RATE_HZ) / RATE_HZ
    return (0.2 * np.sin(2 * np.pi * 220 * time_s) * np.sin(2 * np.pi * 3 * time_s)).astype(np.float32)


@pytest.mark.parametrize("name", OWN)
def test_each_changes_the_clip_the_same_way_twice(name, voice):
    drawn = draw([{"transform": name}], np.random.default_rng(1))
    once, twice = apply(voice, RATE_HZ, drawn), apply(voice, RATE_HZ, drawn)
    assert once.dtype == np.float32
    assert np.isfinite(once).all()
    assert not np.array_equal(once, voice)
    assert len(once) == len(voice) or name == "excerpt"
    np.testing.assert_array_equal(once, twice)


@pytest.mark.parametrize("kind", [0, 1])
@pytest.mark.parametrize("compression", [0.7, 0.98])
def test_codecs_keep_the_voice_in_its_place(kind, compression, voice):
    coded = channels.codec(voice, RATE_HZ, kind, compression)
    assert np.corrcoef(coded, voice)[0, 1] > 0.9


@pytest.mark.parametrize("rate_hz", [7_000, 11_025, 24_414, 44_100, 96_000])
@pytest.mark.parametrize("kind", [0, 1])
def test_codecs_take_rates_that_they_do_not_know(kind, rate_hz, voice):
    clip = resample(voice, RATE_HZ, rate_hz)
    coded = apply(clip, rate_hz, draw([{"transform": "codec", "kind": kind}], np.random.default_rng(0)))
    assert len(coded) == len(clip)
    assert np.corrcoef(coded, clip)[0, 1] > 0.9


def test_strengths_are_those_that_were_asked_for(voice):
    silence = np.zeros(RATE_HZ, np.float32)
    assert np.sqrt(np.square(channels.hum(silence, RATE_HZ, 50, -40, 0)).mean()) == pytest.approx(0.01, rel=1e-2)
    assert np.abs(channels.rumble(silence, RATE_HZ, -40)).max() == pytest.approx(0.01, rel=1e-3)
    assert np.abs(channels.level(voice, RATE_HZ, -20)).max() == pytest.approx(0.1, abs=1e-4)
    assert np.abs(channels.overdrive(voice, RATE_HZ, 0.5)).max() == pytest.approx(np.abs(voice).max() / 2)
    noise = channels.coloured(voice, RATE_HZ, 10, 0.5) - voice
    assert np.square(voice).mean() / np.square(noise).mean() == pytest.approx(10, rel=1e-3)


def test_a_step_by_chance_is_left_out_of_the_others():
    steps = [{"transform": "offset", "chance": 0.3}]
    counts = [len(draw(steps, np.random.default_rng(seed))) for seed in range(500)]
    assert 0.2 < np.mean(counts) < 0.4
    assert "chance" not in draw([{"transform": "offset", "chance": 1}], np.random.default_rng(0))[0]


@pytest.mark.parametrize("chance", [0, 1.5])
def test_an_impossible_chance_is_refused(chance):
    with pytest.raises(RecipeError, match="chance"):
        check([{"transform": "offset", "chance": chance}])


def test_all_are_in_the_catalogue():
    assert set(OWN) <= set(TRANSFORMS)
