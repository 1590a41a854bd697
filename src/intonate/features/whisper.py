"""The log-mel spectrogram that Whisper reads (Radford et al. 2023): always 30 s, silence behind what is shorter."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from intonate.features.spectral import mel_filters

Float = NDArray[np.float32]

# Frames of 25 ms, one every 10 ms, of 16 kHz.
WINDOW, HOP = 400, 160
# Only so far below the loudest is anything heard, in powers of ten; and no power counts as less than this.
RANGE, FLOOR = 8.0, 1e-10
# Frames that are transformed at once.
BLOCK = 256


def whisper_mel(samples: Float, sample_rate_hz: int, *, bands: int = 80, seconds: int = 30) -> Float:
    """(log10 of the mel power, no less than 8 below its largest, + 4) / 4.

    Args:
        samples: (samples,) float32; what is beyond `seconds` is not heard.
        sample_rate_hz: 16 000.
        bands: mel bands (Slaney) from 0 Hz to half the sample rate: 80, or 128 from large-v3 on.
        seconds: of the spectrogram.

    Returns:
        (100 * seconds, bands) float32.
    """
    length = seconds * sample_rate_hz
    sound = np.zeros(length, np.float32)
    sound[: min(length, len(samples))] = samples[:length]
    padded = np.pad(sound, WINDOW // 2, mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP][: length // HOP]
    hann = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / WINDOW)).astype(np.float32)
    filters = mel_filters(sample_rate_hz, WINDOW, bands, 0.0, sample_rate_hz / 2)
    logs = np.full((len(frames), bands), np.log10(FLOOR), np.float32)
    # Behind the sound there is nothing to transform.
    heard = min(len(frames), 2 + (len(samples) + WINDOW) // HOP)
    for start in range(0, heard, BLOCK):
        spectrum = np.fft.rfft(frames[start : min(start + BLOCK, heard)] * hann)
        power = (spectrum.real**2 + spectrum.imag**2).astype(np.float32)
        logs[start : start + len(power)] = np.log10(np.maximum(power @ filters, FLOOR))
    return np.asarray((np.maximum(logs, logs.max() - RANGE) + 4.0) / 4.0, np.float32)
