"""Sound that is in memory already: (array, rate)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intonate.audio.reader import CHUNK_SAMPLES, Block, Reader, check_rate, is_narrow, narrow_warning
from intonate.errors import AudioError

# More channels than this, and fewer samples for each than so many times their number, are no sound but its features:
# a spectrogram, an embedding.
MOST_CHANNELS, LEAST_SAMPLES_EACH = 16, 100
# Floats beyond this were never divided by full scale: they are integers of 16 bits, or of 32.
LOUDEST_FLOAT = 8.0


def open_array(source: tuple[Any, ...], name: str) -> Reader:
    """A reader of an array (samples,), (samples, channels) or (channels, samples).

    Raises:
        AudioError: it is no such array, or its rate is impossible.
    """
    if len(source) != 2:
        raise AudioError(f"a tuple of {len(source)} is not a source of sound, expected (array, rate)")
    if hasattr(source[1], "__len__") and not hasattr(source[0], "__len__"):
        raise AudioError("the tuple holds (rate, array), expected (array, rate)")
    rate, samples = check_rate(source[1], name), array_of(source[0], name)
    if samples.ndim not in (1, 2):
        raise AudioError(f"{name} has the shape {samples.shape}, expected (samples,) or (samples, channels)")
    columns = samples[:, None] if samples.ndim == 1 else samples
    # (channels, samples), as torch has it: there are always more samples than channels.
    columns = columns.T if columns.shape[0] < columns.shape[1] and columns.shape[0] > 0 else columns
    if columns.shape[1] == 0:
        raise AudioError(f"{name} has no channels")
    if columns.shape[1] > MOST_CHANNELS and columns.shape[0] < LEAST_SAMPLES_EACH * columns.shape[1]:
        raise AudioError(
            f"{name} has the shape {samples.shape}, like a spectrogram or another feature; expected the samples "
            "themselves: (samples,) or (samples, channels)"
        )
    warnings: list[str] = []
    scaled = _scaled(columns, name, warnings)
    step = max(1, CHUNK_SAMPLES // columns.shape[1])

    def chunks(first_frame: int) -> Iterator[Block]:
        for start in range(first_frame, len(scaled), step):
            yield scaled[start : start + step]

    return Reader(name, rate, columns.shape[1], len(columns), "array", chunks, warnings)


def array_of(samples: Any, name: str) -> NDArray[Any]:
    """What was handed over as samples, as an array.

    Raises:
        AudioError: it cannot be made into one, has masked samples, or is bytes, which do not say what they hold.
    """
    if isinstance(samples, bytes | bytearray) or (isinstance(samples, memoryview) and samples.format == "B"):
        raise AudioError(
            f"{name} holds bytes, which do not say how they hold samples; mend it with: numpy.frombuffer(samples, "
            "numpy.int16), or Sound(samples, raw='s16le:16000')"
        )
    if np.ma.is_masked(samples):
        raise AudioError(f"{name} is a masked array; say what is to be heard where it is masked: samples.filled(0)")
    try:
        return np.asarray(samples)
    except (TypeError, ValueError, RuntimeError) as error:
        raise AudioError(f"{name} cannot be made into an array: {error}") from error


def _scaled(samples: NDArray[Any], name: str, warnings: list[str]) -> Block:
    """Integers to ±1, floats as they are where they can be a sound of full scale ±1."""
    kind = samples.dtype
    with np.errstate(over="ignore", invalid="ignore"):
        if kind == np.uint8:
            return (samples.astype(np.float32) - np.float32(128)) / np.float32(128)
        if kind.kind == "i" and kind.itemsize <= 4:
            bits = 8 * kind.itemsize
            highest = int(samples.max(initial=0))
            if bits == 32 and is_narrow(int(samples.min(initial=0)), highest, not (samples % 256).any()):
                bits = 16
                warnings.append(narrow_warning(name, highest))
            return (samples / np.float64(2 ** (bits - 1))).astype(np.float32)
        if kind.kind == "f":
            loudest = float(max(samples.max(), -samples.min())) if samples.size else 0.0
            bits = next((bits for bits in (16, 32) if LOUDEST_FLOAT < loudest <= 2 ** (bits - 1)), 0)
            if bits:
                warnings.append(
                    f"{name} holds floats up to {loudest:.0f}, where full scale is 1: read as integers of {bits} bits"
                )
                return samples.astype(np.float32) / np.float32(2 ** (bits - 1))
            return samples.astype(np.float32)
    raise AudioError(f"{name} holds {kind}, expected float samples (full scale ±1), int8, int16, int32 or uint8")
