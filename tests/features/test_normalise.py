"""The running estimate of a speaker: what it is after no clip, one, and many."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from intonate.features.normalise import Moments, SpeakerStatistics, centre_and_scale, normalise
from intonate.schema import Normalisation

COLUMNS = 3
CLIPS = st.lists(
    arrays.arrays(np.float32, st.tuples(st.integers(1, 6), st.just(COLUMNS)), elements=st.floats(-50, 50, width=32)),
    min_size=1,
    max_size=5,
)


def speaker(prior=10.0, prior_sd=0.0, clip=0.0) -> Normalisation:
    return Normalisation("speaker", (1.0, 2.0, 3.0), (1.0, 0.5, 2.0), (prior,) * COLUMNS, prior_sd, clip)


def rows(count: int, seed: int = 0, mean: float = 5.0, sd: float = 2.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(mean, sd, (count, COLUMNS)).astype(np.float32)


def same(one: Moments, other: Moments) -> None:
    assert one.count == other.count
    np.testing.assert_allclose(one.total, other.total, atol=1e-6)
    np.testing.assert_allclose(one.squares, other.squares, rtol=1e-9, atol=1e-6)


@settings(max_examples=40, deadline=None)
@given(clips=CLIPS)
def test_moments_of_parts_add_up_to_those_of_the_whole(clips):
    same(sum(Moments.of(clip) for clip in clips), Moments.of(np.concatenate(clips)))


@settings(max_examples=40, deadline=None)
@given(a=CLIPS, b=CLIPS, c=CLIPS)
def test_moments_may_be_added_in_any_way(a, b, c):
    a, b, c = (sum(Moments.of(clip) for clip in clips) for clips in (a, b, c))
    same((a + b) + c, a + (b + c))
    same(a + b, b + a)


def test_a_vector_is_one_row():
    same(Moments.of(np.array([1, 2, 3], np.float32)), Moments(1.0, np.array([1.0, 2, 3]), np.array([1.0, 4, 9])))


@settings(max_examples=40, deadline=None)
@given(clips=CLIPS, order=st.randoms(use_true_random=False))
def test_the_order_of_what_was_heard_does_not_matter(clips, order):
    shuffled = list(clips)
    order.shuffle(shuffled)
    one, other = SpeakerStatistics(), SpeakerStatistics()
    for clip in clips:
        one.update("mel", clip)
    for clip in shuffled:
        other.update("mel", clip)
    same(one.get("mel"), other.get("mel"))


def test_inputs_and_copies_do_not_mix():
    heard = SpeakerStatistics()
    assert heard.get("mel") is None
    heard.update("mel", rows(4))
    later = heard.copy()
    later.update("mel", rows(4, seed=1))
    later.update("functionals", rows(1)[0])
    assert heard.get("mel").count == 4
    assert heard.get("functionals") is None
    assert (later.get("mel").count, later.get("functionals").count) == (8, 1)


@settings(max_examples=40, deadline=None)
@given(clips=CLIPS, prior=st.floats(0.5, 500), prior_sd=st.floats(0.5, 500))
def test_the_running_estimate_is_the_prior_rows_beside_the_heard(clips, prior, prior_sd):
    normalisation = speaker(prior, prior_sd)
    mean, sd = centre_and_scale(normalisation, sum(Moments.of(clip) for clip in clips))
    heard = np.concatenate(clips).astype(np.float64)
    direct = (prior * np.array(normalisation.mean) + heard.sum(axis=0)) / (prior + len(heard))
    around = np.square(heard - direct).sum(axis=0)
    variance = (prior_sd * np.square(normalisation.sd) + around) / (prior_sd + len(heard))
    np.testing.assert_allclose(mean, direct, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(sd, np.sqrt(variance), rtol=1e-4, atol=1e-4)


def test_a_column_without_prior_is_zero_for_a_clip_alone():
    normalisation = Normalisation("speaker", (1.0, 2.0, 3.0), (1.0, 1.0, 1.0), (10.0, 0.0, 10.0), 10.0)
    alone = normalise(np.array([7, 8, 9], np.float32), normalisation)
    assert alone[1] == 0
    assert alone[0] != 0
    beside = sum(Moments.of(np.array([0, level, 0], np.float32)) for level in (4, 6, 8))
    assert normalise(np.array([7, 8, 9], np.float32), normalisation, beside)[1] > 0


def test_many_clips_approach_the_speakers_own_mean():
    away = []
    for count in (0, 10, 100, 10_000):
        heard = Moments.of(np.concatenate([rows(1), rows(count, seed=1)]))
        mean, _ = centre_and_scale(speaker(prior=50.0, prior_sd=50.0), heard)
        away.append(float(np.abs(mean - 5).max()))
    assert away == sorted(away, reverse=True)
    assert away[0] > 1.5
    assert away[-1] < 0.1
    _, sd = centre_and_scale(speaker(prior=50.0, prior_sd=50.0), heard)
    np.testing.assert_allclose(sd, 2, atol=0.05)


def test_by_the_clip_each_column_has_mean_zero_and_deviation_one():
    scaled = normalise(rows(500), Normalisation("clip", (0.0,) * COLUMNS, (1.0,) * COLUMNS))
    np.testing.assert_allclose(scaled.mean(axis=0), 0, atol=1e-4)
    np.testing.assert_allclose(scaled.std(axis=0), 1, atol=1e-3)
    assert scaled.dtype == np.float32


def test_by_the_corpus_nothing_that_was_heard_counts():
    normalisation = Normalisation("corpus", (1.0, 2.0, 3.0), (1.0, 0.5, 2.0))
    features = np.array([[2, 3, 7]], np.float32)
    np.testing.assert_allclose(normalise(features, normalisation), [[1, 2, 2]])
    np.testing.assert_allclose(normalise(features, normalisation, Moments.of(rows(99))), [[1, 2, 2]])


def test_what_is_far_out_is_limited():
    normalisation = Normalisation("corpus", (0.0,), (1.0,), clip=3.0)
    np.testing.assert_array_equal(normalise(np.array([-9, 1, 9], np.float32)[:, None], normalisation)[:, 0], [-3, 1, 3])


@pytest.mark.parametrize("kind", ["clip", "corpus", "speaker"])
def test_a_constant_column_stays_finite(kind):
    normalisation = Normalisation(kind, (1.0,), (0.0,), (0.0,), 0.0)
    assert np.isfinite(normalise(np.ones((9, 1), np.float32), normalisation)).all()


def test_none_changes_nothing_and_the_unknown_is_refused():
    features = rows(3)
    assert normalise(features, None) is features
    with pytest.raises(ValueError, match=r"'z-score' is not known .*clip, corpus, speaker"):
        normalise(features, Normalisation("z-score", (0.0,), (1.0,)))
