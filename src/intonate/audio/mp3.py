"""MP3 files (and MP2, MP1): the recordings that one was joined from, each with a Xing header that is true.

libmpg123 takes the length of a file from its Xing header. Where there is none (what an encoder leaves on a pipe) it
guesses, and cuts a variable bit rate short; where a second recording follows, it does not look.
"""

from __future__ import annotations

import re

from intonate.audio import mpeg
from intonate.audio.streams import BLOCK_BYTES, MOST_PARTS, Content, Part

_SYNC = re.compile(rb"\xff[\xe2-\xff]|ID3")
# 320 kbit/s at 32 kHz, with padding.
LONGEST_FRAME_BYTES = 1441
# Two numbers of 12 bits.
LAME_CUT = 2 * 4095


def parts(content: Content, start: int) -> list[Part]:
    found: list[Part] = []
    at = start
    while at < content.size and len(found) < MOST_PARTS:
        at += mpeg.id3_bytes(content.read(at, 10))
        header = mpeg.frame(content.read(at, 4))
        if header is None:
            at = _next_frame(content, at)
            if at < 0:
                break
            continue
        first = content.read(at, header.size)
        xing = mpeg.xing(first)
        if xing and xing.frames and xing.bytes and _can_end_at(content, at + xing.bytes):
            end = at + xing.bytes
            found.append(Part(at, end, least=_least(xing, header)))
        elif xing and xing.frames and xing.bytes and at + xing.bytes > content.size:
            # Cut off. The number of frames stays: it is the promise.
            head = mpeg.mended_xing(first, xing, xing.frames, content.size - at)
            found.append(Part(at + len(head), content.size, head, least=_least(xing, header)))
            end = content.size
        else:
            end, frames = _walk(content, at)
            if xing and xing.frames_at + 4 <= len(first):
                # The first frame is the header's own, and not counted. A promise of more stays.
                head = mpeg.mended_xing(first, xing, max(frames - 1, xing.frames or 0), end - at)
                found.append(Part(at + len(first), end, head, least=_least(mpeg.xing(head), header)))
            elif header.layer == 3:
                found.append(Part(at, end, mpeg.made_xing(content.read(at, 4), frames, end - at)))
            else:
                found.append(Part(at, end))
        at = end
    return found


def _least(xing: mpeg.Xing | None, header: mpeg.Frame) -> int:
    """The samples that a Xing header promises, after the most that LAME's word of it may cut off at the ends."""
    return max(0, (xing.frames or 0) * header.samples - LAME_CUT) if xing else 0


def first_frame(content: Content, at: int) -> int | None:
    """Where the first frame stands within 64 KiB of `at`, behind something else; None where there is none."""
    place = _next_frame(content, at, min(content.size, at + 2**16))
    if place < 0:
        return None
    block = content.read(place, 8 * LONGEST_FRAME_BYTES)
    return place if block[:3] == b"ID3" or mpeg.frames_run(block, 0, most=8) == 8 else None


def _can_end_at(content: Content, end: int) -> bool:
    """Whether a part may end here: at the end of the file, or before tags or another part."""
    if end >= content.size:
        return end == content.size
    after = content.read(end, 10)
    return after[:3] in (b"ID3", b"TAG") or after[:8] == b"APETAGEX" or not any(after) or _has_xing(content, end)


def _has_xing(content: Content, at: int) -> bool:
    header = mpeg.frame(content.read(at, 4))
    return header is not None and mpeg.xing(content.read(at, header.size)) is not None


def _walk(content: Content, at: int) -> tuple[int, int]:
    """Where the frames from `at` on end (before another part), and how many there are."""
    frames = 0
    while at + 4 <= content.size:
        header = mpeg.frame(content.read(at, 4))
        if header is None:
            if content.read(at, 3) == b"ID3":
                return at, frames
            beyond = _next_frame(content, at)
            if beyond < 0:
                return at, frames
            at = beyond
            continue
        if frames and mpeg.xing(content.read(at, 64)) is not None:
            return at, frames
        at, frames = at + header.size, frames + 1
    return content.size, frames


def _next_frame(content: Content, at: int, end: int | None = None) -> int:
    """The next place from which three frames follow each other (or that a tag of ID3 begins at); -1 for none."""
    end = content.size if end is None else end
    while at + 4 <= end:
        block = content.read(at, min(BLOCK_BYTES, end - at))
        for match in _SYNC.finditer(block):
            place = at + match.start()
            if match.group() == b"ID3":
                if mpeg.id3_bytes(content.read(place, 10)):
                    return place
            elif mpeg.frame(block[match.start() : match.start() + 4]) is not None:
                run = mpeg.frames_run(content.read(place, 8192), 0)
                if run >= 3 or (run and place + LONGEST_FRAME_BYTES > content.size):
                    return place
        at += max(1, len(block) - 3)
    return -1
