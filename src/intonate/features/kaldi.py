"""Mel filter banks as Kaldi reckons them (Povey et al. 2011), for models of others that were trained on them.

Against `log_mel`: frames lie wholly within the sound, each is centred and pre-emphasised by itself, the mel scale is
1127 ln(1 + f / 700) with triangles of equal height on it, and the logarithm is natural and of the power.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from intonate.audio.products import product
from intonate.errors import ModelError
from intonate.features.spectral import hz_to_htk_mel, triangles

Float = NDArray[np.float32]

# A frame of 25 ms every 10 ms at 16 kHz, the next power of two, and Kaldi's own settings.
FRAME, HOP, N_FFT = 400, 160, 512
PREEMPHASIS, LOWEST_HZ = 0.97, 20.0
# The smallest power that is told from none: the distance of 1 from the next float32.
FLOOR = 1.1920929e-07
# Kaldi reads samples as 16-bit integers.
INTEGERS = 32768.0
# Frames that are transformed at once: what they need stays in the cache.
BLOCK = 256


@lru_cache(maxsize=4)
def window(name: str) -> Float:
    """(400,): `povey` (Hann to the power 0.85), `hamming` or `hanning`, symmetric.

    Raises:
        ModelError: there is none of that name.
    """
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(FRAME) / (FRAME - 1))
    shapes = {"povey": hann**0.85, "hanning": hann, "hamming": 0.08 + 0.92 * hann}
    if name not in shapes:
        raise ModelError(f"window {name!r} is not known; known: {', '.join(shapes)}")
    return np.asarray(shapes[name], np.float32)


@lru_cache(maxsize=4)
def filters(sample_rate_hz: int, bands: int) -> Float:
    """(257, bands), triangles on the mel scale."""
    edges = np.linspace(hz_to_htk_mel(LOWEST_HZ), hz_to_htk_mel(sample_rate_hz / 2), bands + 2)
    bins = hz_to_htk_mel(np.linspace(0, sample_rate_hz / 2, N_FFT // 2 + 1))[:, None]
    return triangles(bins, edges).astype(np.float32)


def kaldi_fbank(
    samples: Float,
    sample_rate_hz: int,
    *,
    bands: int = 80,
    shape: str = "povey",
    scale: float = INTEGERS,
    rows: int = 0,
) -> Float:
    """Logarithms of mel powers.

    Args:
        samples: (samples,) float32; shorter than a frame, it is followed by silence.
        sample_rate_hz: of them.
        bands: mel bands between 20 Hz and half the sample rate.
        shape: of the window.
        scale: what the samples are multiplied by; 1 where the model was trained without.
        rows: cut off, or filled with zeros, to so many; 0 to leave them.

    Returns:
        (1 + (samples - 400) // 160, bands) float32, or (rows, bands).
    """
    sound = np.zeros(max(len(samples), FRAME), np.float32)
    sound[: len(samples)] = samples
    frames = np.lib.stride_tricks.sliding_window_view(sound, FRAME)[::HOP]
    frames = frames[:rows] if rows else frames
    logs = np.zeros((rows or len(frames), bands), np.float32)
    for start in range(0, len(frames), BLOCK):
        block = frames[start : start + BLOCK] * np.float32(scale)
        block -= block.mean(axis=1, keepdims=True)
        block[:, 1:] -= np.float32(PREEMPHASIS) * block[:, :-1]
        block[:, 0] *= np.float32(1 - PREEMPHASIS)
        spectrum = np.fft.rfft(block * window(shape), N_FFT)
        power = (spectrum.real**2 + spectrum.imag**2).astype(np.float32)
        mel = product(power, filters(sample_rate_hz, bands))
        logs[start : start + len(block)] = np.log(np.maximum(mel, np.float32(FLOOR)))
    return logs
