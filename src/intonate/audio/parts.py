"""A file as the parts that it was joined from, with the sizes in their headers put right.

Decoders read the first part of a joined file and say nothing. Each part is a file by itself: cut there, any decoder
reads them all. Nothing is decoded here; a part tells what its header promises beyond what is there.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import TypeAlias

from intonate.audio import chunks, flac, frames, intact, mp3, mpeg, ogg, walks
from intonate.audio.behind import kind_at, next_file, tags_end
from intonate.audio.kinds import Kind
from intonate.audio.streams import MOST_PARTS, Content, Part

Splitter: TypeAlias = Callable[[Content, int], list[Part]]
# How far a file in [start, end) goes by what it says itself: beyond the end where it is cut off.
Walk: TypeAlias = Callable[[Content, int, int], int]

# A coded stream that stands in the place of a WAV's samples begins so near to its beginning, behind silence.
CODED_WITHIN_BYTES = 2**17


def of(content: Content, kind: Kind | None, start: int = 0) -> list[Part]:
    """The parts of a file of a kind (at least one), from `start` on, where its kind's magic stands.

    What lies behind the end of the last one is looked at as well: another file, maybe of another kind.
    """
    found: list[Part] = []
    while True:
        split = SPLITTERS.get(kind.name) if kind else None
        parts = (split(content, start) if split else []) or [Part(start, content.size)]
        found += [part._replace(kind=part.kind or kind) for part in parts]
        start = next_file(content, found[-1].end)
        if start < 0 or len(found) >= MOST_PARTS:
            return found
        kind, start = kind_at(content, start), tags_end(content, start)


def _walked_part(
    content: Content, start: int, end: int, position: int, has_rest: bool = False, doubt: str = ""
) -> Part:
    """The part from `start` on, which ends at `position` as it says; it promises more than is there if not whole."""
    next_start = next_file(content, position) if position < end else -1
    is_tail = position < end and intact.is_tail(content, position, end)
    is_whole = position == end or (position < end and (next_start == position or has_rest or is_tail))
    part_end = position if is_tail else next_start if start < next_start < end else end
    return Part(start, part_end, promise=1.0 if is_whole else math.nan, doubt=doubt)


def _one_part(walk: Walk, has_rest: bool = False) -> Splitter:
    """All as one part; behind it may stand a rest that is no sound, or hardly."""

    def split(content: Content, start: int) -> list[Part]:
        return [_walked_part(content, start, content.size, walk(content, start, content.size), has_rest)]

    return split


def _one_part_of_frames(frame_bytes: Callable[[bytes], int]) -> Splitter:
    return _one_part(partial(intact.frames_end, frame_bytes=frame_bytes))


def _splitter_at_mark(mark: bytes, walk: Walk, has_rest: bool = False) -> Splitter:
    """A splitter of kinds whose beginning is marked by bytes that occur nowhere else."""

    def split(content: Content, start: int) -> list[Part]:
        stretches = _stretches(content, start, mark)
        return [_walked_part(content, a, b, walk(content, a, b), has_rest) for a, b in stretches]

    return split


def _stretches(content: Content, start: int, mark: bytes) -> list[tuple[int, int]]:
    """From each mark to the next, or to the end; the first one stands at `start`."""
    starts, position = [start], start + len(mark)
    while len(starts) < MOST_PARTS and (position := content.find(mark, position)) >= 0:
        starts.append(position)
        position += len(mark)
    return list(zip(starts, [*starts[1:], content.size], strict=True))


def _split_flac(content: Content, start: int) -> list[Part]:
    parts = list[Part]()
    for a, b in _stretches(content, start, flac.MARK):
        position, doubt = flac.walk(content, a, b)
        parts.append(_walked_part(content, a, b, position, doubt=doubt))
    return parts


def _split_mp4(content: Content, start: int) -> list[Part]:
    parts, position, part_start, has_index = list[Part](), start, start, False
    while position + 8 <= content.size:
        size, name, header = int.from_bytes(content.read(position, 4), "big"), content.read(position + 4, 4), 8
        if size == 1:
            size, header = int.from_bytes(content.read(position + 8, 8), "big"), 16
        is_box = name.isalnum() and position + size <= content.size
        is_behind = not is_box and position > start
        if is_behind and (kind_at(content, position) is not None or intact.is_tail(content, position, content.size)):
            return [*parts, Part(part_start, position)]
        if not name.isalnum():  # something else that stands behind the last one
            break
        if name == b"ftyp" and has_index:
            parts.append(Part(part_start, position))
            part_start, has_index = position, False
        has_index = has_index or name == b"moov"
        if size == 0 or size < header:
            break
        position += size
    parts.append(Part(part_start, content.size, promise=math.nan if position > content.size else 1.0))
    return parts


def _split_wave(content: Content, start: int) -> list[Part]:
    """The parts of a WAV; one whose samples are a coded stream (of a disc, or of a digital cable) is that stream."""
    return [_coded_stream(content, part) or part for part in chunks.parts(content, start)]


def _coded_stream(content: Content, part: Part) -> Part | None:
    head = part.head + content.read(part.start, CODED_WITHIN_BYTES)
    body = head.find(b"data") + 8
    size = int.from_bytes(head[body - 4 : body], "little")
    silence = len(head[body:]) - len(head[body:].lstrip(b"\0"))
    data_start = part.start - len(part.head) + body
    kind = kind_at(content, data_start + silence) if body >= 8 else None
    if kind is None or kind.name not in ("ac3", "dts", "spdif"):
        return None
    return Part(data_start + silence, min(part.end, data_start + size), promise=part.promise, kind=kind)


SPLITTERS: dict[str, Splitter] = {
    "wav": _split_wave,
    **dict.fromkeys(("aiff", "caf", "w64"), chunks.parts),
    "au": chunks.au_parts,
    "flac": _split_flac,
    "amr": _splitter_at_mark(b"#!AMR", intact.amr_end),
    "asf": _splitter_at_mark(
        b"\x30\x26\xb2\x75\x8e\x66\xcf\x11\xa6\xd9\x00\xaa\x00\x62\xce\x6c", walks.asf_end, has_rest=True
    ),
    "ogg": ogg.parts,
    "matroska": _one_part(walks.matroska_end, has_rest=True),
    "mp4": _split_mp4,
    "mov": _split_mp4,
    "mp3": mp3.parts,
    "aac": _one_part_of_frames(mpeg.adts_bytes),
    "ac3": _one_part_of_frames(frames.ac3_bytes),
    "loas": _one_part_of_frames(frames.loas_bytes),
    "dts": _one_part(intact.dts_end),
    "wavpack": _one_part_of_frames(frames.wavpack_bytes),
    "mpegts": _one_part(intact.transport_end),
    "mpeg": _one_part(walks.programme_end),
    "voc": _one_part(intact.voice_blocks_end, has_rest=True),
    "sox": _one_part(intact.sox_end, has_rest=True),
    "nist": _one_part(intact.nist_end, has_rest=True),
    "avi": _one_part(walks.avi_end, has_rest=True),
    "qcp": _one_part(intact.riff_end, has_rest=True),
    "flv": _one_part(walks.flv_end),
    "rm": _one_part(walks.real_end, has_rest=True),
}
