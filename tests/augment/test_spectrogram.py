"""Changes of a log-mel: any draw is finite and repeatable, and no limits mean no change."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from intonate.augment.spectrogram import SpectrogramAugment, apply, draw

LIMITS = st.builds(
    SpectrogramAugment,
    crop=st.sampled_from([0, 1, 7, 250]),
    stretch=st.floats(0, 0.5),
    warp=st.floats(0, 0.3),
    noise=st.sampled_from([0.0, 1.0]),
    bands=st.integers(0, 12),
    frames=st.integers(0, 30),
)
FEATURES = st.tuples(st.integers(1, 60), st.integers(12, 24)).flatmap(
    lambda shape: arrays(np.float32, shape, elements=st.floats(-10, 10, width=32))
)
NOTHING = SpectrogramAugment(crop=0, stretch=0.0, warp=0.0, noise=0.0, bands=0, frames=0)


@settings(max_examples=40, deadline=None)
@given(FEATURES, LIMITS, st.integers(0, 2**32 - 1))
def test_any_change_is_finite_pure_and_of_the_drawn_length(features, limits, seed):
    before = features.copy()
    drawn = draw(limits, *features.shape, np.random.default_rng(seed))
    changed = apply(features, drawn)
    assert changed.shape == (drawn.length, features.shape[1])
    assert changed.dtype == np.float32
    assert 1 <= drawn.length <= (limits.crop or int(len(features) * (1 + limits.stretch)) + 1)
    assert np.isfinite(changed).all()
    np.testing.assert_array_equal(apply(features, drawn), changed)
    np.testing.assert_array_equal(features, before, err_msg="the features themselves are left alone")


@settings(max_examples=20, deadline=None)
@given(FEATURES, st.integers(0, 2**32 - 1))
def test_without_noise_nothing_is_louder_than_before(features, seed):
    limits = SpectrogramAugment(noise=0.0)
    changed = apply(features, draw(limits, *features.shape, np.random.default_rng(seed)))
    assert changed.max() <= max(features.max(), 0) + 1e-4
    assert changed.min() >= min(features.min(), 0) - 1e-4


@settings(max_examples=20, deadline=None)
@given(st.integers(2, 60), st.integers(12, 24), st.integers(0, 2**32 - 1))
def test_limits_of_nothing_change_a_flat_spectrum_nowhere(frames, bands, seed):
    # Seen over time only: the mel axis always moves by up to one band.
    features = np.repeat(np.arange(frames, dtype=np.float32)[:, None], bands, axis=1)
    drawn = draw(NOTHING, frames, bands, np.random.default_rng(seed))
    assert abs(drawn.shift) <= 1
    np.testing.assert_allclose(apply(features, drawn), features, rtol=1e-6)


def test_the_same_seed_draws_the_same():
    limits = SpectrogramAugment()
    one, other = (draw(limits, 100, 80, np.random.default_rng(5)) for _ in range(2))
    assert (one.start, one.stretch, one.masks_time) == (other.start, other.stretch, other.masks_time)


def test_masks_are_zero_and_within():
    limits = SpectrogramAugment(crop=0, stretch=0.0, noise=0.0, bands=12, frames=30)
    for seed in range(50):
        drawn = draw(limits, 100, 80, np.random.default_rng(seed))
        changed = apply(np.ones((100, 80), np.float32), drawn)
        for start, width in drawn.masks_time:
            assert width <= 25
            assert not changed[start : start + width].any()
        for start, width in drawn.masks_bands:
            assert width <= 12
            assert not changed[:, start : start + width].any()
