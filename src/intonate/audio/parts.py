"""A file as the parts that it was joined from, with the sizes in their headers put right.

Decoders read the first part of a joined file and say nothing. Each part is a file by itself: cut there, any decoder
reads them all. Nothing is decoded here; a part tells what its header promises beyond what is there.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from intonate.audio import chunks, mp3
from intonate.audio.kinds import Kind
from intonate.audio.streams import MOST_PARTS, Content, Part


def of(content: Content, kind: Kind | None, start: int = 0) -> list[Part]:
    """The parts of a file of a kind (at least one), from `start` on, where its kind's magic stands."""
    split = SPLITTERS.get(kind.name) if kind else None
    return (split(content, start) if split else []) or [Part(start, content.size)]


def _splitter_at_mark(mark: bytes) -> Callable[[Content, int], list[Part]]:
    """A splitter of kinds whose beginning is marked by bytes that occur nowhere else."""

    def split(content: Content, start: int) -> list[Part]:
        starts, position = [start], start + len(mark)
        while len(starts) < MOST_PARTS and (position := content.find(mark, position)) >= 0:
            starts.append(position)
            position += len(mark)
        return [Part(a, b) for a, b in zip(starts, [*starts[1:], content.size], strict=True)]

    return split


def _split_ogg(content: Content, start: int) -> list[Part]:
    """Chained streams: each begins with a page (or several) of the flag 2, and ends with pages of the flag 4."""
    parts: list[Part] = []
    part_start, position, is_beginning, is_ended = start, start, True, False
    while position < content.size:
        page = content.read(position, 27)
        table = content.read(position + 27, page[26]) if len(page) == 27 else b""
        if page[:5] != b"OggS\0" or len(page) < 27 or len(table) < page[26]:
            position = content.find(b"OggS\0", position + 1)
            if position < 0:
                break
            continue
        flags, end = page[5], position + 27 + len(table) + sum(table)
        if flags & 2 and not is_beginning:
            parts.append(Part(part_start, position, promise=1.0 if is_ended else math.nan))
            part_start, is_ended = position, False
        is_beginning = bool(flags & 2)
        is_ended = is_ended or (bool(flags & 4) and end <= content.size)
        position = end
    parts.append(Part(part_start, content.size, promise=1.0 if is_ended else math.nan))
    return parts


def _split_matroska(content: Content, start: int) -> list[Part]:
    parts, position = [], start
    while True:
        end, promise = _matroska_end(content, position)
        parts.append(Part(position, end, promise=promise))
        if end >= content.size or content.read(end, 4) != b"\x1a\x45\xdf\xa3":
            return parts
        position = end


def _matroska_end(content: Content, position: int) -> tuple[int, float]:
    """Where a Matroska file ends that begins at `position`, and what it promises."""
    head, head_length = _ebml_number(content, position + 4)
    segment = position + 4 + head_length + head
    size, length = _ebml_number(content, segment + 4)
    if content.read(segment, 4) != b"\x18\x53\x80\x67" or length == 0:
        return content.size, 1.0
    body = segment + 4 + length
    if size == (1 << 7 * length) - 1:  # unknown, as MediaRecorder has it
        place = position + 4
        while (place := content.find(b"\x1a\x45\xdf\xa3", place)) >= 0:
            if any(name in content.read(place, 64) for name in (b"webm", b"matroska")):
                return place, 1.0
            place += 4
        return content.size, 1.0
    return min(body + size, content.size), 1.0 if body + size <= content.size else math.nan


def _ebml_number(content: Content, position: int) -> tuple[int, int]:
    """EBML's number of variable length, and its length in bytes (0 where there is none)."""
    first_byte = content.read(position, 1)
    length = 9 - first_byte[0].bit_length() if first_byte and first_byte[0] else 0
    return int.from_bytes(content.read(position, length), "big") & ((1 << 7 * length) - 1), length


def _split_mp4(content: Content, start: int) -> list[Part]:
    parts, position, part_start, has_index = [], start, start, False
    while position + 8 <= content.size:
        size, name, header = int.from_bytes(content.read(position, 4), "big"), content.read(position + 4, 4), 8
        if size == 1:
            size, header = int.from_bytes(content.read(position + 8, 8), "big"), 16
        if name == b"ftyp" and has_index:
            parts.append(Part(part_start, position))
            part_start, has_index = position, False
        has_index = has_index or name == b"moov"
        if size == 0 or size < header:
            break
        position += size
    parts.append(Part(part_start, content.size, promise=math.nan if position > content.size else 1.0))
    return parts


SPLITTERS: dict[str, Callable[[Content, int], list[Part]]] = {
    **dict.fromkeys(("wav", "aiff", "caf", "w64"), chunks.parts),
    "au": chunks.au_parts,
    # With the first block of its header, of type 0 and 34 bytes.
    "flac": _splitter_at_mark(b"fLaC\0\0\0\x22"),
    "amr": _splitter_at_mark(b"#!AMR"),
    "asf": _splitter_at_mark(b"\x30\x26\xb2\x75\x8e\x66\xcf\x11\xa6\xd9\x00\xaa\x00\x62\xce\x6c"),
    "ogg": _split_ogg,
    "matroska": _split_matroska,
    "mp4": _split_mp4,
    "mov": _split_mp4,
    "mp3": mp3.parts,
}
