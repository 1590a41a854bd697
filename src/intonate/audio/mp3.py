"""MP3 files (and MP2, MP1): the recordings that one was joined from, each with a Xing header that is true.

libmpg123 takes the length of a file from its Xing header. Where there is none (what an encoder leaves on a pipe) it
guesses, and cuts a variable bit rate short; where a second recording follows, it does not look.
"""

from __future__ import annotations

import math
import re

from intonate.audio import intact, mpeg
from intonate.audio.behind import kind_at
from intonate.audio.streams import BLOCK_BYTES, MOST_PARTS, Content, Part

_SYNC_PATTERN = re.compile(rb"\xff[\xe2-\xff]|ID3")
# 320 kbit/s at 32 kHz, with padding.
LONGEST_FRAME_BYTES = 1441
# Two numbers of 12 bits.
LONGEST_LAME_CUT = 2 * 4095
# Encoders add less at both ends together; a header that says more is damaged.
MOST_LAME_CUT = 3 * 1152
# So many frames are looked at, to see whether as many as a Xing header says fit into the bytes that it says.
LIKELY_FRAMES = 64
# How much longer frames are on average elsewhere, of a constant and of a variable bit rate.
LONGER = {True: 1.05, False: 2.0}
# What a decoder of layer III holds back; and some leave a frame more.
DECODER_CUT = 529


def parts(content: Content, start: int) -> list[Part]:
    file_parts: list[Part] = []
    position = start
    while position < content.size and len(file_parts) < MOST_PARTS:
        position += mpeg.id3_bytes(content.read(position, 10))
        header = mpeg.frame(content.read(position, 4))
        if header is None:
            if file_parts and kind_at(content, position) is not None:
                break
            position = _next_frame_start(content, position)
            if position < 0:
                break
            continue
        frame_bytes = content.read(position, header.size)
        xing = mpeg.xing(frame_bytes)
        if xing and (xing.cut or 0) > MOST_LAME_CUT:
            frame_bytes = mpeg.without_cut(frame_bytes, xing)
            xing = mpeg.xing(frame_bytes)
        is_likely = xing is not None and _is_likely(content, position + header.size, xing)
        if xing and is_likely and xing.frames and xing.bytes and _can_end_at(content, position + xing.bytes):
            end = position + xing.bytes
            file_parts.append(Part(position + len(frame_bytes), end, frame_bytes, least=_least_samples(xing, header)))
        elif xing and is_likely and xing.frames and xing.bytes and position + xing.bytes > content.size:
            # Cut off. The number of frames stays: it is the promise.
            xing_frame = mpeg.mended_xing(frame_bytes, xing, xing.frames, content.size - position)
            least = _least_samples(xing, header)
            file_parts.append(Part(position + len(xing_frame), content.size, xing_frame, least=least))
            end = content.size
        else:
            end, frames, promise, holes = _frames_end_and_count(content, position)
            size = end - position - sum(stop - begin for begin, stop in holes)
            if xing and xing.frames is not None and xing.frames_at + 4 <= len(frame_bytes):
                # The first frame is the header's own, and not counted. A promise of more stays.
                xing_frame = mpeg.mended_xing(frame_bytes, xing, max(frames - 1, xing.frames), size)
                least = _least_samples(mpeg.xing(xing_frame), header)
                # Frames that are missing are told by their number, and what stands behind the last one was none.
                promise = 1.0 if is_likely and (frames <= xing.frames or not holes) else promise
                file_parts.append(Part(position + len(frame_bytes), end, xing_frame, promise, least, holes=holes))
            elif header.layer == 3:
                first = 1 if xing else 0  # of a header that counts no frames
                xing_frame = mpeg.new_xing(content.read(position, 4), frames - first, size)
                file_parts.append(Part(position + first * len(frame_bytes), end, xing_frame, promise, holes=holes))
            else:
                file_parts.append(Part(position, end, promise=promise, least=frames * header.samples, holes=holes))
        position = end
    return file_parts


