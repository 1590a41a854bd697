"""The front ends: numpy functions `(waveform, sample_rate_hz, **params) -> array`, the same in training and serving.

    features.get("log_mel")(waveform, 16_000, bands=80)    # (frames, 80)

A front end gives (rows, columns), a vector (columns,), or a waveform (samples,), all float32; or, if `IMAGES` names it,
uint8 (patches, height, width, 3). Adding one is one function and one line of `CATALOGUE`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intonate.catalogue import load
from intonate.errors import ModelError

FrontEnd = Callable[..., NDArray[Any]]

CATALOGUE: dict[str, str] = {
    "audioset_patches": "intonate.features.audioset:audioset_patches",
    "descriptors": "intonate.features.descriptors:descriptors",
    "encoded": "intonate.features.encoded:encoded",
    "frames": "intonate.features.waveform:frames",
    "jet_image": "intonate.features.images:jet_image",
    "kaldi_fbank": "intonate.features.kaldi:kaldi_fbank",
    "log_mel": "intonate.features.spectral:log_mel",
    "mfcc": "intonate.features.spectral:mfcc",
    "mfcc_image": "intonate.features.images:mfcc_image",
    "pooled": "intonate.features.pooled:pooled",
    "spectral_functionals": "intonate.features.spectral_functionals:spectral_functionals",
    "spectrogram": "intonate.features.spectral:spectrogram",
    "voice_functionals": "intonate.features.functionals:voice_functionals",
    "waveform": "intonate.features.waveform:waveform",
    "whisper_log_mel": "intonate.features.whisper:whisper_log_mel",
    "windows": "intonate.features.windows:windows",
}
# Those that give uint8: a network takes them as they are, and nothing centres or scales them on the way.
IMAGES = frozenset({"jet_image", "mfcc_image"})


def get(name: str) -> FrontEnd:
    """The front end of that name.

    Raises:
        ModelError: there is none.
    """
    front_end: FrontEnd = load(name, CATALOGUE, "front end", ModelError)
    return front_end


def rows(
    name: str, waveform: NDArray[np.float32], sample_rate_hz: int, params: Mapping[str, Any] | None, purpose: str
) -> NDArray[np.float32]:
    """The (rows, columns) of another front end, for those that are made of one (`pooled`, `windows`).

    Raises:
        ModelError: there is none of that name, or it has no rows `purpose`.
    """
    array = get(name)(waveform, sample_rate_hz, **(params or {}))
    if array.ndim != 2:
        kind = {1: "one vector", 4: "images"}.get(array.ndim, f"{array.ndim} dimensions")
        raise ModelError(f"front end {name!r} gives {kind} and has no rows {purpose}; use it by itself")
    return array
