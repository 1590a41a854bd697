"""Files that no header counts (AAC, AC-3, MPEG-TS, AVI…): whether all of one is there.

Decoders pass over what they do not know: such a file, cut off in download or overwritten in the middle, sounds whole
and is shorter. What shows it is a frame that would end beyond the file, or bytes between two frames that are none.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Literal

from intonate.audio import mpeg
from intonate.audio.streams import BLOCK_BYTES, Content

# Enough for the header of any frame below, and of ID3.
HEAD_BYTES = 10
# Zeros that pad a file, not more of its sound.
PADDING_BYTES = 4096
# The last pack of a programme stream lies within this.
TAIL_BYTES = 2**18
# ATSC A/52 (5.4.1): kbit/s by half of the frame size code; the rate code names 48, 44.1 and 32 kHz.
_AC3_KBPS = (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 576, 640)

# RFC 4867 (5.3): bytes of a frame by its type, with the byte that names it.
_AMR_BYTES = (13, 14, 16, 18, 20, 21, 27, 32, 6, 0, 0, 0, 0, 0, 0, 1)
_AMR_WB_BYTES = (18, 24, 33, 37, 41, 47, 51, 59, 61, 6, 0, 0, 0, 0, 1, 1)
# The first of the properties of an ASF file, whose size is its third.
_ASF_PROPERTIES = b"\xa1\xdc\xab\x8c\x47\xa9\xcf\x11\x8e\xe4\x00\xc0\x0c\x20\x53\x65"


def ac3_bytes(head: bytes) -> int:
    """The size of the frame of AC-3 or E-AC-3 that starts here; 0 where none does."""
    if len(head) < 6 or head[:2] != b"\x0b\x77":
        return 0
    if head[5] >> 3 > 10:  # E-AC-3 (annex E)
        return 2 * (((head[2] & 7) << 8 | head[3]) + 1)
    rate_code, size_code = head[4] >> 6, head[4] & 63
    if rate_code == 3 or size_code >= 2 * len(_AC3_KBPS):
        return 0
    kbps = _AC3_KBPS[size_code // 2]
    return (4 * kbps, 2 * (320 * kbps // 147 + size_code % 2), 6 * kbps)[rate_code]


def loas_bytes(head: bytes) -> int:
    """The same of LOAS (ISO/IEC 14496-3, 1.7.2)."""
    return 3 + ((head[1] & 31) << 8 | head[2]) if len(head) >= 3 and head[0] == 0x56 and head[1] & 0xE0 == 0xE0 else 0


def amr_bytes(head: bytes) -> int:
    """The same of AMR."""
    return 0 if not head or head[0] & 0x83 else _AMR_BYTES[head[0] >> 3]


def amr_wb_bytes(head: bytes) -> int:
    """The same of AMR-WB."""
    return 0 if not head or head[0] & 0x83 else _AMR_WB_BYTES[head[0] >> 3]


def is_padding(content: Content, position: int, end: int) -> bool:
    """Whether what is left of a file is zeros that fill it up; many are the rest of a download that never came."""
    return end - position <= PADDING_BYTES and not any(content.read(position, end - position))


def are_frames_whole(content: Content, start: int, end: int, frame_bytes: Callable[[bytes], int]) -> bool:
    """Whether frames follow each other from `start` to `end`; tags and zeros may stand between and behind them."""
    position = start
    while position < end:
        head = content.read(position, HEAD_BYTES)
        size = frame_bytes(head) or mpeg.id3_bytes(head)
        if not size:
            return head[:3] in (b"TAG", b"APE") or is_padding(content, position, end)
        position += size
    return position == end


def is_amr_whole(content: Content, start: int, end: int) -> bool:
    """Whether the frames of an AMR file fill it; several channels are not looked into."""
    for magic, frame_bytes in ((b"#!AMR\n", amr_bytes), (b"#!AMR-WB\n", amr_wb_bytes)):
        if content.read(start, len(magic)) == magic:
            return are_frames_whole(content, start + len(magic), end, frame_bytes)
    return True


def are_packets_whole(content: Content, start: int, end: int) -> bool:
    """Whether packets of a transport stream (188 bytes, or 192 with a clock before each) fill the file."""
    offset = 0 if content.read(start, 1) == b"G" else 4
    stride = 188 + offset
    step = stride * (BLOCK_BYTES // stride)
    blocks = (content.read(position, min(step, end - position)) for position in range(start, end, step))
    return (end - start) % stride == 0 and all(set(block[offset::stride]) == {0x47} for block in blocks)


def is_last_pack_whole(content: Content, start: int, end: int) -> bool:
    """Whether the last pack of an MPEG programme stream ends within the file (ISO/IEC 13818-1, 2.5.3)."""
    tail_start = max(start, end - TAIL_BYTES)
    tail = content.read(tail_start, end - tail_start)
    position = tail.rfind(b"\0\0\x01\xba")
    if position < 0 or position + 14 > len(tail):
        return False
    position += 14 + (tail[position + 13] & 7) if tail[position + 4] >> 6 == 1 else 12
    while tail[position : position + 3] == b"\0\0\x01" and position + 6 <= len(tail):
        position += 6 + int.from_bytes(tail[position + 4 : position + 6], "big")
    is_last = not any(tail[position:]) or tail[position : position + 4] == b"\0\0\x01\xb9"
    return position <= len(tail) and is_last


def are_voice_blocks_whole(content: Content, start: int, end: int) -> bool:
    """Whether the blocks of a Creative Voice File end within it, with the one of type 0 or without."""
    position = start + int.from_bytes(content.read(start + 20, 2), "little")
    while position < end and content.read(position, 1) != b"\0":
        position += 4 + int.from_bytes(content.read(position + 1, 3), "little")
    return position <= end


def are_chunks_whole(content: Content, start: int, end: int) -> bool:
    """Whether each RIFF of a file (AVI has one per gigabyte) ends within it; one of size 0 was never closed."""
    position = start
    while position < end and content.read(position, 4) == b"RIFF":
        size = int.from_bytes(content.read(position + 4, 4), "little")
        position += 8 + size + size % 2
        if not size:
            break
    return position <= end + 1


def is_asf_whole(content: Content, start: int, end: int) -> bool:
    """Whether an ASF file (WMA) is as long as its properties say; a broadcast does not say."""
    properties = content.find(_ASF_PROPERTIES, start)
    if not start <= properties < min(end, start + BLOCK_BYTES):
        return True
    size = int.from_bytes(content.read(properties + 40, 8), "little")
    is_broadcast = int.from_bytes(content.read(properties + 88, 4), "little") & 1
    return bool(is_broadcast) or size <= end - start


def is_flac_counted(content: Content, start: int, end: int) -> bool:
    """Whether a FLAC file is no larger than the samples that it promises would be uncompressed, beside its pictures."""
    position, is_last = start + 4, False
    info = int.from_bytes(content.read(start + 18, 8), "big")
    channels, bits, samples = (info >> 41 & 7) + 1, (info >> 36 & 31) + 1, info & (2**36 - 1)
    while not is_last and position < end:
        head = content.read(position, 4)
        is_last, position = bool(head[0] & 128), position + 4 + int.from_bytes(head[1:], "big")
    # A frame that cannot be compressed costs some bytes more than its samples.
    return not samples or end - position <= 1.05 * samples * channels * bits / 8 + 4096


def is_sox_whole(content: Content, start: int, end: int) -> bool:
    """Whether a file of SoX's own kind holds as many samples of 32 bits as it says."""
    head = content.read(start, 16)
    order: Literal["little", "big"] = "little" if head.startswith(b".") else "big"
    header_bytes, samples = int.from_bytes(head[4:8], order), int.from_bytes(head[8:16], order)
    return start + 4 + header_bytes + 4 * samples <= end


def is_nist_whole(content: Content, start: int, end: int) -> bool:
    """Whether a NIST SPHERE file holds as many samples as it says; one that is compressed (Shorten) is not counted."""
    head = content.read(start, 1024)
    numbers = dict(re.findall(rb"(\w+) -i (\d+)", head))
    samples, sample_bytes, channels = (
        int(numbers.get(name, 1)) for name in (b"sample_count", b"sample_n_bytes", b"channel_count")
    )
    header_bytes = int(head[8:16]) if head[8:16].strip().isdigit() else 0
    return b"shorten" in head or start + header_bytes + samples * sample_bytes * channels <= end
