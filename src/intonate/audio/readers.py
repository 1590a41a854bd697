"""Open anything that holds sound, and read it in chunks: the one place that puts a source and a decoder together.

libsndfile reads first, PyAV (`media.py`) what it does not know. A file that was joined from several is read part by
part, as one sound.
"""

from __future__ import annotations

import contextlib
import itertools
import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, Protocol, SupportsIndex, TypeAlias

from intonate.audio import arrays, intact, kinds, mp3, mpeg, parts
from intonate.audio.doubts import doubt, protection
from intonate.audio.media import open_media
from intonate.audio.raw import open_raw
from intonate.audio.reader import Block, Reader, check_rate
from intonate.audio.resample import resample_blocks
from intonate.audio.sndfile import UnknownFormatError, open_sndfile
from intonate.audio.streams import Content, Part, name_of, open_stream
from intonate.errors import AudioError, MissingExtraError

__all__ = ["Reader", "Sound", "Source", "check_rate", "name_of", "open_audio"]


class Readable(Protocol):
    """An open binary file, a pipe, or anything else with bytes to read."""

    def read(self, size: int = ..., /) -> bytes: ...


# Sound that says itself how to read it; the second of a pair is its rate in Hz, also as numpy has it.
Plain: TypeAlias = str | os.PathLike[str] | bytes | bytearray | memoryview | Readable | tuple[Any, SupportsIndex]


@dataclass(frozen=True, slots=True)
class Sound:
    """A source, and how to read it where it does not say so itself.

    Attributes:
        source: a path, bytes, a binary file or (array, rate).
        raw: for samples without a header, `ENCODING:RATE[:CHANNELS]`, e.g. `ulaw:8000` (see `raw.ENCODINGS`).
        track: which audio track of a video, from 1 on; None for the first one in which somebody speaks.
        channel: which channel alone, from 1 on; None for all of them in one.
    """

    source: Plain
    raw: str | None = None
    track: int | None = None
    channel: int | None = None


Source: TypeAlias = Plain | Sound


@contextlib.contextmanager
def open_audio(source: Source) -> Iterator[Reader]:
    """Open a source; it is closed at the end, unless it was an open file that was passed in.

    Raises:
        AudioError: there is no sound in it that can be read.
    """
    sound = source if isinstance(source, Sound) else Sound(source)
    name = name_of(sound.source)
    if isinstance(sound.source, tuple):
        _check_only_track(sound.track, name)
        yield arrays.open_array(sound.source, name)
        return
    with contextlib.ExitStack() as stack:
        content = Content(open_stream(sound.source, name, stack))
        if not content.size:
            raise AudioError(f"{name} is empty (0 bytes)")
        if sound.raw is not None:
            _check_only_track(sound.track, name)
            yield open_raw(content.view(Part(0, content.size)), name, sound.raw, stack)
            return
        yield _open_file(content, name, sound.track, stack)


def _open_file(content: Content, name: str, track: int | None, stack: contextlib.ExitStack) -> Reader:
    start = 0
    while tag := mpeg.id3_bytes(content.read(start, 10)):
        start += tag
    head = content.read(start, kinds.HEAD_BYTES)
    kind, tag_end = kinds.of(head), start
    is_foreign = (kind is None and start == 0) or kinds.is_mangled(head)
    if is_foreign and (reason := kinds.explanation(head, PurePath(name).suffix)) is not None:
        raise AudioError(f"{name} {reason}")
    if kind is None:
        # Within a tag whose size is wrong, or behind something else.
        starts = (mp3.first_frame(content, place) for place in ([mpeg.ID3_HEAD_BYTES] if start else []) + [start])
        if (sync := next((place for place in starts if place is not None), None)) is not None:
            start, kind = sync, kinds.MP3
        elif head and not any(head):
            raise AudioError(f"{name} {kinds.ZEROS}")
    pieces = parts.of(content, kind, start)
    is_broken_tag = start > tag_end == 0 and head[:3] == b"ID3"
    if is_broken_tag or (
        tag_end not in (0, start) and not intact.is_padding(content, min(tag_end, start), max(tag_end, start))
    ):
        # Between a tag and the first frame stood more frames.
        pieces[0] = pieces[0]._replace(promise=math.nan)

    first_reader, other_readers = _open_part(content, pieces[0], name, track, stack), list[Reader]()
    for piece in pieces[1:]:
        try:
            other_readers.append(_open_part(content, piece, name, track, stack))
        except AudioError as error:
            size, place = piece.end - piece.start, f"from byte {piece.start} on"
            first_reader.warnings.append(f"{size} bytes {place} are another file and were not heard: {error}")
    return _join_readers(first_reader, other_readers) if other_readers else first_reader


