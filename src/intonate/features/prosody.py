"""Pitch and voicing by normalised autocorrelation (Boersma 1993), small and quick enough for every clip."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from intonate.audio.products import product
from intonate.features.frame_memory import by_frames
from intonate.features.spectral import HOP, cut_frames

Float = NDArray[np.float32]

# Pitch lives under 500 Hz: the autocorrelation is taken at a quarter of 16 kHz. A window of 40 ms holds two and a
# half periods of the lowest pitch, 60 Hz; window plus longest lag fit into the transform, so nothing wraps around.
RATE_HZ = 4000
LOWEST_HZ, HIGHEST_HZ = 60.0, 500.0
WINDOW = 160
N_FFT = 256
VOICED_ABOVE = 0.5
SHORTEST, LONGEST = int(RATE_HZ / HIGHEST_HZ), int(np.ceil(RATE_HZ / LOWEST_HZ))
# Frames at once: what is computed of them takes 3 kB each, which an hour has no room for.
BLOCK = 1024
# How far a frame reaches into the sound on both sides, samples: half a window, and what decimation takes in.
REACH = 4 * WINDOW // 2 + 16


@lru_cache(maxsize=1)
def product_matrices() -> tuple[Float, Float, Float]:
    """The maths of a frame, as products with matrices.

    Returns:
        cosines, sines: (80, 129), from the even and the odd half of a frame, folded about its middle, to the
            spectrum of the frame less its mean, times the window.
        lags: (129, 1 + lags), from the power spectrum to its autocorrelation: at lag 0, and divided by the
            window's own from one under the shortest lag to one over the longest.
    """
    n = np.arange(WINDOW // 2)[:, None] - (WINDOW - 1) / 2
    window = 0.5 + 0.5 * np.cos(2 * np.pi * n / WINDOW)
    angle = 2 * np.pi * n * np.arange(N_FFT // 2 + 1) / N_FFT
    cosines, sines = window * np.cos(angle), window * np.sin(angle)
    # Two samples, n and its mirror image, for each row: the mean is a 160th of the sum of the 80.
    cosines -= 2 * cosines.sum(axis=0) / WINDOW

    symmetric_window = np.concatenate([window, window[::-1]])[:, 0]
    window_autocorrelation = np.fft.irfft(np.square(np.abs(np.fft.rfft(symmetric_window, N_FFT))))
    lags_used = np.r_[0, SHORTEST - 1 : LONGEST + 2]
    lags = (
        np.fft.irfft(np.eye(N_FFT // 2 + 1), axis=1)[:, lags_used]
        / np.r_[1, window_autocorrelation[lags_used[1:]] / window_autocorrelation[0]]
    )
    return cosines.astype(np.float32), sines.astype(np.float32), lags.astype(np.float32)


def _decimate(waveform: Float) -> Float:
    """A quarter of the rate, through two rounds of (1 3 3 1)/8 and every second sample."""
    for _ in range(2):
        padded_waveform = np.zeros(2 + len(waveform) + len(waveform) % 2, np.float32)
        padded_waveform[1 : 1 + len(waveform)] = waveform
        even, odd = padded_waveform[0::2], padded_waveform[1::2]
        waveform = odd[:-1] + even[1:]
        waveform *= 3
        waveform += even[:-1]
        waveform += odd[1:]
        waveform *= np.float32(1 / 8)
    return waveform


def pitch(waveform: Float, sample_rate_hz: int, *, hop: int = HOP) -> tuple[Float, Float]:
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
    waveform = np.asarray(waveform, np.float32)
    rows = _usual_tracks(waveform) if hop == HOP else _tracks(waveform, hop)
    return rows[:, 0], rows[:, 1]


@by_frames(HOP, reach=-(-REACH // HOP))
def _usual_tracks(waveform: Float) -> Float:
    return _tracks(waveform, HOP)


def _tracks(waveform: Float, hop: int) -> Float:
    """`pitch` as one array, (frames, 2)."""
    reach = -(-REACH // hop)
    blocks = []
    for start in range(0, 1 + len(waveform) // hop, BLOCK):
        first = max(0, start - reach)
        piece = waveform[first * hop : (start + BLOCK + reach) * hop]
        frame_rows = cut_frames(_decimate(piece), WINDOW, hop // 4, 1 + len(piece) // hop)
        blocks.append(_block_tracks(frame_rows[start - first : start - first + BLOCK]))
    return np.concatenate(blocks)


def _block_tracks(frame_rows: Float) -> Float:
    """Of frames (frames, window): F0 and strength, (frames, 2)."""
    cosines, sines, to_lags = product_matrices()
    left, right = frame_rows[:, : WINDOW // 2], frame_rows[:, : WINDOW // 2 - 1 : -1]
    power, odd = product(left + right, cosines), product(left - right, sines)
    power *= power
    odd *= odd
    power += odd
    # (lags, frames), because numpy is quicker along long rows.
    lags = np.ascontiguousarray(product(power, to_lags).T)
    strength = lags[1:]
    strength /= lags[0] + np.float32(1e-9)

    inner = strength[1:-1]
    peaks = inner * ((inner >= strength[:-2]) & (inner >= strength[2:]))
    # The first peak nearly as high as the highest: a period, and not its double.
    best = np.argmax(peaks >= np.float32(0.9) * peaks.max(axis=0), axis=0)
    frames = np.arange(len(frame_rows))
    left, top, right = strength[best, frames], strength[best + 1, frames], strength[best + 2, frames]
    bend = left - 2 * top + right
    shift = np.where(np.abs(bend) > 1e-6, 0.5 * (left - right) / np.minimum(bend, -1e-6), 0)
    lag = best + SHORTEST + np.clip(shift, -0.5, 0.5)
    voiced = np.where(peaks[best, frames] > 0, np.clip(top, 0, 1), 0)
    return np.stack([RATE_HZ / lag, voiced], axis=1).astype(np.float32)
