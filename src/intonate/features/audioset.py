"""What VGGish and YAMNet hear: patches of 96 frames of a log-mel spectrogram, 0.96 s each.

Both networks were trained by Google on AudioSet with one analysis, `mel_features.py` of VGGish and `features.py` of
YAMNet: the magnitude (not the power) of a 25 ms periodic Hann window every 10 ms, the first frame beginning with the
first sample; 64 mel bands from 125 to 7500 Hz on HTK's scale; log(mel + offset). They differ in three numbers:

|        | offset | a patch every | what is left at the end             |
| VGGish | 0.01   | 0.96 s        | is dropped                          |
| YAMNet | 0.001  | 0.48 s        | is filled up to a patch with zeros  |
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from intonate.audio.products import product
from intonate.errors import ModelError
from intonate.features.spectral import FRAME, HOP, N_FFT, hz_to_htk_mel, power_spectrogram, triangles

Float = NDArray[np.float32]

SAMPLE_RATE_HZ = 16_000
# Frames of 10 ms in a patch, mel bands, and the samples that the frames of one patch reach over (0.975 s).
FRAMES, BANDS = 96, 64
PATCH = (FRAMES - 1) * HOP + FRAME
LOW_HZ, HIGH_HZ = 125.0, 7500.0
# Zeros before the sound that make frame 2 of `power_spectrogram`, which is centred on sample 2 * HOP, begin with it.
LEAD = 2 * HOP - FRAME // 2


def audioset_patches(
    waveform: Float, sample_rate_hz: int, *, hop_s: float = 0.96, offset: float = 0.01, keep_tail: bool = False
) -> Float:
    """Patches of 96 frames x 64 mel bands. The defaults are VGGish's; YAMNet's are 0.48, 0.001 and true.

    Args:
        waveform: (samples,) float32 at 16 kHz.
        sample_rate_hz: 16,000; the networks know no other.
        hop_s: from the start of a patch to that of the next, seconds, a multiple of 0.01.
        offset: added to the mel magnitudes before the natural logarithm.
        keep_tail: whether zeros after the sound make what is left after the last whole patch one more.

    Returns:
        (patches, 96 * 64) float32, frame after frame. A clip shorter than a patch (0.975 s) is one patch, whatever
        `keep_tail` says: zeros are put after the sound. (VGGish as published gives none, and so no answer.)

    Raises:
        ModelError: another sample rate, or a hop that is not between one frame and one patch.
    """
    if sample_rate_hz != SAMPLE_RATE_HZ:
        raise ModelError(
            f"audioset_patches hears sound at {SAMPLE_RATE_HZ:,} Hz, got {sample_rate_hz:,} Hz; resample it"
        )
    step = round(100 * hop_s)
    if not 1 <= step <= FRAMES:
        raise ModelError(f"hop_s of audioset_patches lies between 0.01 and 0.96 seconds, got {hop_s:g}")
    logs = _log_mel(_zero_padded(np.asarray(waveform, np.float32), step * HOP, keep_tail), offset)
    patches = np.lib.stride_tricks.sliding_window_view(logs, FRAMES, axis=0)[::step]
    return np.ascontiguousarray(patches.swapaxes(1, 2)).reshape(len(patches), FRAMES * BANDS)


def _zero_padded(samples: Float, hop: int, keep_tail: bool) -> Float:
    """Zeros after the sound: up to one patch, and with `keep_tail` up to a whole number of hops more."""
    excess = max(0, len(samples) - PATCH)
    target_length = PATCH + (-(-excess // hop) * hop if keep_tail else excess)
    return np.pad(samples, (0, target_length - len(samples)))


def _log_mel(samples: Float, offset: float) -> Float:
    """(1 + (samples - 400) // 160, 64): of the frames that lie within the sound, the first on its first sample."""
    count = 1 + (len(samples) - FRAME) // HOP
    magnitude = np.sqrt(power_spectrogram(np.pad(samples, (LEAD, 0)))[2 : 2 + count])
    return np.asarray(np.log(product(magnitude, htk_filters()) + np.float32(offset)), np.float32)


@lru_cache(maxsize=1)
def htk_filters() -> Float:
    """Triangular filters, (257, 64) float32: straight in mel, not in Hz, and one at their tops.

    The published code leaves out 0 Hz; so do these, for the first band begins at 125 Hz.
    """
    edges = np.linspace(hz_to_htk_mel(LOW_HZ), hz_to_htk_mel(HIGH_HZ), BANDS + 2)
    bins = hz_to_htk_mel(np.linspace(0, SAMPLE_RATE_HZ / 2, N_FFT // 2 + 1))[:, None]
    return triangles(bins, edges).astype(np.float32)