def _check_only_track(track: int | None, name: str) -> None:
    if track not in (None, 1):
        raise AudioError(f"{name} has 1 audio track, and track {track} was asked for; leave the track out")


def _open_part(content: Content, part: Part, name: str, track: int | None, stack: contextlib.ExitStack) -> Reader:
    """One part, and a word about a header that contradicts itself."""
    if text := protection(content, part):
        raise AudioError(f"{name} {text}")
    reader = _open_decoder(content, part, name, track, stack)
    if text := doubt(content, part):
        reader.warnings.append(f"{name} {text}")
    return reader


def _open_decoder(content: Content, part: Part, name: str, track: int | None, stack: contextlib.ExitStack) -> Reader:
    """One part, by libsndfile where that knows it, else by PyAV."""
    view, kind = content.view(part), part.kind
    if kind is not None and not kind.in_sndfile:
        return open_media(view, name, kind, stack, part.promise, track)
    try:
        reader = open_sndfile(view, name, stack, part.promise, part.least)
        _check_only_track(track, name)
        return reader
    except UnknownFormatError as error:
        if kind is None:
            raise
        view.seek(0)
        try:
            return open_media(view, name, kind, stack, part.promise, track, part.least)
        except AudioError as media_error:
            # What only PyAV could tell (a codec, a missing table) is told by it; damage is described by libsndfile.
            if error.is_coding or part.promise != 1.0 or "is coded as" in str(media_error):
                raise media_error from error
            if isinstance(media_error.__cause__, MissingExtraError):
                raise AudioError(f"{error}; PyAV may be able to: pip install 'intonate[media]'") from error
            raise error from None


def _join_readers(first_reader: Reader, other_readers: list[Reader]) -> Reader:
    """Several readers as one, with the rate of the first; each keeps its own channels."""
    rate, readers = first_reader.sample_rate_hz, [first_reader, *other_readers]
    lengths = [None if r.frames is None else round(r.frames * rate / r.sample_rate_hz) for r in readers]

    def chunks(start: int) -> Iterator[Block]:
        for reader, length in zip(readers, lengths, strict=True):
            if length is not None and start >= length:
                start -= length
                continue
            position = 0
            for block in _resampled_blocks(reader, round(start * reader.sample_rate_hz / rate), rate):
                position += len(block)
                yield block
            start = max(0, start - position) if length is None else 0
            first_reader.warnings.extend(warning for warning in reader.warnings if warning not in first_reader.warnings)

    total = sum(length for length in lengths if length is not None)
    return Reader(
        first_reader.name,
        rate,
        max(reader.channels for reader in readers),
        None if None in lengths else total,
        first_reader.format,
        chunks,
        first_reader.warnings,
    )


def _resampled_blocks(reader: Reader, first_frame: int, rate_hz: int) -> Iterator[Block]:
    for channels, blocks in itertools.groupby(reader.chunks(first_frame), lambda block: block.shape[1]):
        if channels > 1:
            yield from resample_blocks(blocks, reader.sample_rate_hz, rate_hz, channels)
        else:
            mono = resample_blocks((block[:, 0] for block in blocks), reader.sample_rate_hz, rate_hz)
            yield from (block[:, None] for block in mono)
