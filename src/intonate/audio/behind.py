"""What lies behind the end of a file that was joined from several: another one, of whatever kind.

Exactly at an end, a magic is believed; anywhere else only one of the long marks below, which occur in no other sound.
"""

from __future__ import annotations

import re

from intonate.audio import frames, kinds, mpeg
from intonate.audio.kinds import Kind
from intonate.audio.streams import Content

# Of magics of one or two bytes, so many frames must follow each other.
_WEAK_KINDS = {"loas": frames.loas_bytes, "ac3": frames.ac3_bytes}
_LEAST_FRAMES = 3
# Bytes to search for, where they stand in the mark, and the whole mark.
_MARK_PATTERNS: tuple[tuple[bytes, int, bytes], ...] = (
    (b"WAVE", 8, rb"(?:RIFF|RIFX|RF64|BW64)....WAVE"),
    (b"AVI ", 8, rb"RIFF....AVI LIST"),
    (b"FORM", 0, rb"FORM....AIF[FC]"),
    (b"caff", 0, rb"caff\0\x01\0\0desc"),
    (b"riff\x2e\x91\xcf\x11", 0, rb"riff\x2e\x91\xcf\x11\xa5\xd6"),
    (b"fLaC\0\0\0\x22", 0, rb"fLaC\0\0\0\x22"),
    (b"OggS\0\x02", 0, rb"OggS\0\x02.{20}\x01[\x13-\x60]"),
    (b"ID3", 0, rb"ID3[\x02-\x04]\0[\0-\x70][\0-\x7f]{4}"),
    # Behind the side information of a first frame, of 9, 17 or 32 bytes.
    *(
        (name, 4 + side, rb"\xff[\xf2-\xfb]..\0{%d}(?:Xing|Info)" % side)
        for name in (b"Xing", b"Info")
        for side in (9, 17, 32)
    ),
    (b"\x1a\x45\xdf\xa3", 0, rb"\x1a\x45\xdf\xa3.{4,40}?(?:webm|matroska)"),
    (b"ftyp", 4, rb"\0\0\0[\x10-\x60]ftyp[ -~]{4}"),
    (b"#!AMR", 0, rb"#!AMR(?:-WB)?\n"),
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", 0, rb"\x30\x26\xb2\x75\x8e\x66\xcf\x11\xa6\xd9"),
    (b".snd\0\0", 0, rb"\.snd\0\0[\0-\x04].{4}\0\0\0[\x01-\x1d]"),
    (b"wvpk", 0, rb"wvpk..[\0-\x10]\0[\x02-\x10]\x04"),
    (b"FLV\x01", 0, rb"FLV\x01[\x01\x04\x05]\0\0\0\x09"),
    (b".RMF\0\0\0", 0, rb"\.RMF\0\0\0\x12"),
)
_MARKS = tuple((seek, offset, re.compile(mark, re.DOTALL)) for seek, offset, mark in _MARK_PATTERNS)
_MARK_BYTES = 64


def tags_end(content: Content, position: int) -> int:
    """Where the tags end that begin here, of ID3v2, ID3v1 and APE; `position` where none does."""
    while True:
        head = content.read(position, 16)
        if head[:8] == b"APETAGEX":
            position += 32 + int.from_bytes(head[12:16], "little")
        elif head[:3] == b"TAG":
            position += 128
        elif tag := mpeg.id3_bytes(head):
            position += tag
        else:
            return min(position, content.size)


def kind_at(content: Content, position: int) -> Kind | None:
    """The kind of the file that begins exactly here, tags skipped; None where none surely does."""
    position = tags_end(content, position)
    kind = kinds.of(content.read(position, kinds.HEAD_BYTES)) if position < content.size else None
    if kind is not None and kind.name == "mov":  # any box of an MP4 reads like one
        return None
    frame_bytes = _WEAK_KINDS.get(kind.name) if kind else None
    for _ in range(_LEAST_FRAMES if frame_bytes else 0):
        size = frame_bytes(content.read(position, frames.HEAD_BYTES)) if frame_bytes else 0
        position, kind = position + size, kind if size else None
    return kind


def next_file(content: Content, position: int) -> int:
    """Where the first file begins at or behind `position`; -1 where none does."""
    if position >= content.size:
        return -1
    if kind_at(content, position) is not None:
        return position
    return min((place for mark in _MARKS if (place := _find_mark(content, position, *mark)) >= 0), default=-1)


def _find_mark(content: Content, position: int, seek: bytes, offset: int, mark: re.Pattern[bytes]) -> int:
    place = position - 1
    while (place := content.find(seek, place + 1)) >= 0:
        start = place - offset
        if start >= position and mark.match(content.read(start, _MARK_BYTES)) and kind_at(content, start) is not None:
            return start
    return -1
