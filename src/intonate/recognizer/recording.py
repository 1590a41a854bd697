"""A recording as the recognizer reads it: whole if it is short, else window by window in constant memory."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import itertools
import os
from collections.abc import Iterable, Iterator
from numbers import Real

import numpy as np
from numpy.typing import NDArray

from intonate.audio import decode, segments
from intonate.audio.decode import Sound, Source
from intonate.audio.streams import open_stream
from intonate.errors import AudioError
from intonate.schema import Pool

Waveform = NDArray[np.float32]


def open_recording(
    source: Source, sample_rate_hz: int, pool: Pool, whole: bool = False, warnings: list[str] | None = None
) -> tuple[Waveform | None, Iterator[Waveform]]:
    """The whole recording (samples,) if it is no longer than `pool.longest_s`, else None; and it in blocks.

    Where `whole`, all of it whatever its length. What was not heard of it is added to `warnings` once the last block is
    there.

    Raises:
        AudioError: the sound is missing, unreadable, empty or not finite, as far as the first blocks show it.
    """
    blocks = decode.blocks(source, sample_rate_hz, pool.longest_s, warnings)
    if whole:
        waveform = np.concatenate(list(blocks))
        return waveform, iter([waveform])
    first_block = next(blocks)
    second_block = next(blocks, None)
    if second_block is None:
        return first_block, iter([first_block])
    return None, itertools.chain([first_block, second_block], blocks)


def windows(blocks: Iterable[Waveform], sample_rate_hz: int, pool: Pool) -> Iterator[tuple[float, Waveform]]:
    """(start in seconds, window (samples,)), overlapping; the last one is moved back to end with the recording.

    The same cuts as `intonate.audio.segments.windows`, without knowing the length beforehand.
    """
    window, hop = round(pool.window_s * sample_rate_hz), round(pool.hop_s * sample_rate_hz)
    buffer, offset, next_start = np.zeros(0, np.float32), 0, 0
    for block in blocks:
        buffer = np.concatenate([buffer, block])
        # Only what is followed by more is sure not to be the last window.
        while offset + len(buffer) > next_start + window:
            # The window before is kept: the last one may reach back into it.
            buffer, offset = buffer[next_start - offset :], next_start
            yield next_start / sample_rate_hz, buffer[:window].copy()
            next_start += hop
    last_start = max(0, offset + len(buffer) - window)
    yield last_start / sample_rate_hz, buffer[last_start - offset :].copy()


def recording_cuts(samples: int, sample_rate_hz: int, pool: Pool) -> list[tuple[int, int]]:
    """[start, end) in samples of what is answered at once of a sound in memory: all of it, or its windows."""
    if samples <= pool.longest_s * sample_rate_hz:
        return [(0, samples)]
    return segments.windows(samples, sample_rate_hz, pool.window_s, pool.hop_s)


def several(sources: Iterable[Source]) -> Iterable[Source]:
    """The same, if they are several: the letters of a path are no recordings, nor are the lines of a file.

    Raises:
        AudioError: it is one recording.
    """
    is_array_with_rate = isinstance(sources, tuple) and any(isinstance(part, Real) for part in sources)
    is_one = isinstance(sources, str | bytes | bytearray | memoryview | os.PathLike | Sound) or hasattr(sources, "read")
    if is_array_with_rate or is_one:
        raise AudioError("predict_many takes a list of recordings and was given one; give [it], or use predict")
    return sources


def file_of(source: Source) -> str:
    """The file's name in a prediction: its path, or nothing for bytes and arrays."""
    source = source.source if isinstance(source, Sound) else source
    name = decode.name_of(source)
    return "" if name.startswith("<") and not isinstance(source, str | os.PathLike) else name


class _KeptPipe(io.BytesIO):
    """What came through a pipe, under the name of that (`decode.name_of`)."""

    name: str


def repeatable(source: Source) -> Source:
    """The source; one that could not be read a second time (a pipe or a socket, open or by its path) in memory.

    Raises:
        AudioError: it cannot be read, or holds too much.
    """
    sound = source if isinstance(source, Sound) else Sound(source)
    if _can_be_read_twice(sound.source):
        return source
    with contextlib.ExitStack() as stack:
        name = decode.name_of(sound.source)
        kept_pipe = _KeptPipe(open_stream(sound.source, name, stack).read())
        kept_pipe.name = name
    return dataclasses.replace(sound, source=kept_pipe)


def _can_be_read_twice(source: object) -> bool:
    if isinstance(source, str | os.PathLike):
        return os.path.isfile(source) or os.path.isdir(source) or not os.path.exists(source)
    seekable = getattr(source, "seekable", None)
    return not hasattr(source, "read") or bool(seekable and seekable())


def with_bar(sources: Iterable[Source], is_shown: bool = True) -> Iterator[Source]:
    """The same, with a bar on standard error that tells how many are done."""
    if not is_shown:
        yield from sources
        return
    from rich.console import Console
    from rich.progress import Progress

    # Nothing but the bar goes to standard error: what is printed meanwhile stays where it was sent.
    with Progress(console=Console(stderr=True), transient=True, redirect_stdout=False, redirect_stderr=False) as bar:
        yield from bar.track(list(sources), description="listening")