def _is_likely(content: Content, position: int, xing: mpeg.Xing) -> bool:
    """Whether a Xing header promises about as many frames as there are, by the first ones, which begin at `position`.

    One that promises fewer hides the end of its recording.
    """
    start, count = position, 0
    while count < LIKELY_FRAMES and (header := mpeg.frame(content.read(position, 4))) is not None:
        position, count = position + header.size, count + 1
    if not (count and xing.frames and xing.bytes):
        return True
    return (
        xing.bytes / xing.frames <= LONGER[xing.is_constant] * (position - start) / count + LONGEST_FRAME_BYTES / count
    )


def _least_samples(xing: mpeg.Xing | None, header: mpeg.Frame) -> int:
    """The samples that a Xing header promises, without what is cut off at the ends, or the most that could be."""
    if xing is None:
        return 0
    cut = LONGEST_LAME_CUT if xing.cut is None else xing.cut + DECODER_CUT + header.samples
    return max(0, (xing.frames or 0) * header.samples - cut)


def first_frame(content: Content, position: int) -> int | None:
    """Where the first frame stands within 64 KiB of `position`, behind something else; None where there is none."""
    place = _next_frame_start(content, position, min(content.size, position + 2**16))
    if place < 0:
        return None
    block = content.read(place, 8 * LONGEST_FRAME_BYTES)
    return place if block[:3] == b"ID3" or mpeg.frames_run(block, 0, limit=8) == 8 else None


def _can_end_at(content: Content, end: int) -> bool:
    """Whether a part may end here: at the end of the file, or before tags or another part."""
    if end >= content.size:
        return end == content.size
    following_bytes = content.read(end, 10)
    return (
        following_bytes[:3] in (b"ID3", b"TAG")
        or following_bytes[:8] == b"APETAGEX"
        or not any(following_bytes)
        or _has_xing(content, end)
        or (mpeg.frame(following_bytes[:4]) is None and kind_at(content, end) is not None)
    )


def _has_xing(content: Content, position: int) -> bool:
    header = mpeg.frame(content.read(position, 4))
    return header is not None and mpeg.xing(content.read(position, header.size)) is not None


def _frames_end_and_count(content: Content, position: int) -> tuple[int, int, float, tuple[tuple[int, int], ...]]:
    """Where the frames from `position` on end (before another part), how many there are, and the part's promise; and
    [start, end) of each stretch between two of them.

    What stands between two frames and is neither a tag nor zeros was one; so was the last where the file ends in it.
    """
    frames, promise, first_header = 0, 1.0, mpeg.frame(content.read(position, 4))
    holes: list[tuple[int, int]] = []
    while position + 4 <= content.size:
        header = mpeg.frame(content.read(position, 4))
        if header is None:
            if content.read(position, 3) == b"ID3" or kind_at(content, position) is not None:
                break
            next_start = _next_frame_start(content, position)
            is_tag = content.read(position, 8).startswith((b"TAG", b"APETAGEX", b"LYRICS"))
            if not is_tag and not intact.is_padding(content, position, content.size if next_start < 0 else next_start):
                promise = math.nan
            if next_start < 0:
                break
            holes.append((position, next_start))
            position = next_start
            continue
        if frames and mpeg.xing(content.read(position, 64)) is not None:
            break
        is_other = first_header and header.kind != first_header.kind
        if is_other and mpeg.frames_run(content.read(position, 4 * LONGEST_FRAME_BYTES), 0) == 4:
            break
        position, frames = position + header.size, frames + 1
    else:
        is_whole = position <= content.size and not any(content.read(position, 4))
        position, promise = content.size, promise if is_whole else math.nan
    return position, frames, promise, tuple(holes)


def _next_frame_start(content: Content, position: int, end: int | None = None) -> int:
    """The next place from which three frames follow each other (or that a tag of ID3 begins at); -1 for none."""
    end = content.size if end is None else end
    while position + 4 <= end:
        block = content.read(position, min(BLOCK_BYTES, end - position))
        for match in _SYNC_PATTERN.finditer(block):
            place = position + match.start()
            if match.group() == b"ID3":
                if mpeg.id3_bytes(content.read(place, 10)):
                    return place
            elif mpeg.frame(block[match.start() : match.start() + 4]) is not None:
                run = mpeg.frames_run(content.read(place, 8192), 0)
                if run >= 3 or (run and place + LONGEST_FRAME_BYTES > content.size):
                    return place
        position += max(1, len(block) - 3)
    return -1
