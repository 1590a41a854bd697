"""Chunks of any size in, overlapping windows at the model's rate out: the only buffer that a stream has.

Each window is resampled by itself, with a little of what came before as context. A running resampler would hold back
its filter's delay (37 ms at 48 kHz, 115 ms at 8 kHz were measured) and answer that much later; this costs the same
time, and what comes out depends on the samples alone and never on how they were cut into chunks.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intonate.audio.decode import LOUDEST
from intonate.audio.readers import check_rate
from intonate.audio.resample import Waveform, resample
from intonate.errors import AudioError

# Longer than the resampling filter reaches back at any rate from 8 kHz on.
CONTEXT_S = 0.1


@dataclass(frozen=True, slots=True)
class Heard:
    """A window that has just become complete.

    Attributes:
        window: (samples,) at the model's rate, ending now.
        start_s: where the window starts, seconds from the start of the stream.
        fresh_s: where its newest part starts: the end of the window before.
        end_s: now.
    """

    window: Waveform
    start_s: float
    fresh_s: float
    end_s: float


class Chunks:
    """The sound of the last seconds, and where the next window is due.

    Attributes:
        received: samples pushed so far, at the stream's own rate.
    """

    def __init__(
        self, from_hz: int, to_hz: int, window_s: float, hop_s: float, first_s: float, keep_s: float = 0.0
    ) -> None:
        """Windows of `window_s` every `hop_s`, the first (shorter) ones from `first_s` on; `keep_s` is kept."""
        self._from_hz, self._to_hz = check_rate(from_hz, "the stream"), to_hz
        if not 0.1 <= hop_s <= window_s <= 30.0:
            raise AudioError(
                f"windows of {window_s:g} s every {hop_s:g} s are not possible, expected 0.1 <= hop <= window <= 30"
            )
        self._window_s, self._hop_s = window_s, hop_s
        self._keep_s = max(window_s, keep_s) + CONTEXT_S + hop_s
        self._held: list[Waveform] = []
        self._first = 0  # the sample that `_held` starts with
        self._done_s, self._due_s = 0.0, first_s
        self.received = 0

    def push(self, chunk: NDArray[Any]) -> Iterator[Heard]:
        """Take a chunk (samples,) of floats (full scale ±1) or int16; give the windows that it completes.

        Raises:
            AudioError: the chunk is of another kind, has several channels, or is not finite.
        """
        samples = _as_float(chunk)
        if len(samples):
            self._held.append(samples)
            self.received += len(samples)
        while self.received >= round(self._due_s * self._from_hz):
            yield self._window(self._due_s)

    def completes(self, samples: int) -> bool:
        """Whether so many more samples complete a window."""
        return self.received + samples >= round(self._due_s * self._from_hz)

    def rest(self) -> Heard | None:
        """The window at the very end, if anything came after the last one."""
        end_s = self.received / self._from_hz
        return self._window(end_s) if end_s > self._done_s else None

    def between(self, start_s: float, end_s: float) -> Waveform:
        """What was heard between two times, at the model's rate, as far as it is still there."""
        first, last = (round(time_s * self._from_hz) for time_s in (start_s, end_s))
        if len(self._held) > 1:
            self._held = [np.concatenate(self._held)]
        held = self._held[0]
        first = max(first, self._first)
        context = min(first - self._first, round(CONTEXT_S * self._from_hz))
        raw = held[first - context - self._first : last - self._first]
        if self._from_hz == self._to_hz:
            return raw[context:].copy()
        extra = round(context * self._to_hz / self._from_hz)
        return resample(raw, self._from_hz, self._to_hz)[extra:]

    def _window(self, end_s: float) -> Heard:
        start_s = max(0.0, end_s - self._window_s)
        heard = Heard(self.between(start_s, end_s), start_s, self._done_s, end_s)
        self._done_s = end_s
        self._due_s = end_s + self._hop_s
        oldest = max(self._first, round((end_s - self._keep_s) * self._from_hz))
        self._held, self._first = [self._held[0][oldest - self._first :]], oldest
        return heard


def _as_float(chunk: NDArray[Any]) -> Waveform:
    """Always a copy: what is pushed may be overwritten by who pushed it."""
    chunk = np.asarray(chunk)
    if chunk.ndim != 1 or chunk.dtype.kind not in "fi" or (chunk.dtype.kind == "i" and chunk.dtype != np.int16):
        raise AudioError(
            f"a chunk of {chunk.dtype} with shape {chunk.shape} cannot be streamed, expected float or int16 (samples,)"
        )
    if chunk.dtype == np.int16:
        return np.asarray(chunk / np.float32(32768), np.float32)
    with np.errstate(over="ignore"):
        samples = np.array(chunk, np.float32)
    # Written so that NaN fails it too.
    if len(samples) and not (samples.min() >= -LOUDEST and samples.max() <= LOUDEST):
        raise AudioError("the chunk holds values that are not finite, or far beyond the full scale of 1")
    return samples
