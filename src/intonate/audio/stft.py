"""A short-time Fourier transform that can be turned back into sound: Hann windows, four over every sample."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

OVERLAP = 4


def stft(waveform: NDArray[np.float32], hop: int) -> NDArray[Any]:
    """The spectrum (frames, bins) of windows of `OVERLAP` hops.

    Every sample lies under `OVERLAP` of them: zeros of a window less a hop are laid at both ends.

    Args:
        waveform: (samples,) float32.
        hop: samples between two windows.
    """
    size, count = hop * OVERLAP, -(-len(waveform) // hop) + OVERLAP - 1
    padded = np.zeros((count - 1) * hop + size, np.float32)
    padded[size - hop : size - hop + len(waveform)] = waveform
    frames = np.lib.stride_tricks.sliding_window_view(padded, size)[::hop]
    return np.fft.rfft(frames * _hann(size), axis=1)


def istft(spectrum: NDArray[Any], hop: int, samples: int) -> NDArray[np.float32]:
    """The waveform (samples,) of a spectrum, which may have been changed; the windows are laid on once more."""
    size, count = hop * OVERLAP, len(spectrum)
    blocks = (np.fft.irfft(spectrum, size, axis=1) * _hann(size)).reshape(count, OVERLAP, hop)
    total = np.zeros((count + OVERLAP - 1, hop))
    for place in range(OVERLAP):
        total[place : place + count] += blocks[:, place]
    # The squares of these windows add up to 1.5 everywhere: 4 hops of mean(hann^2) = 3/8.
    output = total.reshape(-1) / (OVERLAP * 3 / 8)
    return np.asarray(output[size - hop : size - hop + samples], np.float32)


def frame_middles(count: int, hop: int) -> NDArray[np.float64]:
    """The sample in the middle of each of `count` frames, (count,)."""
    return np.asarray(np.arange(count) * hop + hop - hop * OVERLAP / 2)


def _hann(size: int) -> NDArray[np.float32]:
    return (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(size) / size)).astype(np.float32)
