"""Descriptors beside librosa's where it has them, and on signals whose answer is known."""

from pathlib import Path

import librosa
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from intonate.audio.decode import load
from intonate.errors import ModelError
from intonate.features.descriptors import CROSSING_ABOVE, DESCRIPTORS, crossing_rate, descriptors
from intonate.features.pooled import pooled

RATE_HZ = 16_000
RAVDESS = Path(__file__).parents[2].parent / "shared" / "corpora" / "ravdess"
TIME = np.arange(RATE_HZ) / RATE_HZ


def noise(samples=20_000, seed=0):
    return np.random.default_rng(seed).normal(0, 0.1, samples).astype(np.float32)


def tone(hz, loud=0.5):
    return (loud * np.sin(2 * np.pi * hz * TIME)).astype(np.float32)


def column(name, sound):
    """One column, without the frames that hang over the edges."""
    return descriptors(sound, RATE_HZ, columns=[name])[3:-3, 0]


def theirs(sound):
    """{column: (frames,)} of what librosa has, on the same frames."""
    count = 1 + len(sound) // 160
    stft = librosa.stft(np.pad(sound, (0, 512)), n_fft=512, hop_length=160, win_length=400, pad_mode="constant")
    power = np.square(np.abs(stft[:, :count]))
    magnitude = np.sqrt(power)
    feature = librosa.feature
    rms = feature.rms(y=sound, frame_length=400, hop_length=160)
    return {
        "centroid": feature.spectral_centroid(S=magnitude, sr=RATE_HZ)[0],
        "bandwidth": feature.spectral_bandwidth(S=magnitude, sr=RATE_HZ)[0],
        "rolloff": feature.spectral_rolloff(S=magnitude, sr=RATE_HZ, roll_percent=0.85)[0],
        "flatness": feature.spectral_flatness(S=magnitude)[0],
        "zero_crossing_rate": feature.zero_crossing_rate(sound, frame_length=400, hop_length=160)[0],
        "energy": librosa.amplitude_to_db(rms, amin=1e-6, top_db=None)[0],
    }


# The largest difference that is allowed, in the column's own unit.
TOLERANCES = {
    "centroid": 0.1, "bandwidth": 0.1, "flatness": 1e-4, "zero_crossing_rate": 1e-6, "energy": 1e-3,
    # One line of the spectrum: where 85 % are reached within a rounding of a line, the two may differ by one.
    "rolloff": 31.26,
}  # fmt: skip


def assert_as_librosa(sound):
    rows = descriptors(sound, RATE_HZ)
    for name, reference in theirs(sound).items():
        ours = rows[:, list(DESCRIPTORS).index(name)]
        assert np.abs(ours - reference).max() <= TOLERANCES[name], name
        if name == "rolloff":
            assert np.mean(np.abs(ours - reference) > 0.1) < 0.01


@pytest.mark.parametrize("samples", [400, 1000, 16_000, 20_001])
def test_noise_is_described_as_by_librosa(samples):
    assert_as_librosa(noise(samples))


def test_tones_and_pauses_are_described_as_by_librosa():
    sound = np.concatenate([tone(220), np.zeros(3000, np.float32), tone(3210, 0.01) + noise(RATE_HZ) / 100])
    assert_as_librosa(sound)


@pytest.mark.corpora
def test_speech_is_described_as_by_librosa():
    clips = sorted(RAVDESS.glob("Actor_0[27]/03-01-0[15]-01-01-01-*"))
    if not clips:
        pytest.skip(f"{RAVDESS} is not here")
    for clip in clips:
        assert_as_librosa(load(clip, RATE_HZ))


@pytest.mark.parametrize("hz", [500, 1000, 3000])
def test_a_sine_is_where_it_is(hz):
    assert column("centroid", tone(hz)) == pytest.approx(hz, abs=25)
    assert column("rolloff", tone(hz)) == pytest.approx(hz, abs=32)
    assert column("bandwidth", tone(hz)).max() < 200
    assert column("zero_crossing_rate", tone(hz)) == pytest.approx(2 * hz / RATE_HZ, abs=0.003)


def test_noise_is_flat_and_a_tone_is_not():
    assert column("flatness", noise()).mean() == pytest.approx(np.exp(-np.euler_gamma), abs=0.03)
    assert column("flatness", tone(1000)).max() < 1e-4
    # Magnitudes of white noise: half of the band on the average, spread as a uniform density.
    assert column("centroid", noise()).mean() == pytest.approx(4000, rel=0.02)
    assert column("bandwidth", noise()).mean() == pytest.approx(8000 / np.sqrt(12), rel=0.03)
    assert column("rolloff", noise()).mean() == pytest.approx(0.85 * 8000, rel=0.02)


