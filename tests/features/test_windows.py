"""Every frame is in a window, in its place; what is missing at the end is zero."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from intonate import features
from intonate.errors import ModelError
from intonate.features.windows import overlapping, windows

RATE_HZ = 16_000


def by_hand(rows, length, hop):
    cut, start = [], 0
    while True:
        window = np.zeros((length, *rows.shape[1:]), rows.dtype)
        window[: len(rows[start : start + length])] = rows[start : start + length]
        cut.append(window)
        if start + length >= len(rows):
            return np.stack(cut)
        start += hop


@given(
    count=st.integers(0, 40), length=st.integers(1, 15), data=st.data(), shape=st.sampled_from([(), (3,), (2, 2)])
)  # fmt: skip
def test_windows_are_cut_as_by_hand(count, length, data, shape):
    hop = data.draw(st.integers(1, length))
    rows = 1 + np.arange(count * int(np.prod(shape)), dtype=np.float32).reshape(count, *shape)
    cut = overlapping(rows, length, hop)
    np.testing.assert_array_equal(cut, by_hand(rows, length, hop))
    assert len(cut) == 1 + max(0, int(np.ceil((count - length) / hop)))
    assert set(np.unique(rows)) <= set(np.unique(cut)), "no row is left out"


def test_a_window_holds_its_rows_one_after_the_other():
    sound = np.random.default_rng(0).normal(size=2 * RATE_HZ).astype(np.float32)
    rows = features.get("mfcc")(sound, RATE_HZ, coefficients=5)  # 201 of them
    cut = windows(sound, RATE_HZ, of="mfcc", params={"coefficients": 5}, length=50, hop=20)
    assert cut.shape == (9, 250)
    np.testing.assert_array_equal(cut[3], rows[60:110].ravel())
    # The ninth begins with row 160: 41 rows are left.
    np.testing.assert_array_equal(cut[8], np.r_[rows[160:].ravel(), np.zeros(45)])


def test_a_clip_shorter_than_a_window_is_one_window_with_zeros_behind():
    sound = np.random.default_rng(0).normal(size=1600).astype(np.float32)
    cut = windows(sound, RATE_HZ, of="mfcc", length=50, hop=25)
    assert cut.shape == (1, 1000)
    np.testing.assert_array_equal(cut[0, : 11 * 20], features.get("mfcc")(sound, RATE_HZ).ravel())
    assert not cut[0, 11 * 20 :].any()


@pytest.mark.parametrize(("length", "hop"), [(0, 0), (10, 0), (10, 11), (-1, 1), (5, -5)])
def test_what_would_leave_frames_out_is_refused(length, hop):
    with pytest.raises(ModelError, match=f"1 <= hop <= length, .* got hop {hop}, length {length}"):
        windows(np.zeros(1600, np.float32), RATE_HZ, of="mfcc", length=length, hop=hop)
