"""The pitch of voices made to order, and of real ones beside librosa's pYIN."""

from pathlib import Path

import librosa
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from intonate.audio.decode import load
from intonate.features import prosody
from intonate.features.prosody import VOICED_ABOVE, pitch

RATE_HZ = 16_000
RAVDESS = Path(__file__).parents[2].parent / "shared" / "corpora" / "ravdess"


def voice(f0_hz: float, seconds: float = 0.6, tilt: float = 1.0) -> np.ndarray:
    """A harmonic tone; the n-th harmonic has the amplitude n^-tilt, as a glottis has about 1 to 2."""
    time = np.arange(int(seconds * RATE_HZ)) / RATE_HZ
    harmonics = np.arange(1, int(3500 / f0_hz) + 1)
    sound = sum(n**-tilt * np.sin(2 * np.pi * n * f0_hz * time + n) for n in harmonics)
    return (0.2 * sound).astype(np.float32)


@pytest.mark.parametrize("tilt", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("f0_hz", [70, 82.4, 100, 123.5, 155, 200, 247, 311, 392, 450])
def test_a_steady_voice_is_heard_within_one_percent(f0_hz, tilt):
    found, strength = (track[6:-6] for track in pitch(voice(f0_hz, tilt=tilt), RATE_HZ))
    # All frames: an octave error would be a factor of two.
    assert np.abs(found / f0_hz - 1).max() < 0.01
    assert strength.min() > 0.8


THIRD = "the lag of 300 Hz falls between two samples of the quarter rate, three of them on one: a third is heard"


@pytest.mark.parametrize("f0_hz", [90, 180, 250, pytest.param(300, marks=pytest.mark.xfail(strict=True, reason=THIRD))])
def test_a_missing_fundamental_is_heard_all_the_same(f0_hz):
    time = np.arange(RATE_HZ) / RATE_HZ
    telephone = sum(np.sin(2 * np.pi * n * f0_hz * time) for n in range(2, 7)).astype(np.float32)
    assert np.abs(pitch(telephone, RATE_HZ)[0][6:-6] / f0_hz - 1).max() < 0.01


@pytest.mark.parametrize("seed", range(5))
def test_noise_has_no_voice(seed):
    hiss = np.random.default_rng(seed).normal(0, 0.1, RATE_HZ).astype(np.float32)
    assert (pitch(hiss, RATE_HZ)[1] > VOICED_ABOVE).mean() < 0.1


@pytest.mark.parametrize("sound", [np.zeros(8000), np.ones(8000), np.linspace(-1, 1, 8000)], ids=["0", "dc", "ramp"])
def test_what_does_not_swing_has_no_voice(sound):
    strength = pitch(sound.astype(np.float32), RATE_HZ)[1]
    # The cut ends of a constant are an edge; nothing else is.
    assert (strength[5:-5] <= VOICED_ABOVE).all()


def test_the_gain_does_not_matter():
    sound = voice(140) + 0.01 * np.random.default_rng(0).normal(size=9600).astype(np.float32)
    (loud_hz, loud), (soft_hz, soft) = pitch(sound, RATE_HZ), pitch(sound / np.float32(64), RATE_HZ)
    np.testing.assert_allclose(soft_hz, loud_hz, rtol=1e-3)
    np.testing.assert_allclose(soft, loud, atol=1e-3)


@settings(max_examples=60, deadline=None)
@given(samples=st.integers(0, 4000), scale=st.sampled_from([0.0, 1e-6, 0.1, 1.0, 1000.0]), seed=st.integers(0, 99))
def test_any_finite_sound_has_a_track_within_its_bounds(samples, scale, seed):
    sound = np.clip(scale * np.random.default_rng(seed).normal(size=samples), -1000, 1000).astype(np.float32)
    found, strength = pitch(sound, RATE_HZ)
    assert found.shape == strength.shape == (1 + samples // 160,)
    assert found.dtype == strength.dtype == np.float32
    assert ((found > 58) & (found < 540)).all()
    assert ((strength >= 0) & (strength <= 1)).all()


def test_another_rate_is_refused():
    with pytest.raises(ValueError, match="made for 16000 Hz, got 8000"):
        pitch(voice(100), 8000)


@pytest.mark.slow
@pytest.mark.corpora
def test_real_voices_are_heard_as_by_pyin():
    # Slow for librosa's part: its pYIN is compiled on the first call.
    clips = [path for actor in (1, 2, 9, 16) for path in sorted(RAVDESS.glob(f"Actor_{actor:02}/03-01-05-02-01-01-*"))]
    if not clips:
        pytest.skip(f"{RAVDESS} is not here")
    apart = []
    for path in clips:
        sound = load(path, RATE_HZ)[RATE_HZ // 2 : 3 * RATE_HZ]
        ours, strength = pitch(sound, RATE_HZ)
        theirs, voiced, _ = librosa.pyin(
            sound, fmin=60, fmax=500, sr=RATE_HZ, frame_length=1024, hop_length=160, resolution=0.2, pad_mode="constant"
        )
        both = voiced & (strength > VOICED_ABOVE)
        assert both.sum() > 0.5 * voiced.sum(), path
        apart.append(np.median(np.abs(12 * np.log2(ours[both] / theirs[both]))))
    assert np.mean(np.array(apart) < 0.5) >= 0.75, np.round(apart, 2)


@pytest.mark.parametrize("hop", [160, 40])
@pytest.mark.parametrize("samples", [49_999, 96_000, 96_003])
def test_a_long_sound_is_tracked_block_by_block_as_at_once(samples, hop, monkeypatch):
    sound = np.random.default_rng(samples).normal(0, 0.1, samples).astype(np.float32)
    at_once = pitch(sound, RATE_HZ, hop=hop)
    monkeypatch.setattr(prosody, "BLOCK", 97)
    for found, expected in zip(pitch(sound, RATE_HZ, hop=hop), at_once, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