def test_flux_is_zero_where_nothing_changes():
    assert column("flux", np.ones(8000, np.float32)).max() < 1e-5
    # A hop holds ten whole periods of 1 kHz.
    assert column("flux", tone(1000)).max() < 1e-3
    assert not descriptors(np.zeros(8000, np.float32), RATE_HZ, columns=["flux"]).any()


def test_flux_shows_where_the_sound_changes_and_does_not_know_the_gain():
    # A tone jumps: two spectra without anything in common are the root of two apart.
    jump = np.concatenate([tone(500), tone(3000)])
    flux = descriptors(jump, RATE_HZ, columns=["flux"])[:, 0]
    assert 98 <= flux.argmax() <= 102
    assert flux.max() > 0.5
    assert flux.max() <= np.sqrt(2) + 1e-5
    assert column("flux", noise()).mean() > 0.3
    np.testing.assert_allclose(column("flux", noise() / 50), column("flux", noise()), atol=1e-4)


def test_the_energy_is_in_decibels_of_full_scale():
    assert column("energy", tone(1000, 1.0)) == pytest.approx(-3.01, abs=0.01)
    assert column("energy", tone(1000, 0.1)) == pytest.approx(-23.01, abs=0.01)
    assert column("energy", np.zeros(8000, np.float32)) == pytest.approx(-120)


def test_pitch_is_in_semitones_and_goes_on_where_there_is_no_voice():
    buzz = sum(np.sin(2 * np.pi * 200 * n * TIME) / n for n in range(1, 12)).astype(np.float32)
    assert column("pitch", buzz) == pytest.approx(12, abs=0.1)
    octave_down = sum(np.sin(2 * np.pi * 100 * n * TIME) / n for n in range(1, 24)).astype(np.float32)
    pitch, voicing = descriptors(
        np.concatenate([buzz, np.zeros(RATE_HZ, np.float32), octave_down]), RATE_HZ, columns=["pitch", "voicing"]
    ).T
    silent = slice(104, 197)
    assert (voicing[silent] < 0.5).all()
    assert (np.diff(pitch[silent]) < 0).all(), "from 12 semitones down to 0"
    assert pitch[150] == pytest.approx(6, abs=1)
    assert not descriptors(np.zeros(8000, np.float32), RATE_HZ, columns=["pitch", "voicing"]).any()


def test_columns_are_chosen_and_come_in_their_order():
    everything = descriptors(noise(), RATE_HZ)
    assert everything.shape == (126, len(DESCRIPTORS))
    for place, name in enumerate(DESCRIPTORS):
        np.testing.assert_array_equal(descriptors(noise(), RATE_HZ, columns=[name])[:, 0], everything[:, place])
    two = descriptors(noise(), RATE_HZ, columns=["energy", "centroid"])
    np.testing.assert_array_equal(two[:, 1], everything[:, 0])


def test_pooled_they_are_statistics_of_the_utterance():
    vector = pooled(
        tone(1000), RATE_HZ, of="descriptors", params={"columns": ["centroid", "energy"]}, statistics=["median", "sd"]
    )
    assert vector[:2] == pytest.approx([1000, -9.03], abs=5)


def test_what_is_not_known_is_said():
    with pytest.raises(ModelError, match="did you mean 'centroid'"):
        descriptors(noise(), RATE_HZ, columns=["centroids"])
    with pytest.raises(ModelError, match="columns is empty; name at least one of centroid, bandwidth"):
        descriptors(noise(), RATE_HZ, columns=[])
    with pytest.raises(ValueError, match="made for 16000 Hz, got 8000"):
        descriptors(noise(), 8000)
    assert descriptors(noise(), 8000, columns=["centroid", "flux"]).shape == (126, 2)


@given(
    samples=st.integers(0, 200),
    frame=st.integers(1, 40),
    hop=st.integers(1, 40),
    seed=st.integers(0, 99),
)
def test_crossings_are_counted_as_they_are_defined(samples, frame, hop, seed):
    waveform = np.random.default_rng(seed).choice([-1, -1e-12, 0, 1], samples).astype(np.float32)
    negative = [bool(value < -CROSSING_ABOVE) for value in waveform]
    expected = []
    for centre in range(0, samples + 1, hop):
        pairs = range(max(centre - frame // 2, 0) + 1, min(centre - frame // 2 + frame, samples))
        expected.append(sum(negative[place] != negative[place - 1] for place in pairs) / frame)
    np.testing.assert_allclose(crossing_rate(waveform, frame, hop), expected, atol=1e-7)
