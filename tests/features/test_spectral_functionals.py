"""librosa, with its tuning fixed, is the reference: every column within a thousandth.

The bar, for every clip and each of the 94 columns: the difference is at most a thousandth of the column's standard
deviation over the clips; and in the columns that are never negative (all but the MFCC, which may lie near zero by
chance) also at most a thousandth of librosa's own value.
"""

from pathlib import Path

import librosa
import numpy as np
import pytest

from intonate.audio.decode import load
from intonate.features.spectral_functionals import NOTES, SPECTRAL_COLUMNS, chroma_filters, spectral_functionals

RATE_HZ = 16_000
CORPORA = Path(__file__).parents[2].parent / "shared" / "corpora"


def theirs(waveform, rate_hz=RATE_HZ):
    feature = librosa.feature
    rows = (
        feature.chroma_stft(y=waveform, sr=rate_hz, tuning=0.0),
        feature.melspectrogram(y=waveform, sr=rate_hz, n_mels=60),
        feature.mfcc(y=waveform, sr=rate_hz, n_mfcc=20),
        feature.zero_crossing_rate(waveform),
        feature.spectral_centroid(y=waveform, sr=rate_hz),
    )
    return np.concatenate([row.mean(axis=1) for row in rows])


def ours(waveform, rate_hz=RATE_HZ):
    return spectral_functionals(waveform, rate_hz)


def sounds():
    """Noises, tones, glides, steps and pauses, made to order: lengths from one transform to some seconds."""
    rng = np.random.default_rng(0)
    time = np.arange(3 * RATE_HZ) / RATE_HZ
    glide = np.sin(2 * np.pi * np.cumsum(150 + 60 * np.sin(5 * time)) / RATE_HZ)
    buzz = sum(np.sin(2 * np.pi * 180 * n * time) / n for n in range(1, 30))
    paused = glide * (np.sin(4 * time) > 0)
    made = [
        rng.normal(0, 0.1, 2048), rng.normal(0, 0.01, 2049), rng.normal(0, 1, 30_001), 0.3 * glide + 1e-3, 0.1 * buzz,
        paused + rng.normal(0, 1e-3, len(time)), np.sign(glide), np.cumsum(rng.normal(0, 1e-3, 20_000)),
        0.1 * buzz * np.linspace(0, 1, len(time)) ** 4 + rng.normal(0, 1e-4, len(time)), rng.uniform(-1, 1, 9999) ** 9,
    ]  # fmt: skip
    return [sound.astype(np.float32) for sound in made]


def close(ours, reference):
    apart = np.abs(ours - reference)
    positive = np.array([not name.startswith("mfcc") for name in SPECTRAL_COLUMNS])
    values = np.where(positive, reference, np.inf)
    for what, scale in (("deviation", reference.std(axis=0)), ("value", values)):
        worst = (apart / np.maximum(scale, 1e-12)).max(axis=0)
        assert worst.max() <= 1e-3, (what, SPECTRAL_COLUMNS[worst.argmax()], worst.max())


def test_made_sounds_are_as_in_librosa():
    close(*(np.stack([function(sound) for sound in sounds()]) for function in (ours, theirs)))


@pytest.mark.corpora
def test_speech_is_as_in_librosa():
    paths = [
        *sorted((CORPORA / "ravdess").glob("Actor_0*/03-01-0[1357]-01-02-01-*"))[::3],
        *sorted((CORPORA / "emodb").rglob("*.ogg"))[::50],
        *sorted((CORPORA / "emodb").rglob("*.wav"))[::50],
    ]
    if not paths:
        pytest.skip(f"{CORPORA} is not here")
    clips = [load(path, RATE_HZ) for path in paths]
    assert len(clips) >= 8
    close(*(np.stack([function(clip) for clip in clips]) for function in (ours, theirs)))


@pytest.mark.parametrize("rate_hz", [8_000, 22_050, 44_100])
def test_other_rates_are_as_in_librosa(rate_hz):
    close(*(np.stack([function(sound, rate_hz) for sound in sounds()[:5]]) for function in (ours, theirs)))


@pytest.mark.parametrize(("rate_hz", "n_fft"), [(16_000, 2048), (22_050, 2048), (8_000, 512)])
def test_the_chroma_filters_are_librosas(rate_hz, n_fft):
    reference = librosa.filters.chroma(sr=rate_hz, n_fft=n_fft, tuning=0.0).T
    np.testing.assert_allclose(chroma_filters(rate_hz, n_fft), reference, rtol=1e-5, atol=1e-9)


def test_ninety_four_columns_with_a_name_each():
    assert len(SPECTRAL_COLUMNS) == len(set(SPECTRAL_COLUMNS)) == 94
    assert spectral_functionals(sounds()[0], RATE_HZ).shape == (94,)


@pytest.mark.parametrize(("hz", "note"), [(440.0, "a"), (261.63, "c"), (329.63, "e"), (1108.73, "c_sharp")])
def test_a_note_lights_its_own_chroma(hz, note):
    tone = np.sin(2 * np.pi * hz * np.arange(RATE_HZ) / RATE_HZ).astype(np.float32)
    columns = dict(zip(SPECTRAL_COLUMNS, spectral_functionals(tone, RATE_HZ), strict=True))
    assert max(NOTES, key=lambda name: columns[f"chroma_{name}"]) == note


def test_a_tone_has_its_centroid_and_its_crossings():
    tone = np.sin(2 * np.pi * 1000 * np.arange(4 * RATE_HZ) / RATE_HZ).astype(np.float32)
    columns = dict(zip(SPECTRAL_COLUMNS, spectral_functionals(tone, RATE_HZ), strict=True))
    assert columns["spectral_centroid"] == pytest.approx(1000, rel=0.05)
    # Two crossings in 16 samples; fewer at the ends, where half a frame is empty.
    assert columns["zero_crossing_rate"] == pytest.approx(2 / 16, rel=0.02)


def test_silence_has_no_centroid_and_no_chroma():
    columns = dict(zip(SPECTRAL_COLUMNS, spectral_functionals(np.zeros(8000, np.float32), RATE_HZ), strict=True))
    assert columns.pop("mfcc_0") == pytest.approx(-100 * np.sqrt(128), rel=1e-5)
    assert max(map(abs, columns.values())) < 1e-3
