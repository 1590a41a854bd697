"""Headers that say one thing twice, and not the same: all bytes are there, but the sound may be too fast or cut short.

What is damaged cannot be told from a header alone that agrees with itself: the rate of an AIFF stands in one place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import BinaryIO, Literal

from intonate.audio.streams import Content, Part

# The rates that sound is nearly always recorded at, Hz. Some recorders write a wrong number of bytes a second.
USUAL_RATES_HZ = frozenset({8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 64_000, 88_200}) | {
    *(96_000, 176_400, 192_000, 384_000)
}
# Of a WAV: samples as integers, floats, and either with more said behind it.
_PCM_TAGS = frozenset({1, 3, 0xFFFE})
# What an MP4 names as the codec of sound that is encrypted: by the standard (ISO/IEC 23001-7), of iTunes, of Audible.
_PROTECTED_CODINGS = frozenset({b"enca", b"drms", b"aavd"})
# A header has no more chunks before its sound than this.
_MOST_CHUNKS = 1000


def doubt(content: Content, part: Part) -> str:
    """How the header of a part contradicts itself, as the end of a sentence about it; "" where it does not."""
    check = _CHECKS.get(part.kind.name) if part.kind else None
    return (check(content.view(part)) if check else "") or part.doubt


def _read(view: BinaryIO, position: int, size: int) -> bytes:
    view.seek(position)
    return view.read(size)


def _wave_doubt(view: BinaryIO) -> str:
    order: Literal["little", "big"] = "big" if _read(view, 0, 4) == b"RIFX" else "little"
    position = 12
    for _ in range(_MOST_CHUNKS):
        head = _read(view, position, 8)
        size = int.from_bytes(head[4:], order)
        if head[:4] == b"fmt ":
            break
        if len(head) < 8 or head[:4] == b"data":
            return ""
        position += 8 + size + size % 2
    numbers = _read(view, position + 8, 16)
    tag, channels, rate_hz, byte_rate, frame_bytes, bits = (
        int.from_bytes(numbers[place : place + length], order)
        for place, length in ((0, 2), (2, 2), (4, 4), (8, 4), (12, 2), (14, 2))
    )
    if tag not in _PCM_TAGS or not frame_bytes:
        return ""
    is_doubtful_rate = rate_hz not in USUAL_RATES_HZ and byte_rate / frame_bytes in USUAL_RATES_HZ
    if is_doubtful_rate:
        return (
            f"is damaged: its header names {rate_hz} Hz, and {byte_rate} bytes a second of {frame_bytes} bytes each, "
            f"which is {byte_rate // frame_bytes} Hz; it may be heard too fast or too slow"
        )
    return _frame_doubt(frame_bytes, channels, bits)


def _frame_doubt(frame_bytes: int, channels: int, bits: int) -> str:
    """Whether so many channels of so many bits fit into so many bytes."""
    if channels and frame_bytes % channels == 0 and bits <= 8 * frame_bytes // channels <= 64:
        return ""
    return (
        f"is damaged: its header names {channels} channels of {bits} bits in {frame_bytes} bytes; "
        "it may be heard too fast or as noise"
    )


def _caf_doubt(view: BinaryIO) -> str:
    """The same of CAF, whose description comes first, where it holds samples as they are."""
    head = _read(view, 8, 44)
    if head[:4] != b"desc" or head[20:24] != b"lpcm":
        return ""
    frame_bytes, frames, channels, bits = (int.from_bytes(head[at : at + 4], "big") for at in (28, 32, 36, 40))
    return _frame_doubt(frame_bytes, channels, bits) if frames == 1 else ""


def _boxes(view: BinaryIO, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """The boxes of an MP4 (ISO/IEC 14496-12) in [start, end): name, and where what is in it begins and ends."""
    while start + 8 <= end:
        head = _read(view, start, 16)
        size, body = int.from_bytes(head[:4], "big"), start + 8
        if size == 1:
            size, body = int.from_bytes(head[8:16], "big"), start + 16
        if start + size < body:  # 0: up to the end
            size = end - start
        yield head[4:8], body, min(end, start + size)
        start += size


def _box(view: BinaryIO, start: int, end: int, *path: bytes) -> tuple[int, int] | None:
    """Where the first box of a path begins and ends; None where there is none."""
    for name, body, box_end in _boxes(view, start, end):
        if name == path[0]:
            return _box(view, body, box_end, *path[1:]) if path[1:] else (body, box_end)
    return None


def _clock(view: BinaryIO, bounds: tuple[int, int] | None) -> tuple[int, int]:
    """Ticks a second and duration in ticks, of a box `mvhd` or `mdhd`; zeros where there is none."""
    head = _read(view, bounds[0], 32) if bounds else b""
    place, size = (20, 8) if head[:1] == b"\1" else (12, 4)
    return int.from_bytes(head[place : place + 4], "big"), int.from_bytes(head[place + 4 : place + 4 + size], "big")


def _edits_ticks(view: BinaryIO, bounds: tuple[int, int] | None) -> int:
    """How long the edits of a box `elst` play, in ticks of the movie; 0 where that does not say."""
    if bounds is None:
        return 0
    head = _read(view, bounds[0], 8)
    size = 8 if head[:1] == b"\1" else 4
    entries = _read(view, bounds[0] + 8, min(int.from_bytes(head[4:], "big") * (2 * size + 4), bounds[1] - bounds[0]))
    ticks = 0
    for place in range(0, len(entries), 2 * size + 4):
        is_pause = entries[place + size : place + 2 * size] == b"\xff" * size
        ticks += 0 if is_pause else int.from_bytes(entries[place : place + size], "big")
    return ticks


def _sound_tracks(view: BinaryIO, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Where each track of sound of the movie in [start, end) begins and ends."""
    for name, track_start, track_end in _boxes(view, start, end):
        handler = _box(view, track_start, track_end, b"mdia", b"hdlr") if name == b"trak" else None
        if handler is not None and _read(view, handler[0] + 8, 4) == b"soun":
            yield track_start, track_end


