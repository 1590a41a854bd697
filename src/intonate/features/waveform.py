"""The waveform itself, for networks that learn their own features."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

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
