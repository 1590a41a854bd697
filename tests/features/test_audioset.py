"""The front ends of VGGish and YAMNet against their published definition, written out here in float64."""

from pathlib import Path

import librosa
import numpy as np
import pytest
import soundfile

from intonate import features
from intonate.audio.resample import resample
from intonate.errors import ModelError
from intonate.features.audioset import audioset_patches, htk_filters

RATE = 16_000
VGGISH = {}
YAMNET = {"hop_s": 0.48, "offset": 0.001, "keep_tail": True}
RAVDESS = Path(__file__).parents[3] / "shared/corpora/ravdess"


def noise(samples):
    rng = np.random.default_rng(samples)
    time_s = np.arange(samples) / RATE
    return (0.1 * rng.normal(size=samples) * np.sin(3 * time_s) + 0.2 * np.sin(2 * np.pi * 440 * time_s)).astype("f")


def hz_to_mel(hz):
    return 1127.0 * np.log(1.0 + hz / 700.0)


def published_filters():
    """`spectrogram_to_mel_matrix` of mel_features.py, band by band."""
    bins = hz_to_mel(np.linspace(0.0, 8000.0, 257))
    edges = np.linspace(hz_to_mel(125.0), hz_to_mel(7500.0), 66)
    weights = np.empty((257, 64))
    for band in range(64):
        lower, centre, upper = edges[band : band + 3]
        weights[:, band] = np.maximum(
            0.0, np.minimum((bins - lower) / (centre - lower), (upper - bins) / (upper - centre))
        )
    weights[0, :] = 0.0
    return weights


def published_log_mel(samples, offset):
    samples = np.asarray(samples, np.float64)
    window = 0.5 - 0.5 * np.cos(2 * np.pi / 400 * np.arange(400))
    count = 1 + int(np.floor((len(samples) - 400) / 160))
    frames = np.stack([samples[160 * frame : 160 * frame + 400] * window for frame in range(count)])
    return np.log(np.abs(np.fft.rfft(frames, 512)) @ published_filters() + offset)


def published_patches(log_mel, hop):
    count = 1 + int(np.floor((len(log_mel) - 96) / hop))
    return np.stack([log_mel[hop * patch : hop * patch + 96] for patch in range(count)]).reshape(count, -1)


def vggish(samples):
    """`waveform_to_examples` of vggish_input.py; a clip that gives no patch there is filled up to one."""
    filled = np.pad(samples, (0, max(0, 15_600 - len(samples))))
    return published_patches(published_log_mel(filled, 0.01), 96)


def yamnet(samples):
    """`pad_waveform` and `waveform_to_log_mel_spectrogram_patches` of YAMNet's features.py."""
    least, hop = int((0.96 + 0.025 - 0.010) * RATE), int(0.48 * RATE)
    filled = np.pad(samples, (0, max(0, least - len(samples))))
    filled = np.pad(filled, (0, hop * int(np.ceil((len(filled) - least) / hop)) - (len(filled) - least)))
    return published_patches(published_log_mel(filled, 0.001), 48)


@pytest.mark.parametrize(("params", "published"), [(VGGISH, vggish), (YAMNET, yamnet)], ids=["vggish", "yamnet"])
@pytest.mark.parametrize("samples", [0, 1, 399, 9_000, 15_599, 15_600, 15_601, 31_200, 40_000, 96_003])
def test_patches_are_the_published_ones(params, published, samples):
    ours, theirs = audioset_patches(noise(samples), RATE, **params), published(noise(samples))
    assert ours.dtype == np.float32
    assert ours.shape == theirs.shape
    assert np.abs(ours - theirs).max() <= 1e-4


@pytest.mark.corpora
@pytest.mark.parametrize(("params", "published"), [(VGGISH, vggish), (YAMNET, yamnet)], ids=["vggish", "yamnet"])
def test_patches_of_speech_are_the_published_ones(params, published):
    found = sorted(RAVDESS.rglob("*.flac"))[::300]
    if not found:
        pytest.skip("the corpus RAVDESS is not in ../shared/corpora")
    for path in found:
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
        speech = resample(samples.mean(axis=1), rate, RATE)
        assert np.abs(audioset_patches(speech, RATE, **params) - published(speech)).max() <= 1e-4


def test_the_spectrum_is_librosas():
    """Where librosa can say the same: its window lies in the middle of the transform, so frames begin 56 earlier."""
    samples = noise(15_600)
    spectrum = librosa.stft(np.pad(samples, 56), n_fft=512, hop_length=160, win_length=400, center=False)
    theirs = np.log(np.abs(spectrum.T) @ published_filters() + 0.01)
    np.testing.assert_allclose(audioset_patches(samples, RATE).reshape(96, 64), theirs, atol=1e-4)


def test_filters_are_straight_in_mel():
    np.testing.assert_allclose(htk_filters(), published_filters(), atol=1e-6)
    assert not htk_filters()[0].any()


@pytest.mark.parametrize(
    ("samples", "whole", "kept"),
    [(0, 1, 1), (15_600, 1, 1), (15_601, 1, 2), (23_280, 1, 2), (23_281, 1, 3), (30_960, 2, 3), (48_000, 3, 6)],
)
def test_how_many_patches_a_clip_has(samples, whole, kept):
    assert audioset_patches(noise(samples), RATE, **VGGISH).shape == (whole, 96 * 64)
    assert audioset_patches(noise(samples), RATE, **YAMNET).shape == (kept, 96 * 64)


def test_a_short_clip_ends_in_silence():
    patch = audioset_patches(noise(4_000), RATE).reshape(96, 64)
    assert (patch[:20] > np.log(0.011)).any()
    np.testing.assert_allclose(patch[25:], np.log(0.01), atol=1e-6)


@pytest.mark.parametrize(("hop_s", "rate"), [(0.0, RATE), (-0.1, RATE), (0.97, RATE), (0.96, 44_100)])
def test_what_the_networks_do_not_know_is_refused(hop_s, rate):
    with pytest.raises(ModelError, match="audioset_patches"):
        audioset_patches(noise(20_000), rate, hop_s=hop_s)


def test_it_is_in_the_catalogue():
    assert features.get("audioset_patches") is audioset_patches
