"""Containers made of chunks (WAV, AIFF, CAF, W64, AU): where each file of a joined one ends, sizes put right.

A recorder that was stopped, or an encoder that writes to a pipe, leaves sizes that are 0, unknown or wrong; a download
that was cut off leaves less than the size says.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from intonate.audio.behind import kind_at, next_file
from intonate.audio.intact import is_padding, is_zeros
from intonate.audio.streams import BLOCK_BYTES, MOST_PARTS, Content, Part

# A header that must be written again is no longer than this (it may hold a picture).
LONGEST_HEADER_BYTES = 16 * 2**20
# Chunks that stand behind the sound, and may be cut off themselves.
LAST_CHUNKS = frozenset({b"list", b"id3 ", b"bext", b"fact", b"cue ", b"smpl", b"junk", b"pad ", b"ixml", b"axml"}) | {
    *(b"_pmx", b"peak", b"disp", b"afsp", b"inst", b"info", b"pakt", b"free", b"comt", b"mark", b"cart", b"fllr")
}
# Some recorders count a part of the header, or all of it, as sound too: of WAVE_FORMAT_EXTENSIBLE, with a chunk `fact`.
MOST_HEADER_BYTES = 80
# From here on, 32 bits are a streaming encoder's word for "unknown", not a size.
UNKNOWN_SIZE = 0x7F00_0000


@dataclass(frozen=True, slots=True)
class _ChunkLayout:
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
    b"RIFF": _ChunkLayout("little", 12, 4, 4, 2, b"data"),
    b"RIFX": _ChunkLayout("big", 12, 4, 4, 2, b"data"),
    b"RF64": _ChunkLayout("little", 12, 4, 4, 2, b"data"),
    b"BW64": _ChunkLayout("little", 12, 4, 4, 2, b"data"),
    b"FORM": _ChunkLayout("big", 12, 4, 4, 2, b"SSND"),
    b"caff": _ChunkLayout("big", 8, 4, 8, 1, b"data"),
    b"riff": _ChunkLayout("little", 40, 16, 8, 8, _W64_DATA, is_inclusive=True),
}
# WAV beyond 4 GB, whose sizes stand in a chunk of their own, `ds64`, at its beginning (EBU Tech 3306).
_64_BIT_MAGICS = (b"RF64", b"BW64")


def parts(content: Content, start: int) -> list[Part]:
    file_parts: list[Part] = []
    while start < content.size and len(file_parts) < MOST_PARTS:
        parts_of_file, start = _next_parts(content, start)
        if not parts_of_file:
            break
        file_parts += parts_of_file
    return file_parts


def _next_parts(content: Content, start: int) -> tuple[list[Part], int]:
    """One file, mostly as one part, and where the next one may begin; no part where it is of no such container."""
    magic = content.read(start, 4)
    layout = _LAYOUTS.get(magic)
    if layout is None or (magic == b"RIFF" and content.read(start + 8, 4) != b"WAVE"):
        return [], content.size
    position = start + layout.head
    while position + layout.id + layout.size <= content.size:
        size = _chunk_size(content, position, layout)
        body = position + layout.id + layout.size
        if content.read(position, layout.id) == layout.data:
            if magic in _64_BIT_MAGICS and content.read(start + 12, 4) == b"ds64":
                size = int.from_bytes(content.read(start + 28, 8), "little")
            part, end = _data_part(content, start, position, size, layout)
            more, end = _more_data(content, start, position, end, layout)
            return [part, *more], end
        position = body + size + -size % layout.align
    # A chunk that ends beyond the file hides the sound behind it.
    return [Part(start, content.size, promise=1.0 if position <= content.size + 1 else math.nan)], content.size


def _more_data(content: Content, start: int, position: int, end: int, layout: _ChunkLayout) -> tuple[list[Part], int]:
    """The chunks of data from `end` on, behind the one at `position`, each with its header; and where the last ends.

    Decoders take the last one of a file for all of its sound.
    """
    more, has_header = list[Part](), position - start <= LONGEST_HEADER_BYTES
    while has_header and content.read(end, layout.id) == layout.data and len(more) < MOST_PARTS:
        body, size = end + layout.id + layout.size, _chunk_size(content, end, layout)
        stop = min(body + size, content.size)
        promise = size / (stop - body) if stop - body < size < UNKNOWN_SIZE and stop > body else 1.0
        header = content.read(start, position - start) + content.read(end, body - end)
        more.append(Part(body, stop, header, promise))
        end = _end_of_last_chunk(content, stop, layout) or content.size
    return more, end


def _data_part(content: Content, start: int, position: int, size: int, layout: _ChunkLayout) -> tuple[Part, int]:
    """The part whose chunk of data stands at `position`, with a header that is true."""
    body, magic = position + layout.id + layout.size, content.read(start, 4)
    is_known = 0 < size < (UNKNOWN_SIZE if layout.size == 4 and magic not in _64_BIT_MAGICS else 2**62)
    end = body + size
    if is_known and end > content.size:
        present_bytes = content.size - body
        # A second recording behind a first that was never closed would be read as its sound.
        next_start = _next_file_start(content, body)
        if next_start < content.size or end - content.size <= MOST_HEADER_BYTES:
            header = _corrected_header(content, start, position, next_start - body, layout)
            return Part(start + len(header), next_start, header), next_start
        promise = size / present_bytes if present_bytes > 0 else math.inf
        promise = max(promise, _aiff_promise(content, start, position, layout))
        return Part(start, content.size, promise=promise), content.size
    if is_known:
        part_end = _end_of_last_chunk(content, end, layout)
        if part_end is not None:
            counted, there = _aiff_counts(content, start, position, size, layout)
            header = _corrected_header(content, start, position, size, layout) if counted < there else b""
            return Part(start + len(header), part_end, header, 1.0 if counted <= there else math.nan), part_end
    is_counted_twice = is_known and _form_end(content, start, layout) in (end, end + 1)
    if is_counted_twice and is_zeros(content, end, content.size):
        return Part(start, end), content.size
    # The size is 0, unknown, or wrong: the sound goes on to the next file, or to the end.
    next_start = _next_file_start(content, body)
    header = (
        b"" if size == next_start - body else _corrected_header(content, start, position, next_start - body, layout)
    )
    promise = 1.0
    if next_start == content.size:
        promise = max(_form_promise(content, start, body, layout), _aiff_promise(content, start, position, layout))
        is_wrong = layout.size == 8 and size and not _is_unknown(size) and promise == 1.0
        promise = math.nan if is_wrong else promise
    doubt = _more_than_counted(content, start, body, size, next_start) if is_counted_twice else ""
    return Part(start + len(header), next_start, header, promise, doubt=doubt), next_start


def _more_than_counted(content: Content, start: int, body: int, size: int, end: int) -> str:
    """What stands behind the sound that a WAV counts: more of it, of a recorder that was stopped, or anything."""
    place = content.find(b"fmt ", start, min(body, start + LONGEST_HEADER_BYTES))
    order: Literal["little", "big"] = "big" if content.read(start, 4) == b"RIFX" else "little"
    byte_rate = int.from_bytes(content.read(place + 16, 4), order) if place >= 0 else 0
    # One byte more for each line end, and no line feed alone: a sound of any length has some.
    steps = range(start, content.size, BLOCK_BYTES)
    line_ends = sum(content.read(position, BLOCK_BYTES + 1).count(b"\r\n") for position in steps)
    if line_ends and content.size - body - size == line_ends:
        return "is damaged: it was sent as text, with a byte more before each line feed; send it anew as binary"
    if not byte_rate:
        return ""
    counted_s, heard_s = size / byte_rate, (end - body) / byte_rate
    return f"counts {counted_s:.2f} s in its header, and {heard_s:.2f} s were heard: what stands behind may be no sound"


def _form_end(content: Content, start: int, layout: _ChunkLayout) -> int:
    """Where a file ends by its own size, of the containers whose size stands there."""
    return start + 8 + int.from_bytes(content.read(start + 4, 4), layout.order) if layout.head == 12 else 0


def _form_promise(content: Content, start: int, body: int, layout: _ChunkLayout) -> float:
    """How much more than is there a file promises by its own size, where that of its data is wrong (`Part.promise`)."""
    end = _form_end(content, start, layout)
    is_known = content.read(start, 4) not in _64_BIT_MAGICS and end - start - 8 < UNKNOWN_SIZE
    return max(1.0, (end - body) / max(1, content.size - body)) if is_known else 1.0


def _end_of_last_chunk(content: Content, end: int, layout: _ChunkLayout) -> int | None:
    """Where the part whose data ends at `end` ends, by its last chunks; None where what follows is no chunk."""
    for position in dict.fromkeys((end + -end % layout.align, end)):
        is_behind_chunk = False
        while position < content.size:
            is_tag = content.read(position, 3) in (b"ID3", b"TAG")
            if is_tag or kind_at(content, position) is not None or is_padding(content, position, content.size):
                return position
            if content.read(position, layout.id) == layout.data:
                return position
            name = content.read(position, 4)
            next_position = position + layout.id + layout.size
            if next_position <= content.size:
                size = _chunk_size(content, position, layout)
                next_position += size + -size % layout.align
            # Four samples may read like a name, but hardly with a size that fits as well.
            is_chunk = len(name) == 4 and all(32 <= byte < 127 for byte in name)
            if not is_chunk or (next_position > content.size + 1 and name.lower() not in LAST_CHUNKS):
                if is_behind_chunk:
                    return position
                break
            position, is_behind_chunk = next_position, True
        if position >= content.size:
            return content.size
    return None if content.size - end > 64 else content.size


def _chunk_size(content: Content, position: int, layout: _ChunkLayout) -> int:
    raw = content.read(position + layout.id, layout.size)
    size = int.from_bytes(raw, layout.order)
    return max(0, size - layout.id - layout.size) if layout.is_inclusive else size


def _is_unknown(size: int) -> bool:
    """Whether a size of 64 bits is as large as a signed or an unsigned number can be, but for a header."""
    return 2**63 - 2**16 < size < 2**63 or size > 2**64 - 2**16


def _next_file_start(content: Content, body: int) -> int:
    """Where another file begins within what may be data from `body` on; the end of the file where none does."""
    place = next_file(content, body + 1)
    return place if place >= 0 else content.size


def _corrected_header(content: Content, start: int, position: int, size: int, layout: _ChunkLayout) -> bytes:
    """What stands before the data, with the sizes as they are; nothing where that is too long."""
    body = position + layout.id + layout.size
    if body - start > LONGEST_HEADER_BYTES or size < 0 or size >= 2 ** (8 * layout.size):
        return b""
    header = bytearray(content.read(start, body - start))

    def write_integer(offset: int, value: int, length: int) -> None:
        header[offset : offset + length] = value.to_bytes(length, layout.order)

    extra = layout.id + layout.size if layout.is_inclusive else 0
    if header[:4] in _64_BIT_MAGICS:
        write_integer(20, len(header) - 8 + size, 8)
        write_integer(28, size, 8)
        return bytes(header)
    write_integer(position - start + layout.id, size + extra, layout.size)
    if layout.head == 12:
        write_integer(4, min(2**32 - 1, len(header) - 8 + size), 4)
    elif layout.is_inclusive:
        write_integer(16, len(header) + size, 8)
    if layout.data == b"SSND" and (common := bytes(header).find(b"COMM")) >= 0:
        write_integer(common + 10, _aiff_frames(header, common, size), 4)
    return bytes(header)


def _aiff_frames(header: bytes | bytearray, common: int, size: int) -> int:
    """The samples per channel that fill AIFF's data, by its chunk COMM."""
    return max(0, size - 8) // _aiff_frame_bytes(header, common)


