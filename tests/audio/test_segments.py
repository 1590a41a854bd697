"""Windows cover everything."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from intonate.audio.segments import windows


@settings(deadline=None)
@given(st.integers(0, 5_000), st.integers(1, 500), st.integers(1, 500))
def test_windows_cover_everything(samples: int, window: int, hop: int) -> None:
    window, hop = max(window, hop), min(window, hop)
    slices = windows(samples, 1, float(window), float(hop))
    assert sorted(set(slices)) == slices
    covered = {sample for start, end in slices for sample in range(start, end)}
    assert covered == set(range(samples))
    assert all(end - start == min(window, samples) for start, end in slices)


def test_the_last_window_ends_with_the_recording() -> None:
    assert windows(50, 10, 2.0, 1.0) == [(0, 20), (10, 30), (20, 40), (30, 50)]
    assert windows(45, 10, 2.0, 1.0) == [(0, 20), (10, 30), (20, 40), (25, 45)]
    assert windows(20, 10, 2.0, 1.0) == [(0, 20)]
    assert windows(1, 10, 2.0, 1.0) == [(0, 1)]
    assert windows(0, 10, 2.0, 1.0) == []


@pytest.mark.parametrize(("window_s", "hop_s"), [(0.0, 0.0), (1.0, 2.0), (1.0, 0.0), (-1.0, -2.0)])
def test_gaps_are_refused(window_s: float, hop_s: float) -> None:
    with pytest.raises(ValueError, match="leave gaps"):
        windows(100, 10, window_s, hop_s)
