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


def _marked(mark: bytes) -> Callable[[Content, int], list[Part]]:
    """A splitter of kinds whose beginning is marked by bytes that occur nowhere else."""

    def split(content: Content, start: int) -> list[Part]:
        places, at = [start], start + len(mark)
        while len(places) < MOST_PARTS and (at := content.find(mark, at)) >= 0:
            places.append(at)
            at += len(mark)
        return [Part(a, b) for a, b in zip(places, [*places[1:], content.size], strict=True)]

    return split


def _ogg(content: Content, start: int) -> list[Part]:
    """Chained streams: each begins with a page (or several) of the flag 2, and ends with pages of the flag 4."""
    parts: list[Part] = []
    opened, at, is_beginning, is_ended = start, start, True, False
    while at < content.size:
        page = content.read(at, 27)
        table = content.read(at + 27, page[26]) if len(page) == 27 else b""
        if page[:5] != b"OggS\0" or len(page) < 27 or len(table) < page[26]:
            at = content.find(b"OggS\0", at + 1)
            if at < 0:
                break
            continue
        flags, end = page[5], at + 27 + len(table) + sum(table)
        if flags & 2 and not is_beginning:
            parts.append(Part(opened, at, promise=1.0 if is_ended else math.nan))
            opened, is_ended = at, False
        is_beginning = bool(flags & 2)
        is_ended = is_ended or (bool(flags & 4) and end <= content.size)
        at = end
    parts.append(Part(opened, content.size, promise=1.0 if is_ended else math.nan))
    return parts


def _matroska(content: Content, start: int) -> list[Part]:
    parts, at = [], start
    while True:
        end, promise = _ebml_end(content, at)
        parts.append(Part(at, end, promise=promise))
        if end >= content.size or content.read(end, 4) != b"\x1a\x45\xdf\xa3":
            return parts
        at = end


def _ebml_end(content: Content, at: int) -> tuple[int, float]:
    """Where a Matroska file ends that begins at `at`, and what it promises."""
    head, head_length = _vint(content, at + 4)
    segment = at + 4 + head_length + head
    size, length = _vint(content, segment + 4)
    if content.read(segment, 4) != b"\x18\x53\x80\x67" or length == 0:
        return content.size, 1.0
    body = segment + 4 + length
    if size == (1 << 7 * length) - 1:  # unknown, as MediaRecorder has it
        place = at + 4
        while (place := content.find(b"\x1a\x45\xdf\xa3", place)) >= 0:
            if any(name in content.read(place, 64) for name in (b"webm", b"matroska")):
                return place, 1.0
            place += 4
        return content.size, 1.0
    return min(body + size, content.size), 1.0 if body + size <= content.size else math.nan


def _vint(content: Content, at: int) -> tuple[int, int]:
    """EBML's number of variable length, and its length in bytes (0 where there is none)."""
    first = content.read(at, 1)
    length = 9 - first[0].bit_length() if first and first[0] else 0
    return int.from_bytes(content.read(at, length), "big") & ((1 << 7 * length) - 1), length


def _mp4(content: Content, start: int) -> list[Part]:
    parts, at, opened, has_index = [], start, start, False
    while at + 8 <= content.size:
        size, name, header = int.from_bytes(content.read(at, 4), "big"), content.read(at + 4, 4), 8
        if size == 1:
            size, header = int.from_bytes(content.read(at + 8, 8), "big"), 16
        if name == b"ftyp" and has_index:
            parts.append(Part(opened, at))
            opened, has_index = at, False
        has_index = has_index or name == b"moov"
        if size == 0 or size < header:
            break
        at += size
    parts.append(Part(opened, content.size, promise=math.nan if at > content.size else 1.0))
    return parts


SPLITTERS: dict[str, Callable[[Content, int], list[Part]]] = {
    **dict.fromkeys(("wav", "aiff", "caf", "w64"), chunks.parts),
    "au": chunks.au_parts,
    # With the first block of its header, of type 0 and 34 bytes.
    "flac": _marked(b"fLaC\0\0\0\x22"),
    "amr": _marked(b"#!AMR"),
    "asf": _marked(b"\x30\x26\xb2\x75\x8e\x66\xcf\x11\xa6\xd9\x00\xaa\x00\x62\xce\x6c"),
    "ogg": _ogg,
    "matroska": _matroska,
    "mp4": _mp4,
    "mov": _mp4,
    "mp3": mp3.parts,
}