def _aiff_frame_bytes(header: bytes | bytearray, common: int) -> int:
    channels, bits = (int.from_bytes(header[common + place : common + place + 2], "big") for place in (8, 14))
    return max(1, channels * -(-bits // 8))


def _aiff_counts(content: Content, start: int, position: int, size: int, layout: _ChunkLayout) -> tuple[int, int]:
    """The samples per channel of AIFF, which tells its length twice: in the chunk COMM, and by the size of its data."""
    header = content.read(start, min(position - start, LONGEST_HEADER_BYTES))
    common = header.find(b"COMM")
    # A coding of its own (AIFF-C) has samples of other sizes.
    if layout.data != b"SSND" or common < 0 or header[8:12] != b"AIFF":
        return 0, 0
    # Data may begin behind an offset, which is nearly always 0.
    offset = int.from_bytes(content.read(position + layout.id + layout.size, 4), "big")
    counted, there = (
        int.from_bytes(header[common + 10 : common + 14], "big"),
        _aiff_frames(header, common, size - offset),
    )
    # As many as would fill what SoX writes for an unknown size, or more than any file has.
    is_unknown = abs(counted * _aiff_frame_bytes(header, common) - UNKNOWN_SIZE) < 2**16 or counted >= UNKNOWN_SIZE
    return (0, 0) if is_unknown else (counted, there)


def _aiff_promise(content: Content, start: int, position: int, layout: _ChunkLayout) -> float:
    """How much more than is there AIFF's chunk COMM promises, where the size of its data is wrong (`Part.promise`)."""
    body = position + layout.id + layout.size
    counted, there = _aiff_counts(content, start, position, content.size - body, layout)
    return max(1.0, counted / max(1, there))


def au_parts(content: Content, start: int) -> list[Part]:
    header = content.read(start, 24)
    position, size = int.from_bytes(header[4:8], "big"), int.from_bytes(header[8:12], "big")
    present_bytes = content.size - start - position
    if (
        len(header) < 24
        or not 24 <= position <= LONGEST_HEADER_BYTES
        or present_bytes <= 0
        or size == 0xFFFF_FFFF
        or size == present_bytes
    ):
        return [Part(start, content.size)]
    if present_bytes < size < UNKNOWN_SIZE:
        return [Part(start, content.size, promise=size / present_bytes)]
    if size and kind_at(content, start + position + size) is not None:
        return [Part(start, start + position + size)]
    header_without_size = header[:8] + b"\xff\xff\xff\xff" + content.read(start, position)[12:]
    return [Part(start + position, content.size, header_without_size)]
