"""Whisper's log-mel: the same as transformers' own extractor, for clips as long as they are."""

import numpy as np
import pytest

from intonate import features


@pytest.mark.parametrize("samples", [401, 7_919, 48_000, 100_000])
def test_it_is_that_of_transformers(samples):
    transformers = pytest.importorskip("transformers")
    waveform = np.random.default_rng(samples).standard_normal(samples).astype(np.float32) * np.linspace(0, 1, samples)
    waveform = waveform.astype(np.float32)
    extractor = transformers.WhisperFeatureExtractor(feature_size=80)
    wanted = extractor(waveform, sampling_rate=16_000, padding=False, truncation=False, return_tensors="np")
    found = features.get("whisper_log_mel")(waveform, 16_000)
    assert found.shape == (samples // 160, 80)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, wanted.input_features[0].T, atol=1e-4)


@pytest.mark.parametrize("samples", [0, 1, 159])
def test_less_than_a_frame_is_one_frame(samples):
    found = features.get("whisper_log_mel")(np.full(samples, 0.1, np.float32), 16_000)
    assert found.shape == (1, 80)
    assert np.isfinite(found).all()


def test_nothing_is_more_than_80_db_under_the_loudest():
    time_s = np.arange(16_000) / 16_000
    found = features.get("whisper_log_mel")(np.sin(2 * np.pi * 440 * time_s).astype(np.float32), 16_000)
    assert found.max() - found.min() == pytest.approx(2.0)


@pytest.mark.parametrize(("bands", "seconds"), [(80, 3), (128, 3), (80, 40)])
def test_padded_it_is_that_of_transformers_too(bands, seconds):
    """With silence behind a shorter clip, and without what is beyond 30 s of a longer one."""
    transformers = pytest.importorskip("transformers")
    waveform = np.random.default_rng(0).standard_normal(seconds * 16_000).astype(np.float32) * np.float32(0.1)
    extractor = transformers.WhisperFeatureExtractor(feature_size=bands)
    wanted = extractor(waveform, sampling_rate=16_000, return_tensors="np")["input_features"][0].T
    found = features.get("whisper_log_mel")(waveform, 16_000, bands=bands, seconds=30)
    assert found.shape == wanted.shape == (3000, bands)
    np.testing.assert_allclose(found, wanted, atol=1e-4)


def test_the_rows_of_the_clip_are_marked():
    waveform = np.random.default_rng(0).standard_normal(16_100).astype(np.float32)
    found = features.get("whisper_log_mel")(waveform, 16_000, seconds=3, mark=True)
    assert found.shape == (300, 81)
    assert found[:, -1].tolist() == [1.0] * 100 + [0.0] * 200
    np.testing.assert_array_equal(found[:, :-1], features.get("whisper_log_mel")(waveform, 16_000, seconds=3))
    assert features.get("whisper_log_mel")(waveform, 16_000, mark=True)[:, -1].all()
