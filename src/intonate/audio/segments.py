"""Cut a long recording into the overlapping windows that a model sees."""

from __future__ import annotations


def windows(samples: int, sample_rate_hz: int, window_s: float, hop_s: float) -> list[tuple[int, int]]:
    """Overlapping slices [start, end) in samples that together cover everything.

    All are `window_s` long; the last one is moved back to end with the recording, so it may overlap more. A recording
    no longer than one window is one window, and nothing (0 samples) is none.

    >>> windows(50, 10, window_s=2.0, hop_s=1.0)
    [(0, 20), (10, 30), (20, 40), (30, 50)]
    >>> windows(45, 10, window_s=2.0, hop_s=1.0)
    [(0, 20), (10, 30), (20, 40), (25, 45)]

    Raises:
        ValueError: the window or the hop is shorter than a sample, or the hop longer than the window.
    """
    window, hop = round(window_s * sample_rate_hz), round(hop_s * sample_rate_hz)
    if not 1 <= hop <= window:
        raise ValueError(f"windows of {window_s} s every {hop_s} s leave gaps, expected 0 < hop_s <= window_s")
    if samples <= window:
        return [(0, samples)] if samples > 0 else []
    starts = [*range(0, samples - window, hop), samples - window]
    return [(start, start + window) for start in starts]
