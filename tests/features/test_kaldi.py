"""Filter banks of Kaldi and of Whisper agree with the extractors that models were trained with."""

import numpy as np
import pytest

from intonate.errors import ModelError
from intonate.features.kaldi import FLOOR, kaldi_fbank

RATE_HZ = 16_000


@pytest.fixture(params=(400, 401, 5_003, 160_000))
def sound(request):
    rng = np.random.default_rng(request.param)
    time_s = np.arange(request.param) / RATE_HZ
    return (0.3 * np.sin(2 * np.pi * 220 * time_s) + 0.02 * rng.standard_normal(request.param)).astype(np.float32)


def test_it_is_the_extractor_of_seamless(sound):
    transformers = pytest.importorskip("transformers")
    theirs = transformers.SeamlessM4TFeatureExtractor()._extract_fbank_features(sound)
    ours = kaldi_fbank(sound, RATE_HZ)
    assert ours.shape == theirs.shape
    assert ours.dtype == np.float32
    np.testing.assert_allclose(ours, theirs, atol=2e-3)
    assert np.abs(ours - theirs).mean() < 1e-4


@pytest.mark.filterwarnings("ignore:At least one mel filter has all zero values")
def test_it_is_the_extractor_of_the_audio_spectrogram_transformer(sound):
    transformers = pytest.importorskip("transformers")
    extractor = transformers.ASTFeatureExtractor(do_normalize=False)
    theirs = extractor(sound, sampling_rate=RATE_HZ, return_tensors="np")["input_values"][0]
    ours = kaldi_fbank(sound, RATE_HZ, bands=128, shape="hanning", scale=1.0, rows=1024)
    assert ours.shape == theirs.shape == (1024, 128)
    assert np.abs(ours - theirs).mean() < 1e-4
    np.testing.assert_allclose(ours, theirs, atol=1e-2)


def test_silence_and_nothing_are_the_floor():
    for samples in (0, 1, 399, 4_000):
        assert np.allclose(kaldi_fbank(np.zeros(samples, np.float32), RATE_HZ), np.log(FLOOR))


def test_a_window_that_is_not_known():
    with pytest.raises(ModelError, match="'hann' is not known; known: povey, hanning, hamming"):
        kaldi_fbank(np.zeros(800, np.float32), RATE_HZ, shape="hann")
