"""FLAC (RFC 9639): where a file ends, by the number of its last frame, and whether its first agrees with its header."""

from __future__ import annotations

from intonate.audio.behind import next_file
from intonate.audio.intact import PADDING_BYTES
from intonate.audio.streams import Content

# With the first block of its header, of type 0 and 34 bytes.
MARK = b"fLaC\0\0\0\x22"
# The last frame lies within this, where the header does not say how long one may be.
TAIL_BYTES = 2**17
# Of blocks of one size, and of several.
_SYNCS = (b"\xff\xf8", b"\xff\xf9")
# By the codes in the head of a frame (9.1.1, 9.1.2): rates, and how many bytes behind its number say it instead.
_RATES_HZ = dict(
    enumerate((88_200, 176_400, 192_000, 8_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000), 1)
)
_BLOCK_BYTES, _RATE_BYTES = {6: 1, 7: 2}, {12: 1, 13: 2, 14: 2}


def walk(content: Content, start: int, end: int) -> tuple[int, str]:
    """Where a file ends, and how its header contradicts its sound, as the end of a sentence; "" where it does not.

    It ends at `end`, or at another file; or beyond, if it holds more than it promises.
    """
    info = content.read(start, 26)
    block_samples, largest_frame = int.from_bytes(info[8:10], "big"), int.from_bytes(info[15:18], "big")
    numbers, position, is_last = int.from_bytes(info[18:], "big"), start + 4, False
    channels, bits, samples = (numbers >> 41 & 7) + 1, (numbers >> 36 & 31) + 1, numbers & (2**36 - 1)
    while not is_last and position < end:
        head = content.read(position, 4)
        is_last, position = bool(head[0] & 128), position + 4 + int.from_bytes(head[1:], "big")
    first_head = content.read(position, 4)
    doubt = _rate_doubt(numbers >> 44, first_head)
    tail_start = max(position, end - PADDING_BYTES - (largest_frame or TAIL_BYTES))
    last_sample = _last_sample(content.read(tail_start, end - tail_start), first_head, block_samples)
    if samples and last_sample is not None and last_sample >= samples:
        return end + 1, doubt
    if position < end and last_sample is None:
        next_start = next_file(content, position + 1)
        if not position < next_start < end and not _has_last_tag(content, end):
            return end + 1, doubt
        end = next_start if position < next_start < end else end
    # A frame that cannot be compressed costs some bytes more than its samples.
    is_counted = not samples or end - position <= 1.05 * samples * channels * bits / 8 + 4096
    return (end if is_counted else end + 1), doubt


def _rate_doubt(rate_hz: int, frame_head: bytes) -> str:
    """Whether a frame has another rate than the header."""
    frame_rate_hz = _RATES_HZ.get(frame_head[2] & 15) if frame_head[2:] and frame_head[:2] in _SYNCS else None
    if frame_rate_hz in (None, rate_hz):
        return ""
    return (
        f"is damaged: its header names {rate_hz} Hz and its sound {frame_rate_hz}; it may be heard too fast or too slow"
    )


def _has_last_tag(content: Content, end: int) -> bool:
    """Whether a file ends in a tag of ID3v1 or of APE."""
    tail = content.read(max(0, end - 128), min(end, 128))
    return tail[:3] == b"TAG" or tail[-32:-24] == b"APETAGEX"


def _last_sample(tail: bytes, first_head: bytes, block_samples: int) -> int | None:
    """The number of the first sample of the last frame that begins in the end of a file (9.1).

    None where none begins there, as the last one must; -1 where it does not say.
    """
    for sync in _SYNCS:
        place = len(tail)
        while (place := tail.rfind(sync, 0, place)) >= 0:
            head = tail[place : place + 16]
            if _is_frame_head(head):
                # Where all but the number is as in the first frame, it is no accident.
                is_like_first = head[:2] == first_head[:2] and head[3] == first_head[3]
                return _frame_number(head) * (block_samples if head[1] == 0xF8 else 1) if is_like_first else -1
    return None


def _number_bytes(head: bytes) -> int:
    """How many bytes the number of a frame takes: it is written as in UTF-8, from the fifth byte on."""
    return 8 - (head[4] ^ 0xFF).bit_length() if head[4] & 0x80 else 1


def _frame_number(head: bytes) -> int:
    size = _number_bytes(head)
    number = head[4] & (0x7F if size == 1 else (1 << 7 - size) - 1)
    for byte in head[5 : 4 + size]:
        number = number << 6 | byte & 0x3F
    return number


def _is_frame_head(head: bytes) -> bool:
    """Whether the head of a frame has a checksum that is right."""
    if len(head) <= 6 or not head[2] >> 4 or head[3] >> 4 > 10 or head[3] & 1:
        return False
    length = 4 + _number_bytes(head) + _BLOCK_BYTES.get(head[2] >> 4, 0) + _RATE_BYTES.get(head[2] & 15, 0)
    return length < len(head) and _crc8(head[:length]) == head[length]


def _crc8(data: bytes) -> int:
    remainder = 0
    for byte in data:
        remainder = _CRC8_TABLE[remainder ^ byte]
    return remainder


def _crc8_of_byte(byte: int) -> int:
    for _ in range(8):
        byte = byte << 1 ^ (0x107 if byte & 0x80 else 0)
    return byte


_CRC8_TABLE = bytes(map(_crc8_of_byte, range(256)))
