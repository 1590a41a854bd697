"""The log-mel spectrogram that Whisper's encoder reads (Radford et al. 2023), in numpy, padded to 30 s or not.

16 kHz, periodic Hann window of 400 samples every 160, mirrored at both ends, 80 mel bands (Slaney) from 0 to 8 kHz,
log10 of the power, nothing more than 8 (80 dB) under the loudest, (x + 4) / 4.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from intonate.features.spectral import mel_pieces, mel_power, power_blocks

Float = NDArray[np.float32]

WINDOW, HOP = 400, 160
# Smallest power inside the logarithm, and how far under the loudest value a value may lie, in powers of ten.
FLOOR, RANGE = 1e-10, 8.0


def whisper_log_mel(
    waveform: Float, sample_rate_hz: int, *, bands: int = 80, seconds: int = 0, mark: bool = False
) -> Float:
    """Whisper's log-mel of a clip.

    Args:
        waveform: (samples,) float32.
        sample_rate_hz: Whisper was trained at 16 kHz.
        bands: 80, or 128 for Whisper large-v3.
        seconds: length of the spectrogram, with silence behind a shorter clip and nothing of a longer one beyond it, as
            Whisper was trained (30); 0 for the clip's own.
        mark: a further column that is 1 in the rows of the clip, and 0 in those of the silence behind it.

    Returns:
        (samples // 160, bands) float32, one row at least; (100 * seconds, bands) with `seconds`.

    Source: openai/whisper, `audio.py`; the same as transformers' WhisperFeatureExtractor.
    """
    samples = np.asarray(waveform, np.float32)
    length = seconds * sample_rate_hz if seconds else max(HOP, len(samples))
    sound = samples[:length] if len(samples) >= length else np.pad(samples, (0, length - len(samples)))
    frames = np.lib.stride_tricks.sliding_window_view(_mirrored(sound), WINDOW)[::HOP][: length // HOP]
    pieces = mel_pieces(sample_rate_hz, WINDOW, bands, 0.0, sample_rate_hz / 2)
    rows = np.full((len(frames), bands), np.log10(FLOOR), np.float32)
    # Behind the sound there is nothing to transform.
    heard_rows = rows[: 2 + (len(samples) + WINDOW) // HOP]
    for some, power in power_blocks(frames[: len(heard_rows)], WINDOW):
        mel_power(power, pieces, heard_rows[some])
    np.log10(np.maximum(heard_rows, np.float32(FLOOR), out=heard_rows), out=heard_rows)
    np.maximum(rows, rows.max() - RANGE, out=rows)
    rows += 4
    rows /= 4
    is_sound = np.arange(len(rows)) < max(1, len(samples) // HOP)
    return np.column_stack([rows, is_sound.astype(np.float32)]) if mark else rows


def _mirrored(sound: Float) -> Float:
    """With half a window more at both ends: `np.pad(…, mode="reflect")`, which takes three times as long."""
    half = WINDOW // 2
    if len(sound) <= half:
        return np.pad(sound, half, mode="reflect")
    return np.concatenate([sound[half:0:-1], sound, sound[-2 : -half - 2 : -1]])
