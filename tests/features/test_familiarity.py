"""How far a clip lies from the corpora of the training."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from intonate.features.familiarity import clip_means, distance, regions_of

RNG = np.random.default_rng(0)
NEAR, FAR = RNG.normal(0, 1, (200, 6)), RNG.normal(20, 3, (50, 6))


def test_each_corpus_is_as_near_as_any_other():
    regions = regions_of([NEAR, FAR])
    near, far = (np.median([distance(clip, regions) for clip in clips.astype(np.float32)]) for clips in (NEAR, FAR))
    assert near == pytest.approx(far, rel=0.8)
    assert max(near, far) < 1.5
    between = distance(np.full(6, 8, np.float32), regions)
    assert between > 3, "the middle of all corpora is where none of them is"


@given(rows=st.integers(1, 5), columns=st.integers(1, 4))
def test_frames_count_by_their_mean(rows, columns):
    clip = np.arange(rows * columns, dtype=np.float32).reshape(rows, columns)
    regions = regions_of([np.ones((3, columns)), np.zeros((2, columns))])
    assert distance(clip, regions) == pytest.approx(distance(clip.mean(axis=0), regions), rel=1e-5)


def test_a_column_that_never_varies_divides_by_no_zero():
    (region,) = regions_of([clip_means([np.ones((4, 2), np.float32)] * 3)])
    assert region.mean == (1.0, 1.0)
    assert all(sd > 0 for sd in region.sd)
    assert distance(np.ones(2, np.float32), (region,)) == 0
