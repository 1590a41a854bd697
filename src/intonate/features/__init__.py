"""The front ends: numpy functions `(waveform, sample_rate_hz, **params) -> array`, the same in training and serving.

    features.get("log_mel")(waveform, 16_000, bands=80)    # (frames, 80)

A front end gives (rows, columns), a vector (columns,), or a waveform (samples,), always float32. Adding one is one
function and one line of `CATALOGUE`.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

import numpy as np
from numpy.typing import NDArray

from intonate.errors import ModelError, did_you_mean

FrontEnd = Callable[..., NDArray[np.float32]]

CATALOGUE: dict[str, str] = {
    "log_mel": "intonate.features.spectral:log_mel",
    "mfcc": "intonate.features.spectral:mfcc",
    "pooled": "intonate.features.pooled:pooled",
    "voice_functionals": "intonate.features.functionals:voice_functionals",
    "waveform": "intonate.features.waveform:waveform",
}


def get(name: str) -> FrontEnd:
    """The front end of that name.

    Raises:
        ModelError: there is none.
    """
    if name not in CATALOGUE:
        raise ModelError(f"front end {name!r} is not known; {did_you_mean(name, CATALOGUE)}")
    module, attribute = CATALOGUE[name].split(":")
    front_end: FrontEnd = getattr(import_module(module), attribute)
    return front_end
