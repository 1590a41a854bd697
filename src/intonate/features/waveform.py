"""The waveform itself, for networks that learn their own features."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from intonate.features.spectral import FRAME, HOP, cut_frames

Float = NDArray[np.float32]


def waveform(samples: Float, sample_rate_hz: int, *, scale: bool = True) -> Float:
    """The samples, with zero mean and unit variance where `scale` (wav2vec 2.0's and HuBERT's own preparation).

    Args:
        samples: (samples,) float32.
        sample_rate_hz: not used; the recognizer has resampled already.
        scale: False leaves the samples as they are.

    Returns:
        (samples,) float32.
    """
    if not scale:
        return samples
    centred = samples - samples.mean()
    return np.asarray(centred / np.sqrt(centred.var() + 1e-7), np.float32)


def frames(samples: Float, sample_rate_hz: int) -> Float:
    """The samples in overlapping frames, as rows: for networks that read rows over time and learn their own features.

    Args:
        samples: (samples,) float32.
        sample_rate_hz: not used; a frame is 25 ms and the hop 10 ms at 16 kHz.

    Returns:
        (1 + samples // 160, 400) float32; row t is centred on sample 160 t.
    """
    samples = np.asarray(samples, np.float32)
    return cut_frames(samples, FRAME, HOP, 1 + len(samples) // HOP).copy()
