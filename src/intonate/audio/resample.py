"""Change the sample rate, with soxr's `HQ` recipe: flat to 0.91 of the Nyquist rate, aliases below -120 dB."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import soxr
from numpy.typing import NDArray

Waveform = NDArray[np.float32]


def resample(waveform: Waveform, from_hz: int, to_hz: int) -> Waveform:
    """A waveform (samples,) at another rate; about `samples * to_hz / from_hz` samples, at least one if there was one.

    Time is kept: sample `i` of the answer is heard at `i / to_hz` seconds, without the filter's delay.
    """
    if from_hz == to_hz or not len(waveform):
        return waveform
    # In one go it takes two thirds of the time of a stream with one block, to the same samples.
    resampled = np.asarray(soxr.resample(np.ascontiguousarray(waveform, np.float32), from_hz, to_hz, quality="HQ"))
    return resampled if len(resampled) else waveform[:1]


def resample_blocks(blocks: Iterable[Waveform], from_hz: int, to_hz: int, channels: int = 1) -> Iterator[Waveform]:
    """`resample` for a waveform that comes in blocks, in constant memory; no seams, no empty blocks.

    Blocks are (samples,), or (samples, channels) where there is more than one channel.
    """
    if from_hz == to_hz:
        yield from (block for block in blocks if len(block))
        return
    stream = soxr.ResampleStream(from_hz, to_hz, channels, dtype="float32", quality="HQ")
    first_sample = no_samples = np.zeros((0, channels) if channels > 1 else 0, np.float32)
    is_empty = True
    for block in blocks:
        first_sample = first_sample if len(first_sample) else block[:1]
        ready = stream.resample_chunk(np.ascontiguousarray(block, np.float32))
        if len(ready):
            is_empty = False
            yield ready
    ready = stream.resample_chunk(no_samples, last=True)
    # Fewer samples than one at the new rate come out as none: keep the first, so that a sound never becomes no sound.
    ready = first_sample if is_empty and not len(ready) else ready
    if len(ready):
        yield ready
