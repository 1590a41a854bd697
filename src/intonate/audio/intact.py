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
from intonate.audio.behind import tags_end
from intonate.audio.frames import HEAD_BYTES, amr_bytes, amr_wb_bytes, dts_bytes
from intonate.audio.streams import BLOCK_BYTES, Content

# Zeros that pad a file, not more of its sound.
PADDING_BYTES = 4096


def is_padding(content: Content, position: int, end: int) -> bool:
    """Whether what is left of a file is zeros that fill it up; many are the rest of a download that never came."""
    return end - position <= PADDING_BYTES and is_zeros(content, position, end)


def is_zeros(content: Content, start: int, end: int) -> bool:
    """Whether a stretch of a file holds nothing but zeros."""
    blocks = (content.read(place, min(BLOCK_BYTES, end - place)) for place in range(start, end, BLOCK_BYTES))
    return all(block.count(0) == len(block) for block in blocks)


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
