"""Short-time spectra in numpy: STFT power, mel bands, log-mel, MFCC.

One code for training and for serving. Frames are laid as in librosa with `center=True, pad_mode="constant"`:
frame t is centred on sample `t * hop`, so n samples give `1 + n // hop` frames. Parity with librosa is held by
`tests/features/test_spectral.py`.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float32]

# Defaults at 16 kHz: a 25 ms window every 10 ms, the usual analysis of speech; 512 is the next power of two.
FRAME = 400
HOP = 160
N_FFT = 512
# Power floor inside the logarithm: about the power of 16-bit quantisation noise through the window.
FLOOR = 1e-8


@lru_cache(maxsize=8)
def hann(length: int) -> Float:
    """Periodic Hann window (length,), as used for spectra rather than for filter design."""
    return (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / length)).astype(np.float32)


def power_spectrogram(waveform: Float, *, frame: int = FRAME, hop: int = HOP, n_fft: int = N_FFT) -> Float:
    """Squared magnitude of the short-time Fourier transform.

    Args:
        waveform: (samples,) float32.
        frame: Hann window length, samples.
        hop: distance between frames, samples.
        n_fft: transform length, samples; at least `frame`.

    Returns:
        (1 + samples // hop, n_fft // 2 + 1) float32.
    """
    # A window of `frame` samples in the middle of `n_fft` has the same magnitude wherever it lies: only the
    # windowed part is cut out and transformed.
    padded = np.pad(np.asarray(waveform, np.float32), (frame // 2, n_fft))
    count = 1 + len(waveform) // hop
    cut = np.lib.stride_tricks.as_strided(padded, (count, frame), (padded.strides[0] * hop, padded.strides[0]))
    spectrum = np.fft.rfft(cut * hann(frame), n_fft)
    return np.square(spectrum.real) + np.square(spectrum.imag)


def hz_to_mel(hz: NDArray[np.float64] | float) -> NDArray[np.float64]:
    """Slaney's mel scale: linear below 1 kHz (3 mels per 200 Hz), logarithmic above (27 mels per factor 6.4)."""
    hz = np.asarray(hz, np.float64)
    return np.where(hz < 1000.0, hz * 3 / 200, 15.0 + 27 * np.log(np.maximum(hz, 1e-9) / 1000.0) / np.log(6.4))


def mel_to_hz(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    """Inverse of `hz_to_mel`."""
    return np.where(mel < 15.0, mel * 200 / 3, 1000.0 * np.exp((mel - 15.0) * np.log(6.4) / 27))


@lru_cache(maxsize=16)
def mel_filters(sample_rate_hz: int, n_fft: int, bands: int, low_hz: float, high_hz: float) -> Float:
    """Triangular mel filters of equal area (Slaney 1998, Auditory Toolbox).

    Returns:
        (n_fft // 2 + 1, bands) float32.

    Raises:
        ValueError: the band edges do not fit the sample rate.
    """
    if not 0 <= low_hz < high_hz <= sample_rate_hz / 2:
        raise ValueError(
            f"mel bands need 0 <= low_hz < high_hz <= {sample_rate_hz / 2:g}, got low_hz={low_hz:g}, high_hz={high_hz:g}"
        )
    edges = mel_to_hz(np.linspace(hz_to_mel(low_hz), hz_to_mel(high_hz), bands + 2))
    bins = np.linspace(0, sample_rate_hz / 2, n_fft // 2 + 1)[:, None]
    rising = (bins - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - bins) / (edges[2:] - edges[1:-1])
    area = 2.0 / (edges[2:] - edges[:-2])
    return (np.maximum(0, np.minimum(rising, falling)) * area).astype(np.float32)


def mel_power(
    power: Float, sample_rate_hz: int, *, bands: int = 80, low_hz: float = 40.0, high_hz: float = 7800.0
) -> Float:
    """Power in mel bands, (frames, bands), from a power spectrogram (frames, bins)."""
    return power @ mel_filters(sample_rate_hz, 2 * (power.shape[1] - 1), bands, low_hz, high_hz)


def log_mel(
    waveform: Float,
    sample_rate_hz: int,
    *,
    bands: int = 80,
    low_hz: float = 40.0,
    high_hz: float = 7800.0,
    level: bool = True,
) -> Float:
    """Natural logarithm of the power in mel bands.

    Args:
        waveform: (samples,) float32.
        sample_rate_hz: of the waveform; the frame is 25 ms and the hop 10 ms at 16 kHz.
        bands: number of mel bands.
        low_hz: lower edge of the first band.
        high_hz: upper edge of the last band.
        level: False takes the loudness of the clip away (see `remove_level`), so that the gain of the
            microphone does not matter.

    Returns:
        (1 + samples // 160, bands) float32.
    """
    power = power_spectrogram(waveform)
    logs = np.log(mel_power(power, sample_rate_hz, bands=bands, low_hz=low_hz, high_hz=high_hz) + np.float32(FLOOR))
    return logs if level else remove_level(logs)


def active_frames(logs: Float, below: float = 6.9) -> NDArray[np.bool_]:
    """Frames whose mean log energy is within `below` nepers (6.9 = 30 dB) of the loudest frame; at least one."""
    energy = np.asarray(logs.max(axis=1))
    return np.asarray(energy >= energy.max() - below)


def remove_level(logs: Float) -> Float:
    """Subtract the mean of the active frames from a log-mel, one number per clip, and floor what is 80 dB under."""
    centred = logs - logs[active_frames(logs)].mean()
    # Without the floor, digital silence (log 1e-8) would tell the gain of the clip all the same.
    return np.maximum(centred, np.float32(-12.0))


@lru_cache(maxsize=8)
def dct_matrix(bands: int, coefficients: int) -> Float:
    """Orthonormal DCT-II, (bands, coefficients)."""
    k = np.arange(coefficients)[None, :]
    n = np.arange(bands)[:, None]
    matrix = np.cos(np.pi * k * (2 * n + 1) / (2 * bands)) * np.sqrt(2.0 / bands)
    matrix[:, 0] *= np.sqrt(0.5)
    return matrix.astype(np.float32)


def mfcc(
    waveform: Float,
    sample_rate_hz: int,
    *,
    coefficients: int = 20,
    bands: int = 128,
    low_hz: float = 0.0,
    high_hz: float = 8000.0,
    top_db: float = 80.0,
) -> Float:
    """Mel-frequency cepstral coefficients: the DCT-II of the mel power in decibels.

    Args:
        waveform: (samples,) float32.
        sample_rate_hz: of the waveform.
        coefficients: how many to keep, from the 0th.
        bands: number of mel bands.
        low_hz: lower edge of the first band.
        high_hz: upper edge of the last band.
        top_db: what is this far under the loudest band of the clip is raised to it.

    Returns:
        (1 + samples // 160, coefficients) float32.
    """
    mel = mel_power(power_spectrogram(waveform), sample_rate_hz, bands=bands, low_hz=low_hz, high_hz=high_hz)
    decibels = 10.0 * np.log10(np.maximum(mel, np.float32(1e-10)))
    decibels = np.maximum(decibels, decibels.max() - np.float32(top_db))
    return decibels @ dct_matrix(bands, coefficients)
