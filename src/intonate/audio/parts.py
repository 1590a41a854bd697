"""A file as the parts that it was joined from, with the sizes in their headers put right.

Decoders read the first part of a joined file and say nothing. Each part is a file by itself: cut there, any decoder
reads them all. Nothing is decoded here; a part tells what its header promises beyond what is there.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import TypeAlias

from intonate.audio import chunks, intact, mp3, mpeg, ogg
from intonate.audio.kinds import Kind
from intonate.audio.streams import MOST_PARTS, Content, Part

Splitter: TypeAlias = Callable[[Content, int], list[Part]]
# Whether all of [start, end) is there.
Check: TypeAlias = Callable[[Content, int, int], bool]


def of(content: Content, kind: Kind | None, start: int = 0) -> list[Part]:
    """The parts of a file of a kind (at least one), from `start` on, where its kind's magic stands."""
    split = SPLITTERS.get(kind.name) if kind else None
    return (split(content, start) if split else []) or [Part(start, content.size)]


def _splitter_at_mark(mark: bytes, is_whole: Check | None = None) -> Splitter:
    """A splitter of kinds whose beginning is marked by bytes that occur nowhere else."""

    def split(content: Content, start: int) -> list[Part]:
        starts, position = [start], start + len(mark)
        while len(starts) < MOST_PARTS and (position := content.find(mark, position)) >= 0:
            starts.append(position)
            position += len(mark)
        return [
            Part(a, b, promise=1.0 if is_whole is None or is_whole(content, a, b) else math.nan)
            for a, b in zip(starts, [*starts[1:], content.size], strict=True)
        ]

    return split


def _one_part(is_whole: Check) -> Splitter:
    """All as one part, which promises more than is there where it is not whole."""

    def split(content: Content, start: int) -> list[Part]:
        return [Part(start, content.size, promise=1.0 if is_whole(content, start, content.size) else math.nan)]

    return split


def _one_part_of_frames(frame_bytes: Callable[[bytes], int]) -> Splitter:
    return _one_part(partial(intact.are_frames_whole, frame_bytes=frame_bytes))


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
        if not name.isalnum():  # no box: something else that stands behind the last one
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


SPLITTERS: dict[str, Splitter] = {
    **dict.fromkeys(("wav", "aiff", "caf", "w64"), chunks.parts),
    "au": chunks.au_parts,
    # With the first block of its header, of type 0 and 34 bytes.
    "flac": _splitter_at_mark(b"fLaC\0\0\0\x22", intact.is_flac_counted),
    "amr": _splitter_at_mark(b"#!AMR", intact.is_amr_whole),
    "asf": _splitter_at_mark(b"\x30\x26\xb2\x75\x8e\x66\xcf\x11\xa6\xd9\x00\xaa\x00\x62\xce\x6c", intact.is_asf_whole),
    "ogg": ogg.parts,
    "matroska": _split_matroska,
    "mp4": _split_mp4,
    "mov": _split_mp4,
    "mp3": mp3.parts,
    "aac": _one_part_of_frames(mpeg.adts_bytes),
    "ac3": _one_part_of_frames(intact.ac3_bytes),
    "loas": _one_part_of_frames(intact.loas_bytes),
    "mpegts": _one_part(intact.are_packets_whole),
    "mpeg": _one_part(intact.is_last_pack_whole),
    "voc": _one_part(intact.are_voice_blocks_whole),
    "sox": _one_part(intact.is_sox_whole),
    "nist": _one_part(intact.is_nist_whole),
    "avi": _one_part(intact.are_chunks_whole),
    "qcp": _one_part(intact.are_chunks_whole),
}
