"""Speech as images, for networks that were trained on photographs: uint8 (patches, height, width, 3).

`mfcc_image` is the input of VGG16 and ResNet50V2 in bilingual transfer learning (P4), `jet_image` that of MobileNetV2
in HuBERT + BERT on a merged corpus (P3). Time runs to the right, and low frequencies are at the bottom, as in a plot.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from intonate.catalogue import check_name
from intonate.errors import ModelError
from intonate.features.pictures import coloured, resized
from intonate.features.spectral import FLOOR, mfcc, power_spectrogram
from intonate.features.windows import overlapping

Float = NDArray[np.float32]
Image = NDArray[np.uint8]

# Side of the image as P4 draws it, and as the networks want it, pixels.
DRAWN, SIDE = 288, 224
# P3 at 16 kHz, samples: patches of 1 s, of them windows of 16 ms every 4 ms. 257 lines, 1 + 16,000 / 64 columns.
PATCH, WINDOW, STEP, N_FFT = 16_000, 256, 64, 512

SCALINGS = ("coefficient", "clip")


def mfcc_image(
    waveform: Float,
    sample_rate_hz: int,
    *,
    coefficients: int = 20,
    scaling: str = "coefficient",
    colormap: str = "jet",
    side: int = SIDE,
) -> Image:
    """The MFCC of a whole clip as one image: drawn with 288 x 288 pixels, then resized to 224 x 224, as P4 does.

    The paper does not say how many coefficients, which scale or which colours: librosa's 20, in jet, and each from its
    lowest to its highest value, because on one scale for all the 0th leaves the others a single colour.

    Args:
        waveform: (samples,) float32.
        sample_rate_hz: of the waveform.
        coefficients: how many rows are drawn, the 0th at the bottom.
        scaling: what fills the colours from end to end: each `coefficient` by itself, or the `clip` as in a plot.
        colormap: a name of `pictures.COLORMAPS`.
        side: of the image, pixels; less for trying things out.

    Returns:
        (1, side, side, 3) uint8.

    Raises:
        ModelError: the scaling or the colormap is not known, or the image has no side.
    """
    if side < 1:
        raise ModelError(f"side of mfcc_image is 1 pixel or more, got {side}")
    check_name(scaling, SCALINGS, "scaling", ModelError)
    rows = mfcc(waveform, sample_rate_hz, coefficients=coefficients)
    axis = 0 if scaling == "coefficient" else None
    low, high = rows.min(axis=axis), rows.max(axis=axis)
    values = (rows - low) / np.maximum(high - low, np.float32(1e-6))
    image = coloured(resized(np.flipud(values.T), DRAWN, DRAWN), colormap)
    return np.rint(resized(image.astype(np.float32), side, side)).astype(np.uint8)[None]


def jet_image(
    waveform: Float, sample_rate_hz: int, *, overlap_s: float = 0.0, top_db: float = 80.0, colormap: str = "jet"
) -> Image:
    """Spectrograms of patches of one second as images of 257 x 251 pixels.

    The paper scales each clip to amplitudes of ±1 and does not say how magnitudes become colours: here in decibels,
    from the loudest line of the clip down to `top_db` under it.

    Args:
        waveform: (samples,) float32 at 16 kHz.
        sample_rate_hz: of the waveform; a patch is 1 s at 16 kHz.
        overlap_s: how much of a patch the next one shows again, under a second; 0 or 0.01 in the paper.
        top_db: what is this far under the loudest line of the clip has the colour of silence.
        colormap: a name of `pictures.COLORMAPS`.

    Returns:
        (patches, 257, 251, 3) uint8. The last patch, and that of a clip under a second, ends in silence.

    Raises:
        ModelError: the colormap is not known, or the overlap does not fit.
    """
    if not 0 <= overlap_s * sample_rate_hz < PATCH:
        raise ModelError(f"overlap_s must be 0 or more and shorter than a patch, got {overlap_s:g}")
    patches = overlapping(np.asarray(waveform, np.float32), PATCH, PATCH - round(overlap_s * sample_rate_hz))
    power = np.stack([power_spectrogram(patch, frame=WINDOW, hop=STEP, n_fft=N_FFT) for patch in patches])
    loudest = max(float(power.max()), FLOOR)
    decibels = 10 * np.log10(np.maximum(power / np.float32(loudest), np.float32(1e-30)))
    return coloured(np.swapaxes(1 + decibels / np.float32(top_db), 1, 2)[:, ::-1], colormap)
