"""Files that no header counts (AAC, AC-3, MPEG-TS…) or that decoders do not count: how much of one is accounted for.

Decoders pass over what they do not know: such a file, cut off in download or overwritten in the middle, sounds whole
and is shorter. What shows it is a frame that would end beyond the file, or bytes between two frames that are none. So
each `…_end` gives the position that a file comes to, frame by frame or by its own count: beyond its end where it is
cut off, before where something else stands there. Containers of clusters, tags and chunks are in `walks.py`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Literal

from intonate.audio import mpeg
from intonate.audio.behind import next_file, tags_end
from intonate.audio.frames import HEAD_BYTES, amr_bytes, amr_wb_bytes, dts_bytes
from intonate.audio.streams import BLOCK_BYTES, Content

# Zeros that pad a file, not more of its sound.
PADDING_BYTES = 4096
# The last frame of a FLAC file lies within this.
TAIL_BYTES = 2**17


def is_padding(content: Content, position: int, end: int) -> bool:
    """Whether what is left of a file is zeros that fill it up; many are the rest of a download that never came."""
    return end - position <= PADDING_BYTES and not any(content.read(position, end - position))


def is_tail(content: Content, position: int, end: int) -> bool:
    """Whether what is left of a file is tags, or padding."""
    return is_padding(content, min(tags_end(content, position), end), end)


def frames_end(content: Content, start: int, end: int, frame_bytes: Callable[[bytes], int]) -> int:
    """Where frames that follow each other from `start` on end; tags of ID3 may stand between them."""
    position = start
    while position < end:
        head = content.read(position, HEAD_BYTES)
        size = frame_bytes(head)
        if not size and (tag := mpeg.id3_bytes(head)) and frame_bytes(content.read(position + tag, HEAD_BYTES)):
            size = tag
        if not size:
            return position
        position += size
    return position


def amr_end(content: Content, start: int, end: int) -> int:
    """The same of an AMR file; several channels are not looked into."""
    for magic, frame_bytes in ((b"#!AMR\n", amr_bytes), (b"#!AMR-WB\n", amr_wb_bytes)):
        if content.read(start, len(magic)) == magic:
            return frames_end(content, start + len(magic), end, frame_bytes)
    return end


def dts_end(content: Content, start: int, end: int) -> int:
    """The same of DTS; words of 14 bits, or in the other order, are not looked into."""
    is_known = content.read(start, 4) == b"\x7f\xfe\x80\x01"
    return frames_end(content, start, end, dts_bytes) if is_known else end


def transport_end(content: Content, start: int, end: int) -> int:
    """Where packets of a transport stream end (188 bytes, or 192 with a clock before each)."""
    offset = 0 if content.read(start, 1) == b"G" else 4
    stride = 188 + offset
    step = stride * (BLOCK_BYTES // stride)
    for position in range(start, end, step):
        syncs = content.read(position, min(step, end - position))[offset::stride]
        if (strange := len(syncs) - len(syncs.lstrip(b"G"))) < len(syncs):
            return position + strange * stride
    return start + -(-(end - start) // stride) * stride


def voice_blocks_end(content: Content, start: int, end: int) -> int:
    """Where the blocks of a Creative Voice File end, with the one of type 0 or without."""
    position = start + int.from_bytes(content.read(start + 20, 2), "little")
    # SoX counts the head of a block of 16 bits 8 bytes too short; what follows then is the rest of its samples.
    while position + 9 < end and content.read(position, 1) != b"\0":
        position += 4 + int.from_bytes(content.read(position + 1, 3), "little")
    return position + 1 if position + 9 < end else max(position, end)


def riff_end(content: Content, start: int, end: int) -> int:
    """Where a RIFF ends, as it says."""
    size = int.from_bytes(content.read(start + 4, 4), "little")
    return start + 8 + size + size % 2


def sox_end(content: Content, start: int, end: int) -> int:
    """Where the samples of a file of SoX's own kind end, of 32 bits each, as it counts them."""
    head = content.read(start, 16)
    order: Literal["little", "big"] = "little" if head.startswith(b".") else "big"
    header_bytes, samples = int.from_bytes(head[4:8], order), int.from_bytes(head[8:16], order)
    return start + 4 + header_bytes + 4 * samples


