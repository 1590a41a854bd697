"""What an open sound is to the rest of the house, whoever decodes it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intonate.errors import AudioError

Block = NDArray[np.float32]

# One read holds this many samples, all channels together: 1 MiB of float32, 16 s of mono at 16 kHz.
CHUNK_SAMPLES = 2**18
# The rates that sound is recorded at. A header that claims 1 Hz would make 16,000 samples of each of its own.
LOWEST_RATE_HZ, HIGHEST_RATE_HZ = 1_000, 768_000


@dataclass(frozen=True, slots=True)
class Reader:
    """An open sound.

    Attributes:
        name: what messages call it.
        sample_rate_hz: its own rate.
        channels: how many; the most of its parts, where it was joined from several.
        frames: samples per channel as the header claims; None where it does not say.
        format: e.g. `WAV`, `FLAC`, `matroska`, `array`.
        chunks: `chunks(first_frame)` yields (samples, channels) float32, full scale ±1, about `CHUNK_SAMPLES` each;
            where the channels change along the way, so do the blocks.
        warnings: sentences about what was not heard; complete once `chunks` has come to its end.
    """

    name: str
    sample_rate_hz: int
    channels: int
    frames: int | None
    format: str
    chunks: Callable[[int], Iterator[Block]]
    warnings: list[str] = field(default_factory=list)


def check_rate(rate_hz: Any, name: str) -> int:
    """A usable sample rate, Hz.

    Raises:
        AudioError: it is not a whole number, or no rate that sound is recorded at.
    """
    try:
        rate = int(rate_hz)
        if rate == rate_hz and LOWEST_RATE_HZ <= rate <= HIGHEST_RATE_HZ:
            return rate
    except (TypeError, ValueError, OverflowError):
        pass
    value_text = rate_hz if isinstance(rate_hz, int | float) else type(rate_hz).__name__
    raise AudioError(
        f"the sample rate of {name} is {value_text}, expected a whole number of Hz "
        f"from {LOWEST_RATE_HZ} to {HIGHEST_RATE_HZ}"
    )


def is_narrow(lowest: int, highest: int, is_of_24_bits: bool) -> bool:
    """Whether integers of 32 bits from `lowest` to `highest` are most likely of 16 bits: they would be silence.

    Those of 24 bits, all of them multiples of 256, are silence: a track that is muted, with its dither.
    """
    return 1 < highest < 2**15 and lowest >= -(2**15) and not is_of_24_bits


def narrow_warning(name: str, highest: int) -> str:
    return f"{name} holds integers of 32 bits up to {highest}, next to silence: read as integers of 16 bits"


def shortfall(name: str, heard_s: float, promised_s: float) -> str:
    """The warning about a sound that is not whole: what was decoded, and what its header promises, seconds.

    A promise of NaN is a file that only shows that there was more.
    """
    if math.isnan(promised_s):
        return f"{name} is damaged or cut off: {heard_s:.2f} s were heard, and some of it is missing"
    digits = 2 if promised_s - heard_s >= 0.01 else 5
    return f"{name} is damaged or cut off: {heard_s:.{digits}f} s of {promised_s:.{digits}f} s were heard"
