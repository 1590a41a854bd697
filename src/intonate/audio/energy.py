"""Power of short frames: what trimming, loudness and voice activity are all decided on."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# Frames of 25 ms every 10 ms, the usual pair of speech processing, summed from blocks of 5 ms.
BLOCK_S, WINDOW_BLOCKS, HOP_BLOCKS = 0.005, 5, 2
HOP_S = BLOCK_S * HOP_BLOCKS


def block_samples(sample_rate_hz: int) -> int:
    """Samples in one block of 5 ms, at least one."""
    return max(1, round(BLOCK_S * sample_rate_hz))


def frame_power(waveform: NDArray[np.float32], sample_rate_hz: int) -> NDArray[np.float64]:
    """Mean square of each frame; frame `k` starts at `k * HOP_S`, and zeros follow the end.

    Args:
        waveform: (samples,) float32.
        sample_rate_hz: its rate.

    Returns:
        (ceil(blocks / 2),): one frame at least, unless the waveform is empty.
    """
    block = block_samples(sample_rate_hz)
    whole_blocks = len(waveform) // block
    rows = waveform[: whole_blocks * block].reshape(whole_blocks, block)
    tail = waveform[whole_blocks * block :]
    blocks = -(-len(waveform) // block)
    # A frame reads up to WINDOW_BLOCKS beyond the last start.
    energy = np.zeros(blocks + WINDOW_BLOCKS)
    energy[:whole_blocks] = np.einsum("ij,ij->i", rows, rows)
    energy[whole_blocks] = np.dot(tail, tail)
    power = energy[:blocks:HOP_BLOCKS].copy()
    for shift in range(1, WINDOW_BLOCKS):
        power += energy[shift : blocks + shift : HOP_BLOCKS]
    power /= WINDOW_BLOCKS * block
    return power


def runs(mask: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Where a mask is true: (runs, 2), each [start, end).

    >>> runs(np.array([True, False, True, True])).tolist()
    [[0, 1], [2, 4]]
    """
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]])))
    return edges.reshape(-1, 2)