def protection(content: Content, part: Part) -> str:
    """How to go on with an MP4 all of whose sound is encrypted, as the end of a sentence about it; "" for any other."""
    if part.kind is None or part.kind.name not in ("mp4", "mov"):
        return ""
    view = content.view(part)
    movie = _box(view, 0, view.seek(0, 2), b"moov")
    codings = []
    for track in _sound_tracks(view, *movie) if movie else ():
        coding = _box(view, *track, b"mdia", b"minf", b"stbl", b"stsd")
        codings.append(_read(view, coding[0] + 12, 4) if coding else b"")
    if not codings or not _PROTECTED_CODINGS.issuperset(codings):
        return ""
    return "is protected (DRM): its sound is encrypted and cannot be heard; give a copy without protection"


def _mp4_doubt(view: BinaryIO) -> str:
    """Whether less than half of a track of sound is played, as its edit list and the movie's clock say.

    One that somebody cut short leaves out sound too; of that much, the listener should know.
    """
    movie = _box(view, 0, view.seek(0, 2), b"moov")
    if movie is None:
        return ""
    movie_hz, _ = _clock(view, _box(view, *movie, b"mvhd"))
    for start, end in _sound_tracks(view, *movie):
        media_hz, media_ticks = _clock(view, _box(view, start, end, b"mdia", b"mdhd"))
        if not media_hz:
            return "is damaged: a track of its sound has no clock; it may be heard cut short"
        edits_ticks = _edits_ticks(view, _box(view, start, end, b"edts", b"elst"))
        edits_s, media_s = edits_ticks / max(1, movie_hz), media_ticks / media_hz
        if edits_ticks and edits_s < media_s / 2:
            return f"has an edit list that leaves out most of its sound: {edits_s:.2f} s of {media_s:.2f} s are played"
    return ""


_CHECKS: dict[str, Callable[[BinaryIO], str]] = {
    "wav": _wave_doubt,
    "caf": _caf_doubt,
    "mp4": _mp4_doubt,
    "mov": _mp4_doubt,
}
