"""The cleaning step that takes away what is lower than speech.

A high-pass is the sound less a low-pass, and what a low-pass at 90 Hz leaves is slow: within a block of 12.5 ms it is a
polynomial of degree 13, to more than 120 dB under full scale. So the 1,601 taps at 16 kHz, and more at other rates, are
never summed sample by sample. A block in becomes 14 coefficients, those of nine neighbours become the 14 of a block
out, and these become samples: three small products of matrices, in a tenth of the time of transforms.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np
from numpy.polynomial.legendre import legvander
from numpy.typing import NDArray

from intonate.audio.products import PIECE, product

Waveform = NDArray[np.float32]

# Half the length of the impulse response, seconds; shorter ones do not tell 60 Hz from 90.
HALF_S = 0.05
# A block holds so many periods of the highest frequency that is taken away, which so many coefficients are enough for;
# half of the impulse response is so many blocks at least.
PERIODS, COEFFICIENTS, LEAST_REACH = 1.125, 14, 4
# Samples that are summed one after the other: of an offset, which makes them alike, all sums are rounded the same way.
SUMMED = 50


def high_pass(waveform: Waveform, sample_rate_hz: int, low_hz: float = 60.0, full_hz: float = 90.0) -> Waveform:
    """Take away what is lower than speech: rumble, and the hum of the mains at 50 or 60 Hz. No phase is moved.

    Args:
        waveform: (samples,) float32; zeros lie before and behind it.
        sample_rate_hz: its rate.
        low_hz: nothing passes under this.
        full_hz: everything passes over this, or over `low_hz` where that is higher; a raised cosine between the two.

    Returns:
        (samples,) float32.
    """
    basis, mixing = _low_pass(sample_rate_hz, low_hz, max(full_hz, low_hz + 1.0))
    size, count = basis.shape
    neighbours = len(mixing) // count
    blocks = np.zeros((-(-len(waveform) // size), size), np.float32)
    blocks.ravel()[: len(waveform)] = waveform
    # With blocks of nothing around them, a row of coefficients is each block's; as many rows on end are a window.
    coefficients = np.zeros((len(blocks) + neighbours - 1, count), np.float32)
    own = coefficients[neighbours // 2 :][: len(blocks)]
    for first in range(0, size, SUMMED):
        own += product(blocks[:, first : first + SUMMED], basis[first : first + SUMMED])
    windows = np.lib.stride_tricks.as_strided(
        coefficients, (len(blocks), len(mixing)), coefficients.strides, writeable=False
    )
    # Some blocks at a time: the windows hold each coefficient many times.
    step = max(1, PIECE // mixing.size)
    for start in range(0, len(blocks), step):
        low = product(np.ascontiguousarray(windows[start : start + step]), mixing)
        blocks[start : start + step] -= product(low, basis.T)
    return blocks.ravel()[: len(waveform)]


@cache
def _low_pass(sample_rate_hz: int, low_hz: float, full_hz: float) -> tuple[Waveform, Waveform]:
    """What `high_pass` takes away, as matrices.

    Returns:
        basis: (samples of a block, coefficients), orthonormal polynomials.
        mixing: (blocks in · coefficients, coefficients), from the coefficients of a block, of those before it and of
            those behind it, to those of what is low in it.
    """
    half = round(HALF_S * sample_rate_hz)
    size = 1 << (8 * half).bit_length()
    share = np.clip((np.fft.rfftfreq(size, 1 / sample_rate_hz) - low_hz) / (full_hz - low_hz), 0, 1)
    response = np.roll(np.fft.irfft(0.5 + 0.5 * np.cos(np.pi * share), size), half)[: 2 * half + 1]
    kernel = response * np.hanning(2 * half + 1)

    reach = max(LEAST_REACH, math.ceil(HALF_S * full_hz / PERIODS))  # blocks that hold half of it
    block = -(-half // reach)
    n = np.arange(block)
    basis, _ = np.linalg.qr(legvander((2 * n + 1 - block) / block, min(COEFFICIENTS, block) - 1))
    middle = (reach + 1) * block
    taps = np.pad(kernel, middle - half)
    # Where the sample `i` of a block in and the sample `j` of the block out, `shift` blocks before it, meet.
    mixing = [basis.T @ taps[middle + n - n[:, None] - shift * block] @ basis for shift in range(-reach, reach + 1)]
    return basis.astype(np.float32), np.concatenate(mixing).astype(np.float32)
