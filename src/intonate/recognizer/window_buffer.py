"""Chunks of any size in, overlapping windows at the model's rate out: the only buffer that a stream has.

What comes is resampled window by window, with a little of what came before as context; all but the newest, which still
lacks what comes after it, is kept and never resampled again. A running resampler would hold back its filter's delay
(37 ms at 48 kHz, 115 ms at 8 kHz were measured) and answer that much later; here what comes out depends on the samples
alone and never on how they were cut into chunks.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intonate.audio.arrays import array_of
from intonate.audio.readers import check_rate
from intonate.audio.resample import Waveform, resample
from intonate.errors import AudioError

# Longer than the resampling filter reaches back, and forward, at any rate from 8 kHz on.
CONTEXT_S = 0.1
# Room beside what is needed: so often, in seconds of sound, a tape is moved.
SLACK_S = 4.0
# Full scale is 1. What is louder than this live is no float, but integers that were never scaled.
LOUDEST = 8.0


@dataclass(frozen=True, slots=True)
class StreamWindow:
    """A window that has just become complete.

    Attributes:
        waveform: (samples,) at the model's rate, ending now.
        start_s: where the window starts, seconds from the start of the stream.
        new_start_s: where its new part starts: the end of the window before.
        end_s: now.
    """

    waveform: Waveform
    start_s: float
    new_start_s: float
    end_s: float


def check_windows(window_s: float, hop_s: float) -> None:
    """Refuse windows that leave gaps, or are beyond what a stream can do.

    Raises:
        AudioError: they do.
    """
    if not (isinstance(hop_s, Real) and isinstance(window_s, Real) and 0.1 <= hop_s <= window_s <= 30.0):
        raise AudioError(
            f"windows of {window_s!r} s every {hop_s!r} s are not possible, expected 0.1 <= hop <= window <= 30"
        )


class WindowBuffer:
    """The sound of the last seconds, and where the next window is due.

    Attributes:
        received: samples pushed so far, at the stream's own rate.
        rate_hz: that rate.
    """

    def __init__(
        self, from_hz: int, to_hz: int, window_s: float, hop_s: float, first_end_s: float, history_s: float = 0.0
    ) -> None:
        """Windows of `window_s` every `hop_s`, the first (shorter) one ends at `first_end_s`.

        At least the last `history_s` of sound can be read with `waveform`.
        """
        self._from_hz, self._to_hz = check_rate(from_hz, "the stream"), to_hz
        self._window_s, self._hop_s = window_s, hop_s
        self._history_s = max(window_s, history_s) + CONTEXT_S + hop_s
        divisor = math.gcd(self._from_hz, to_hz)
        # After so many samples (of either rate) both rates have one at the same time.
        self._step, self._step_out = self._from_hz // divisor, to_hz // divisor
        self._sound = _Tape(round(SLACK_S * self._from_hz))  # at the stream's own rate, not yet settled
        self._resampled = _Tape(round((self._history_s + SLACK_S) * to_hz))
        self._settled_steps = 0  # what lies before is resampled for good
        self._last_end_s, self._next_end_s = 0.0, first_end_s
        self.received, self.rate_hz = 0, self._from_hz

    def push(self, chunk: NDArray[Any]) -> Iterator[StreamWindow]:
        """Take a chunk (samples,) of floats (full scale ±1) or int16; give the windows that it completes.

        Raises:
            AudioError: the chunk is of another kind, has several channels, or is not finite.
        """
        samples = _as_float32(chunk)
        if len(samples):
            settled = self._settled_steps * self._step - round(CONTEXT_S * self._from_hz) - self._step
            self._sound.write(self.received, samples, settled)
            self.received += len(samples)
        while self.received >= round(self._next_end_s * self._from_hz):
            yield self._cut_window(self._next_end_s)

    def completes(self, samples: int) -> bool:
        """Whether so many more samples complete a window."""
        return self.received + samples >= round(self._next_end_s * self._from_hz)

    def delay(self, end_s: float) -> None:
        """Let the next window end then, with all that is new in it: nobody needs one before."""
        self._next_end_s = end_s

    def last_window(self) -> StreamWindow | None:
        """The window at the very end, if anything came after the last one."""
        end_s = self.received / self._from_hz
        return self._cut_window(end_s) if end_s > self._last_end_s else None

    @property
    def settled(self) -> int:
        """Samples at the model's rate that are what they will be: the newest still lack what comes after them."""
        return self._settled_steps * self._step_out

    def cut(self, start_s: float, end_s: float) -> tuple[int, Waveform]:
        """The sound between two times, at the model's rate, as far as it is kept; up to the last window.

        Returns:
            The number of its first sample from the start of the stream, and the waveform (samples,).
        """
        first = max(round(start_s * self._to_hz), self._resampled.first)
        return first, self._resampled.read(first, round(end_s * self._to_hz))

    def _cut_window(self, end_s: float) -> StreamWindow:
        self._resample_until(round(end_s * self._from_hz))
        start_s = max(0.0, end_s - self._window_s)
        waveform = self._resampled.read(round(start_s * self._to_hz))
        window = StreamWindow(waveform, start_s, self._last_end_s, end_s)
        self._last_end_s = end_s
        self._next_end_s = end_s + self._hop_s
        return window

    def _resample_until(self, end: int) -> None:
        """Resample up to a sample of the stream; what comes within the filter's reach of it is done again next time."""
        context = round(CONTEXT_S * self._from_hz)
        first_step = max(0, self._settled_steps - math.ceil(context / self._step))
        first, first_out = first_step * self._step, first_step * self._step_out
        waveform = resample(self._sound.read(first, end), self._from_hz, self._to_hz)
        settled_out = self.settled
        kept_from = round((end / self._from_hz - self._history_s) * self._to_hz)
        self._resampled.write(settled_out, waveform[settled_out - first_out :], kept_from)
        self._settled_steps = max(self._settled_steps, (end - context) // self._step)


class _Tape:
    """The last samples of a sound, each at its number from the start of the sound.

    Attributes:
        first: the number of the first that is kept.
    """

    def __init__(self, size: int) -> None:
        """With room for `size` samples, and for more where they must be kept."""
        self._samples, self._size = np.empty(size, np.float32), size
        self.first = self._end = 0

    def write(self, start: int, samples: Waveform, kept_from: int) -> None:
        """Put samples at `start`, where nothing comes after them; before `kept_from` nothing will be read any more.

        What is not needed goes only when there is no room left, so that a chunk costs no more than its length.
        """
        if start - self.first + len(samples) > len(self._samples):
            kept_from = min(max(self.first, kept_from), start)
            kept_samples = self._samples[kept_from - self.first : start - self.first]
            size = max(self._size, len(kept_samples) + len(samples))
            if size != len(self._samples):
                self._samples = np.empty(size, np.float32)
            self._samples[: len(kept_samples)] = kept_samples
            self.first = kept_from
        place = start - self.first
        self._samples[place : place + len(samples)] = samples
        self._end = start + len(samples)

    def read(self, start: int, end: int | None = None) -> Waveform:
        """A copy of the samples [start, end), or of all from `start` on, as far as they are there."""
        start, end = max(start, self.first), self._end if end is None else min(end, self._end)
        return self._samples[start - self.first : max(start, end) - self.first].copy()


def _as_float32(chunk: NDArray[Any]) -> Waveform:
    """The chunk as float32, always a copy: the caller may reuse its array."""
    chunk = array_of(chunk, "the chunk")
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
        raise AudioError(
            "the chunk holds values that are not finite, or far beyond the full scale of 1; are they integers?"
        )
    return samples
