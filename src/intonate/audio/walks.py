"""Containers that are walked from element to element (Matroska, FLV, AVI, MPEG-PS, RealMedia, ASF): how far one goes.

As in `intact.py`: each gives the position that the file comes to, beyond its end where it is cut off or an element of
it is broken, before where something stands behind it.
"""

from __future__ import annotations

from intonate.audio.behind import kind_at
from intonate.audio.intact import riff_end
from intonate.audio.streams import BLOCK_BYTES, Content

_EBML = 0x1A45DFA3
_SEGMENT, _CLUSTER = 0x18538067, 0x1F43B675
# Of a segment (seek head, info, tracks, cues, chapters, tags, attachments), of a cluster, and of both (void, CRC).
_MATROSKA_IDS = frozenset(
    {0x114D9B74, 0x1549A966, 0x1654AE6B, 0x1C53BB6B, 0x1043A770, 0x1254C367, 0x1941A469}
    | {0xE7, 0xA7, 0xAB, 0xA3, 0xA0, 0xAF, 0x5854, 0xEC, 0xBF}
)
_ASF_PROPERTIES = b"\xa1\xdc\xab\x8c\x47\xa9\xcf\x11\x8e\xe4\x00\xc0\x0c\x20\x53\x65"
_ASF_DATA = b"\x36\x26\xb2\x75\x8e\x66\xcf\x11\xa6\xd9\x00\xaa\x00\x62\xce\x6c"
# Of a RIFF that was never closed, or written to a pipe.
UNKNOWN_SIZES = (0, 0xFFFF_FFFF)


def is_closed_asf(head: bytes) -> bool:
    """Whether the length in the header of an ASF file (its first 64 KiB) is its own, not guessed before its end."""
    properties = head.find(_ASF_PROPERTIES)
    return properties < 0 or not int.from_bytes(head[properties + 88 : properties + 92], "little") & 1


def matroska_end(content: Content, start: int, end: int) -> int:
    """Where a Matroska file ends (RFC 9559), cluster by cluster, block by block; one of unknown size too."""
    position, segment_end = start, 0
    while position < end and (position == start or not segment_end or position < segment_end):
        head = content.read(position, 12)
        id_bytes = 9 - head[0].bit_length() if head[0] else 9
        element = int.from_bytes(head[:id_bytes], "big")
        size_bytes = 9 - head[id_bytes].bit_length() if id_bytes <= 4 and len(head) > id_bytes and head[id_bytes] else 9
        body = position + id_bytes + size_bytes
        if size_bytes > 8 or (position > start and element == _EBML):
            break
        size = int.from_bytes(head[id_bytes : id_bytes + size_bytes], "big") & ((1 << 7 * size_bytes) - 1)
        is_unknown = size == (1 << 7 * size_bytes) - 1
        if element == _SEGMENT and not is_unknown:
            segment_end = body + size
        if element in (_SEGMENT, _CLUSTER):
            position = body  # what is in it is walked too
        elif (element in _MATROSKA_IDS or position == start) and not is_unknown:
            position = body + size
        else:
            break
    if segment_end:
        return segment_end if position == segment_end else max(end + 1, segment_end)
    return position if position >= end or kind_at(content, position) is not None else end + 1


def flv_end(content: Content, start: int, end: int) -> int:
    """Where the tags of an FLV file end, of sound (8), pictures (9) and data (18)."""
    position = start + int.from_bytes(content.read(start + 5, 4), "big") + 4
    while position < end:
        head = content.read(position, 11)
        if head[0] & 0x1F not in (8, 9, 18) or any(head[8:11]):
            return position
        position += 15 + int.from_bytes(head[1:4], "big")
    return position


def avi_end(content: Content, start: int, end: int) -> int:
    """Where the chunks of an AVI file end (one RIFF per gigabyte), closed or not."""
    position, riff, is_closed = start, start, True
    while position < end:
        head = content.read(position, 12)
        name, size = head[:4], int.from_bytes(head[4:8], "little")
        if name == b"RIFF" and head[8:11] == b"AVI" and (position == start or head[11:] != b" "):
            is_closed, position = is_closed and size not in UNKNOWN_SIZES, position + 12
            riff = riff_end(content, position - 12, end)
        elif is_closed and position >= riff:
            return position
        elif name == b"LIST" and head[8:12] in (b"movi", b"rec "):
            position += 12
        elif len(name) == 4 and all(32 <= byte < 127 for byte in name) and name not in (b"RIFF", b"OggS", b"fLaC"):
            position += 8 + size + size % 2
        else:
            return position if kind_at(content, position) is not None else end + 1
    return max(position, riff) if is_closed else position


def programme_end(content: Content, start: int, end: int) -> int:
    """Where the packs and packets of an MPEG programme stream end (ISO/IEC 13818-1, 2.5.3)."""
    position = start
    while position < end:
        head = content.read(position, 14)
        if head[:3] != b"\0\0\x01" or len(head) < 6:
            return position
        if head[3] == 0xBA:
            position += 12 if len(head) < 14 or head[4] >> 6 != 1 else 14 + (head[13] & 7)
        elif head[3] == 0xB9:
            position += 4
        elif head[3] > 0xB9:
            position += 6 + int.from_bytes(head[4:6], "big")
        else:
            return position
    return position


def real_end(content: Content, start: int, end: int) -> int:
    """Where the chunks of a RealMedia file end, and the packets in them; the older `.ra` counts nothing."""
    if content.read(start, 4) != b".RMF":
        return end
    position = start
    while position < end:
        head = content.read(position, 14)
        name, size = head[:4], int.from_bytes(head[4:8], "big")
        if not any(head[:8]):  # as FFmpeg ends it
            return position + 8
        if (not name.isalnum() and name != b".RMF") or size < 10:
            return position
        if name == b"DATA":
            packet, count = position + 18, int.from_bytes(head[10:14], "big")
            for _ in range(count):
                packet_head = content.read(packet, 4)
                length = int.from_bytes(packet_head[2:], "big")
                if packet_head[:1] != b"\0" or packet_head[1:2] > b"\1" or length < 12:
                    return end + 1
                packet += length
            # FFmpeg counts ten bytes too many.
            size = packet - position if count else size
        position += size
    return position


def asf_end(content: Content, start: int, end: int) -> int:
    """Where an ASF file (WMA) ends as its properties say, or where a packet begins unlike the first.

    A broadcast does not say.
    """
    properties, data = content.find(_ASF_PROPERTIES, start), content.find(_ASF_DATA, start)
    if not start <= properties < min(end, start + BLOCK_BYTES):
        return end
    numbers = content.read(properties + 24, 80)
    file_bytes, packets, flags, packet_bytes = (
        int.from_bytes(numbers[place : place + size], "little") for place, size in ((16, 8), (32, 8), (64, 4), (68, 4))
    )
    first_packet = data + 50
    if data >= 0 and packet_bytes:
        last = end if flags & 1 else min(end, first_packet + packets * packet_bytes)
        first_byte = content.read(first_packet, 1)
        for position in range(first_packet, last - packet_bytes, packet_bytes):
            if content.read(position, 1) != first_byte:
                return end + 1
    return end if flags & 1 else start + file_bytes
