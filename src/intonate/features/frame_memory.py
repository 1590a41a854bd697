"""Frames of overlapping windows, computed once.

A stream asks about the last two seconds twice a second, and about each utterance when it has ended: three quarters of
the frames were there before. A front end whose frames stand each for itself says so with `by_frames`; whoever cuts
windows out of one sound keeps a `FrameMemory` of it, and says with `remembering` where a window lies. What comes out is
the same, but for rounding: frames that reach over an end of the window, where zeros follow, are never taken from it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any, Concatenate, NamedTuple, ParamSpec

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float32]
P = ParamSpec("P")

# What is kept: a window and an utterance that is answered whole, seconds of 100 frames (300 kB of a log-mel). There is
# room for more: what is kept is moved only when so many have been put behind it.
KEPT_FRAMES, ROOM_FRAMES = 1000, 500


class FrameMemory:
    """The last frames of one sound, of each front end that was asked about it. Not safe to share between threads."""

    def __init__(self) -> None:
        # {front end and parameters: (number of the first, of the one after the last, rows and room after them)}
        self._rows: dict[object, tuple[int, int, Float]] = {}

    def find(self, key: object, first: int, end: int) -> Float:
        """The rows from number `first` on, as far as they are known without a gap; none from `end` on."""
        known_first, known_end, rows = self._rows.get(key, (first, first, np.zeros((0, 0), np.float32)))
        end = max(first, min(end, known_end))
        return rows[first - known_first : end - known_first] if known_first <= first else rows[:0]

    def keep(self, key: object, first: int, rows: Float) -> None:
        """Put rows to those that are known, from number `first` on; what lies before a gap is forgotten."""
        end = first + len(rows)
        known_first, known_end, known_rows = self._rows.get(key, (first, first, rows[:0]))
        if end <= known_end:
            return
        if not known_first <= first <= known_end:
            known_first, known_rows = first, rows[:0]
        if end - known_first > len(known_rows):
            kept_first = max(known_first, end - KEPT_FRAMES)
            kept_rows = known_rows[kept_first - known_first : max(kept_first, first) - known_first]
            first, rows = max(kept_first, first), rows[max(0, kept_first - first) :]
            known_first, known_rows = kept_first, np.empty((KEPT_FRAMES + ROOM_FRAMES, rows.shape[1]), np.float32)
            known_rows[: len(kept_rows)] = kept_rows
        known_rows[first - known_first : end - known_first] = rows
        self._rows[key] = known_first, end, known_rows


class _Place(NamedTuple):
    memory: FrameMemory
    window: Float
    start: int
    settled: int


_here = threading.local()


@contextmanager
def remembering(memory: FrameMemory, window: Float, start: int, settled: int) -> Iterator[None]:
    """Let the front ends that are asked about `window` here take frames from a memory, and keep new ones there.

    Args:
        memory: of the sound.
        window: (samples,) float32, a piece of the sound; the same object that the front ends get.
        start: its first sample, from the start of the sound.
        settled: samples of the sound that will not change any more.
    """
    _here.place = _Place(memory, window, start, settled)
    try:
        yield
    finally:
        _here.place = None


def place_within(part: Float, whole: Float) -> int | None:
    """Where an array begins that was sliced out of another (samples,), as cleaning by trimming does; else None."""
    if part.strides != whole.strides or not np.may_share_memory(part, whole):
        return None
    return int(part.ctypes.data - whole.ctypes.data) // whole.itemsize


def by_frames(
    hop: int, reach: int
) -> Callable[[Callable[Concatenate[Float, P], Float]], Callable[Concatenate[Float, P], Float]]:
    """For a function of a waveform (samples,) that gives a row for each frame, (1 + samples // hop, columns).

    Args:
        hop: distance of the frames, samples; frame t is centred on sample `t * hop`, and zeros lie outside.
        reach: frames so far from both ends of the waveform depend on nothing beyond these.
    """

    def decorate(function: Callable[Concatenate[Float, P], Float]) -> Callable[Concatenate[Float, P], Float]:
        @wraps(function)
        def with_memory(waveform: Float, /, *args: P.args, **kwargs: P.kwargs) -> Float:
            place: _Place | None = getattr(_here, "place", None)
            if place is None or place.window is not waveform or place.start % hop:
                return function(waveform, *args, **kwargs)
            key: Any = (function, args, tuple(kwargs.items()))
            first, count = place.start // hop, 1 + len(waveform) // hop
            known_rows = place.memory.find(key, first + reach, first + count - reach)
            if len(known_rows):
                # Both ends are computed together, with so much of the rest that they do not notice what is missing.
                missing_from = reach + len(known_rows)
                ends = np.concatenate([waveform[: 2 * reach * hop], waveform[(missing_from - reach) * hop :]])
                end_rows = function(ends, *args, **kwargs)
                rows = np.concatenate([end_rows[:reach], known_rows, end_rows[3 * reach :]])
            else:
                rows = function(waveform, *args, **kwargs)
            kept = min(count, place.settled // hop - first) - reach
            place.memory.keep(key, first + reach, rows[reach : max(reach, kept)])
            return rows

        return with_memory

    return decorate
