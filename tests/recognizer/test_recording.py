"""Windows over blocks are the windows over the whole."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from intonate.audio.segments import windows as cut
from intonate.recognizer import recording
from intonate.schema import Pool

RATE_HZ = 1000


@given(samples=st.integers(1, 400), block=st.integers(1, 120), hop=st.integers(1, 50))
def test_the_same_cuts_without_knowing_the_length(samples, block, hop):
    waveform = np.arange(samples, dtype=np.float32)
    pool = Pool(window_s=50 / RATE_HZ, hop_s=hop / RATE_HZ)
    blocks = (waveform[start : start + block] for start in range(0, samples, block))
    found = list(recording.windows(blocks, RATE_HZ, pool))
    wanted = cut(samples, RATE_HZ, pool.window_s, pool.hop_s)
    assert [(round(start_s * RATE_HZ), round(start_s * RATE_HZ) + len(window)) for start_s, window in found] == wanted
    for (start, end), (_, window) in zip(wanted, found, strict=True):
        np.testing.assert_array_equal(window, waveform[start:end])


@pytest.mark.parametrize(("duration_s", "short"), [(0.5, True), (6.0, True), (6.1, False), (20.0, False)])
def test_short_is_whole(duration_s, short):
    waveform = np.random.default_rng(0).normal(size=round(duration_s * 16_000)).astype(np.float32)
    whole, blocks = recording.open_recording((waveform, 16_000), 16_000, Pool(longest_s=6.0))
    assert (whole is not None) == short
    np.testing.assert_array_equal(np.concatenate(list(blocks)), waveform)
