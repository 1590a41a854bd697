"""Containers made of chunks (WAV, AIFF, CAF, W64, AU): where each file of a joined one ends, sizes put right.

A recorder that was stopped, or an encoder that writes to a pipe, leaves sizes that are 0, unknown or wrong; a download
that was cut off leaves less than the size says.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from intonate.audio.streams import MOST_PARTS, Content, Part

# Zeros behind the data that pad a file, not more of its sound, bytes.
PADDING_BYTES = 4096
# A header that must be written again is no longer than this (it may hold a picture).
LONGEST_HEADER_BYTES = 16 * 2**20
# From here on, 32 bits are a streaming encoder's word for "unknown", not a size.
UNKNOWN_SIZE = 0x7F00_0000


@dataclass(frozen=True, slots=True)
class _Layout:
    """How a family of containers writes its chunks: byte order, lengths in bytes, whether a size counts its header."""

    order: Literal["little", "big"]
    head: int
    id: int
    size: int
    align: int
    data: bytes
    is_inclusive: bool = False


_W64_DATA = b"data\xf3\xac\xd3\x11\x8c\xd1\x00\xc0\x4f\x8e\xdb\x8a"
_LAYOUTS = {
    b"RIFF": _Layout("little", 12, 4, 4, 2, b"data"),
    b"RIFX": _Layout("big", 12, 4, 4, 2, b"data"),
    b"FORM": _Layout("big", 12, 4, 4, 2, b"SSND"),
    b"caff": _Layout("big", 8, 4, 8, 1, b"data"),
    b"riff": _Layout("little", 40, 16, 8, 8, _W64_DATA, is_inclusive=True),
}


def parts(content: Content, start: int) -> list[Part]:
    found: list[Part] = []
    while start < content.size and len(found) < MOST_PARTS:
        part, start = _chunked_part(content, start)
        if part is None:
            break
        found.append(part)
    return found


def _chunked_part(content: Content, start: int) -> tuple[Part | None, int]:
    """One part, and where the next one may begin."""
    magic = content.read(start, 4)
    layout = _LAYOUTS.get(magic)
    if layout is None:
        return None, content.size
    at = start + layout.head
    while at + layout.id + layout.size <= content.size:
        size = _size(content, at, layout)
        body = at + layout.id + layout.size
        if content.read(at, layout.id) == layout.data:
            return _data_part(content, start, at, size, layout)
        at = body + size + -size % layout.align
    return Part(start, content.size), content.size


def _data_part(content: Content, start: int, at: int, size: int, layout: _Layout) -> tuple[Part, int]:
    """The part whose chunk of data stands at `at`, with a header that is true."""
    body, magic = at + layout.id + layout.size, content.read(start, 4)
    is_known = 0 < size < (UNKNOWN_SIZE if layout.size == 4 else 2**62)
    end = body + size
    if is_known and end > content.size:
        there = content.size - body
        # A second recording behind a first that was never closed would be read as its sound.
        other = _next_file(content, body, magic)
        if other < content.size:
            head = _true_header(content, start, at, other - body, layout)
            return Part(start + len(head), other, head), other
        return Part(start, content.size, promise=size / there if there > 0 else math.inf), content.size
    if is_known:
        after = _after(content, end, layout)
        if after is not None:
            return Part(start, after), after
    # The size is 0, unknown, or wrong: the sound goes on to the next file, or to the end.
    other = _next_file(content, body, magic)
    head = b"" if size == other - body else _true_header(content, start, at, other - body, layout)
    return Part(start + len(head), other, head), other


def _after(content: Content, end: int, layout: _Layout) -> int | None:
    """Where the part whose data ends at `end` ends, by its last chunks; None where what follows is no chunk."""
    for at in dict.fromkeys((end + -end % layout.align, end)):
        while at < content.size:
            if (
                content.read(at, 4) in _LAYOUTS
                or content.read(at, 3) in (b"ID3", b"TAG")
                or (content.size - at <= PADDING_BYTES and not any(content.read(at, PADDING_BYTES)))
            ):
                return at
            name = content.read(at, 4)
            if (
                len(name) < 4
                or not all(32 <= byte < 127 for byte in name)
                or content.size < at + layout.id + layout.size
            ):
                break
            size = _size(content, at, layout)
            at = at + layout.id + layout.size + size + -size % layout.align
        if at >= content.size:
            return content.size
    return None if content.size - end > 64 else content.size


def _size(content: Content, at: int, layout: _Layout) -> int:
    raw = content.read(at + layout.id, layout.size)
    size = int.from_bytes(raw, layout.order)
    return max(0, size - layout.id - layout.size) if layout.is_inclusive else size


def _next_file(content: Content, at: int, magic: bytes) -> int:
    """Where the next file of the same family begins behind `at`; the end of the file where none does."""
    form = {b"RIFF": b"WAVE", b"RIFX": b"WAVE", b"FORM": b"AIF", b"caff": b"\0\1\0\0", b"riff": b"\x2e\x91\xcf\x11"}
    offset = 8 if magic in (b"RIFF", b"RIFX", b"FORM") else 4
    while (at := content.find(magic, at)) >= 0:
        if content.read(at + offset, 4).startswith(form[magic]):
            return at
        at += 1
    return content.size


def _true_header(content: Content, start: int, at: int, size: int, layout: _Layout) -> bytes:
    """What stands before the data, with the sizes as they are; nothing where that is too long."""
    body = at + layout.id + layout.size
    if body - start > LONGEST_HEADER_BYTES or size < 0 or size >= 2 ** (8 * layout.size):
        return b""
    head = bytearray(content.read(start, body - start))

    def put(offset: int, value: int, length: int) -> None:
        head[offset : offset + length] = value.to_bytes(length, layout.order)

    extra = layout.id + layout.size if layout.is_inclusive else 0
    put(at - start + layout.id, size + extra, layout.size)
    if layout.head == 12:
        put(4, min(2**32 - 1, len(head) - 8 + size), 4)
    elif layout.is_inclusive:
        put(16, len(head) + size, 8)
    if layout.data == b"SSND" and (common := bytes(head).find(b"COMM")) >= 0:
        channels = int.from_bytes(head[common + 8 : common + 10], "big")
        bits = int.from_bytes(head[common + 14 : common + 16], "big")
        put(common + 10, max(0, size - 8) // max(1, channels * -(-bits // 8)), 4)
    return bytes(head)


def au_parts(content: Content, start: int) -> list[Part]:
    header = content.read(start, 24)
    at, size = int.from_bytes(header[4:8], "big"), int.from_bytes(header[8:12], "big")
    there = content.size - start - at
    if len(header) < 24 or not 24 <= at <= LONGEST_HEADER_BYTES or there <= 0 or size == 0xFFFF_FFFF or size == there:
        return [Part(start, content.size)]
    if there < size < UNKNOWN_SIZE:
        return [Part(start, content.size, promise=size / there)]
    if content.read(start + at + size, 4) == b".snd" and size:
        return [Part(start, start + at + size), *au_parts(content, start + at + size)]
    unknown = header[:8] + b"\xff\xff\xff\xff" + content.read(start, at)[12:]
    return [Part(start + at, content.size, unknown)]
