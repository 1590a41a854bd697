"""Pitch and voicing by normalised autocorrelation (Boersma 1993), small and quick enough for every clip."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float32]

# Pitch lives under 500 Hz: the autocorrelation is taken at a quarter of 16 kHz. A window of 40 ms holds two and a
# half periods of the lowest pitch, 60 Hz; window plus longest lag fit into the transform, so nothing wraps around.
RATE_HZ = 4000
LOWEST_HZ, HIGHEST_HZ = 60.0, 500.0
WINDOW = 160
N_FFT = 256
VOICED_ABOVE = 0.5


@lru_cache(maxsize=1)
def _window() -> tuple[Float, Float]:
    window = (0.5 - 0.5 * np.cos(2 * np.pi * (np.arange(WINDOW) + 0.5) / WINDOW)).astype(np.float32)
    own = np.fft.irfft(np.square(np.abs(np.fft.rfft(window, N_FFT))))
    return window, (own / own[0]).astype(np.float32)


def _decimate(waveform: Float) -> Float:
    """A quarter of the rate, through two rounds of (1 3 3 1)/8 and every second sample."""
    for _ in range(2):
        padded = np.pad(waveform, (1, 1 + len(waveform) % 2))
        even, odd = padded[0::2], padded[1::2]
        waveform = (even[:-1] + odd[1:] + 3 * (odd[:-1] + even[1:])) / np.float32(8)
    return waveform


def pitch(waveform: Float, sample_rate_hz: int, *, hop: int = 160) -> tuple[Float, Float]:
    """Fundamental frequency and voicing strength, frame by frame, on the frames of `spectral.power_spectrogram`.

    Args:
        waveform: (samples,) float32 at 16 kHz.
        sample_rate_hz: must be 16 000.
        hop: distance between frames, samples; a multiple of 4.

    Returns:
        f0_hz: (frames,) the best candidate between 60 and 500 Hz, whether voiced or not.
        strength: (frames,) its normalised autocorrelation, 0 (noise) to 1 (periodic); over 0.5 counts as voiced.
    """
    if sample_rate_hz != 4 * RATE_HZ:
        raise ValueError(f"pitch is made for 16000 Hz, got {sample_rate_hz}: resample first")
    window, window_lags = _window()
    count, step = 1 + len(waveform) // hop, hop // 4
    padded = np.pad(_decimate(np.asarray(waveform, np.float32)), (WINDOW // 2, WINDOW + 2 * step))
    cut = np.lib.stride_tricks.as_strided(padded, (count, WINDOW), (padded.strides[0] * step, padded.strides[0]))
    spectrum = np.fft.rfft((cut - cut.mean(axis=1, keepdims=True)) * window, N_FFT)
    lags = np.fft.irfft(np.square(spectrum.real) + np.square(spectrum.imag))[:, : WINDOW // 2]

    shortest, longest = int(RATE_HZ / HIGHEST_HZ), int(np.ceil(RATE_HZ / LOWEST_HZ))
    strength = lags[:, shortest - 1 : longest + 2] / window_lags[shortest - 1 : longest + 2]
    strength = strength / (lags[:, :1] + np.float32(1e-9))
    inner = strength[:, 1:-1]
    peaks = np.where((inner >= strength[:, :-2]) & (inner >= strength[:, 2:]), inner, 0)
    # The first peak nearly as high as the highest: a period, and not its double.
    best = np.argmax(peaks >= np.float32(0.9) * peaks.max(axis=1, keepdims=True), axis=1)
    rows = np.arange(count)
    left, top, right = strength[rows, best], strength[rows, best + 1], strength[rows, best + 2]
    bend = left - 2 * top + right
    shift = np.where(np.abs(bend) > 1e-6, 0.5 * (left - right) / np.minimum(bend, -1e-6), 0)
    lag = best + shortest + np.clip(shift, -0.5, 0.5)
    voiced = np.where(peaks[rows, best] > 0, np.clip(top, 0, 1), 0)
    return (RATE_HZ / lag).astype(np.float32), voiced.astype(np.float32)
