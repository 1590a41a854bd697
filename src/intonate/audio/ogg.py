"""Ogg files: the streams that one is chained from, and what the numbers on their pages promise (RFC 3533).

Each stream begins with a page (or several) of the flag 2 and ends with pages of the flag 4. Pages are numbered, and
tell how many samples end on them. A decoder drops a damaged page, and counts by the last one that it can read.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from intonate.audio.behind import kind_at
from intonate.audio.kinds import Kind
from intonate.audio.streams import Content, Part

MAGIC = b"OggS\0"
BEGINS, ENDS = 2, 4
# What the first page of a stream of sound holds, and what a part with several is: libsndfile hears the first alone.
SOUNDS = (b"\x01vorbis", b"OpusHead", b"Speex   ", b"\x7fFLAC")
SEVERAL_TRACKS = Kind("ogg", "ogg")
# Opus counts at this rate whatever was recorded; libsndfile decodes it at the lowest of these that holds all of it.
OPUS_HZ, OPUS_RATES_HZ = 48_000, (8_000, 12_000, 16_000, 24_000)
# A clock that stands higher on the first page with sound did not start with the file (radio), samples.
LATEST_START = 10 * OPUS_HZ
# A page on which no packet ends has no position.
NO_POSITION = 2**64 - 1


@dataclass(slots=True)
class _Stream:
    """What is known of the part that is being walked through."""

    start: int
    is_beginning: bool = True
    is_ended: bool = False
    is_whole: bool = True
    numbers: dict[bytes, int] = field(default_factory=dict)  # stream -> its last page
    first_position: int = 0
    last_position: int = 0
    tracks: int = 0

    def add(self, page: bytes, body: bytes, is_all_there: bool) -> None:
        """Count a page, by its header and how its body begins."""
        stream, number = page[14:18], int.from_bytes(page[18:22], "little")
        position = int.from_bytes(page[6:14], "little")
        self.is_beginning = bool(page[5] & BEGINS)
        self.tracks += self.is_beginning and body.startswith(SOUNDS)
        self.is_ended = self.is_ended or (bool(page[5] & ENDS) and is_all_there)
        # A page of a stream that never began has a damaged header.
        is_known = not self.numbers or stream in self.numbers or bool(page[5] & BEGINS)
        self.is_whole = self.is_whole and is_known and number == self.numbers.get(stream, number - 1) + 1
        self.numbers[stream] = number
        if 0 < position < NO_POSITION:
            self.first_position = self.first_position or position
            self.last_position = max(self.last_position, position)

    def part(self, content: Content, end: int) -> Part:
        is_promise_kept = self.is_ended and self.is_whole
        promise, kind = 1.0 if is_promise_kept else math.nan, SEVERAL_TRACKS if self.tracks > 1 else None
        return Part(self.start, end, promise=promise, least=self._least_samples(content), kind=kind)

    def _least_samples(self, content: Content) -> int:
        """The samples until the last page, or from the first one with sound where the clock ran before."""
        head = content.read(self.start + 28, 16)
        samples = self.last_position - (self.first_position if self.first_position > LATEST_START else 0)
        if len(self.numbers) != 1:
            return 0
        if head.startswith(b"\x01vorbis"):
            return samples
        if head.startswith(b"OpusHead"):
            recorded_hz, skipped = int.from_bytes(head[12:16], "little"), int.from_bytes(head[10:12], "little")
            rate_hz = next((rate for rate in OPUS_RATES_HZ if 0 < recorded_hz <= rate), OPUS_HZ)
            return max(0, samples - skipped) * rate_hz // OPUS_HZ
        return 0


def parts(content: Content, start: int) -> list[Part]:
    file_parts: list[Part] = []
    stream, position = _Stream(start), start
    while position < content.size:
        page = content.read(position, 27)
        table = content.read(position + 27, page[26]) if len(page) == 27 else b""
        if page[:5] != MAGIC or len(page) < 27 or len(table) < page[26]:
            if stream.is_ended and kind_at(content, position) is not None:
                return [*file_parts, stream.part(content, position)]
            # What stands behind the last page is no sound.
            stream.is_whole = stream.is_whole and stream.is_ended
            position = content.find(MAGIC, position + 1)
            if position < 0:
                break
            continue
        if page[5] & BEGINS and not stream.is_beginning:
            file_parts.append(stream.part(content, position))
            stream = _Stream(position)
        body = content.read(position + 27 + len(table), 8)
        position += 27 + len(table) + sum(table)
        stream.add(page, body, position <= content.size)
    return [*file_parts, stream.part(content, content.size)]