def nist_end(content: Content, start: int, end: int) -> int:
    """Where the samples of a NIST SPHERE file end, as it counts them; one that is compressed (Shorten) does not."""
    head = content.read(start, 1024)
    numbers = dict(re.findall(rb"(\w+) -i (\d+)", head))
    samples, sample_bytes, channels = (
        int(numbers.get(name, 1)) for name in (b"sample_count", b"sample_n_bytes", b"channel_count")
    )
    header_bytes = int(head[8:16]) if head[8:16].strip().isdigit() else 0
    return end if b"shorten" in head else start + header_bytes + samples * sample_bytes * channels


def flac_end(content: Content, start: int, end: int) -> int:
    """Where a FLAC file ends (RFC 9639): at `end`, or at another file; or beyond, if it holds more than it promises."""
    position, is_last = start + 4, False
    info = int.from_bytes(content.read(start + 18, 8), "big")
    channels, bits, samples = (info >> 41 & 7) + 1, (info >> 36 & 31) + 1, info & (2**36 - 1)
    block_samples = int.from_bytes(content.read(start + 8, 2), "big")
    largest_frame = int.from_bytes(content.read(start + 15, 3), "big")
    while not is_last and position < end:
        head = content.read(position, 4)
        is_last, position = bool(head[0] & 128), position + 4 + int.from_bytes(head[1:], "big")
    last_frame = max(position, end - PADDING_BYTES - (largest_frame or TAIL_BYTES))
    last_sample = _last_flac_sample(content, last_frame, end, content.read(position, 4), block_samples)
    if samples and last_sample is not None and last_sample >= samples:
        return end + 1
    if position < end and last_sample is None:
        next_start = next_file(content, position + 1)
        if not position < next_start < end and not _has_last_tag(content, end):
            return end + 1
        end = next_start if position < next_start < end else end
    # A frame that cannot be compressed costs some bytes more than its samples.
    is_counted = not samples or end - position <= 1.05 * samples * channels * bits / 8 + 4096
    return end if is_counted else end + 1


def _has_last_tag(content: Content, end: int) -> bool:
    """Whether a file ends in a tag of ID3v1 or of APE."""
    tail = content.read(max(0, end - 128), min(end, 128))
    return tail[:3] == b"TAG" or tail[-32:-24] == b"APETAGEX"


def _last_flac_sample(content: Content, start: int, end: int, first_head: bytes, block: int) -> int | None:
    """The number of the first sample of the last frame of FLAC that begins in [start, end) (RFC 9639, 9.1).

    None where none begins there, as the last one must; -1 where it does not say.
    """
    tail = content.read(start, end - start)
    for sync in (b"\xff\xf8", b"\xff\xf9"):  # of blocks of one size, and of several
        place = len(tail)
        while (place := tail.rfind(sync, 0, place)) >= 0:
            head = tail[place : place + 16]
            if _is_flac_head(head):
                # Where all but the number is as in the first frame, it is no accident.
                is_like_first = head[:2] == first_head[:2] and head[3] == first_head[3]
                return _flac_number(head) * (block if head[1] == 0xF8 else 1) if is_like_first else -1
    return None


def _flac_number_bytes(head: bytes) -> int:
    """How many bytes the number of a frame takes: it is written as in UTF-8, from the fifth byte on."""
    return 8 - (head[4] ^ 0xFF).bit_length() if head[4] & 0x80 else 1


def _flac_number(head: bytes) -> int:
    size = _flac_number_bytes(head)
    number = head[4] & (0x7F if size == 1 else (1 << 7 - size) - 1)
    for byte in head[5 : 4 + size]:
        number = number << 6 | byte & 0x3F
    return number


def _is_flac_head(head: bytes) -> bool:
    """Whether the head of a frame of FLAC has a checksum that is right."""
    if len(head) <= 6 or not head[2] >> 4 or head[3] >> 4 > 10 or head[3] & 1:
        return False
    number_bytes = _flac_number_bytes(head)
    block_bytes, rate_bytes = {6: 1, 7: 2}.get(head[2] >> 4, 0), {12: 1, 13: 2, 14: 2}.get(head[2] & 15, 0)
    length = 4 + number_bytes + block_bytes + rate_bytes
    return length < len(head) and _crc8(head[:length]) == head[length]


def _crc8(data: bytes) -> int:
    remainder = 0
    for byte in data:
        remainder ^= byte
        for _ in range(8):
            remainder = remainder << 1 ^ (0x107 if remainder & 0x80 else 0)
    return remainder
