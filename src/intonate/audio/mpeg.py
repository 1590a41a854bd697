"""Frames of MPEG audio (MP3, MP2, MP1) and of bare AAC (ADTS): where each begins, and what a Xing header says.

ISO/IEC 11172-3 (2.4.2.3, header), 13818-3 (lower rates), 13818-7 (6.2, ADTS). The Xing header is the encoder's: a first
frame without sound that tells how many frames and bytes follow, and, after LAME, how much to cut at the ends.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

# kbit/s by index 1 to 14, for MPEG-1 layers I, II, III and MPEG-2 layers I, II = III.
_BIT_RATES_KBPS = {
    (True, 1): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (True, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 3): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
# The header of an ID3v2 tag, before what it holds.
ID3_HEAD_BYTES = 10
_SAMPLE_RATES_HZ = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8_000)}


@dataclass(frozen=True, slots=True)
class Frame:
    """What the four bytes of a frame's header say: size in bytes, samples per channel, rate in Hz."""

    size: int
    samples: int
    rate_hz: int
    layer: int
    is_mpeg1: bool
    is_mono: bool

    @property
    def kind(self) -> tuple[int, int, bool]:
        """What the frames of one recording have in common: layer, rate in Hz, whether there is one channel."""
        return self.layer, self.rate_hz, self.is_mono

    @property
    def side_bytes(self) -> int:
        """Bytes between the header and where a Xing header stands."""
        return (17 if self.is_mono else 32) if self.is_mpeg1 else (9 if self.is_mono else 17)


@lru_cache(maxsize=1024)
def frame(header: bytes) -> Frame | None:
    """The frame whose header these four bytes are; None where they are none (or of free bit rate)."""
    if len(header) < 4 or header[0] != 0xFF or header[1] & 0xE0 != 0xE0:
        return None
    version, layer = header[1] >> 3 & 3, 4 - (header[1] >> 1 & 3)
    kbps_index, rate_index, padding = header[2] >> 4, header[2] >> 2 & 3, header[2] >> 1 & 1
    if version == 1 or layer == 4 or rate_index == 3 or not 1 <= kbps_index <= 14:
        return None
    is_mpeg1, rate_hz = version == 3, _SAMPLE_RATES_HZ[version][rate_index]
    kbps = _BIT_RATES_KBPS[is_mpeg1, layer][kbps_index - 1]
    samples = 384 if layer == 1 else 576 if layer == 3 and not is_mpeg1 else 1152
    slot = 4 if layer == 1 else 1
    size = (samples // 8 * kbps * 1000 // slot // rate_hz + padding) * slot
    return Frame(size, samples, rate_hz, layer, is_mpeg1, header[3] >> 6 == 3)


def frames_run(data: bytes, position: int, limit: int = 4) -> int:
    """How many frames of one kind follow each other from a position, up to `limit`; the last may be cut by the end."""
    first_frame, count = frame(data[position : position + 4]), 0
    while first_frame is not None and count < limit:
        next_frame = frame(data[position : position + 4])
        if next_frame is None or next_frame.kind != first_frame.kind:
            return count
        position, count = position + next_frame.size, count + 1
    return count


def adts_bytes(head: bytes) -> int:
    """The size of the frame of ADTS that starts here; 0 where none does."""
    if len(head) < 7 or head[0] != 0xFF or head[1] & 0xF6 != 0xF0 or head[2] >> 2 & 15 > 12:
        return 0
    size = (head[3] & 3) << 11 | head[4] << 3 | head[5] >> 5
    return size if size >= 7 else 0


def adts_run(data: bytes, position: int) -> int:
    """As `frames_run`, for frames of ADTS."""
    count = 0
    while count < 4 and (size := adts_bytes(data[position : position + 7])):
        position, count = position + size, count + 1
    return count


def id3_bytes(head: bytes) -> int:
    """The size of the ID3v2 tag that starts here; 0 where none does."""
    if len(head) < ID3_HEAD_BYTES or head[:3] != b"ID3" or head[3] == 0xFF or any(byte > 127 for byte in head[6:10]):
        return 0
    size = head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9]
    return ID3_HEAD_BYTES + size + (ID3_HEAD_BYTES if head[5] & 0x10 else 0)


@dataclass(frozen=True, slots=True)
class Xing:
    """A Xing header: the frames and bytes that it promises (None where it leaves them out), and where they stand.

    Attributes:
        cut: samples that a decoder leaves off at the ends, as LAME and FFmpeg write it behind; None where they did not.
        cut_at: where that stands.
        is_constant: whether the bit rate is.
    """

    frames: int | None
    bytes: int | None
    frames_at: int
    bytes_at: int
    cut: int | None
    cut_at: int
    is_constant: bool


def xing(frame_bytes: bytes) -> Xing | None:
    """The Xing (or Info) header in a first frame; None where there is none."""
    header = frame(frame_bytes[:4])
    if header is None or header.layer != 3:
        return None
    position = 4 + header.side_bytes
    if frame_bytes[position : position + 4] not in (b"Xing", b"Info") or len(frame_bytes) < position + 16:
        return None
    flags = frame_bytes[position + 7]
    frames_at = position + 8
    bytes_at = frames_at + (4 if flags & 1 else 0)
    # Behind it a table of 100 places and a quality; then the name of the encoder, and two numbers of 12 bits.
    lame_at = bytes_at + sum(size for bit, size in ((2, 4), (4, 100), (8, 4)) if flags & bit)
    lame = frame_bytes[lame_at : lame_at + 24]
    numbers = int.from_bytes(lame[21:24], "big") if lame[:4] in (b"LAME", b"Lavc", b"Lavf") else None
    return Xing(
        int.from_bytes(frame_bytes[frames_at : frames_at + 4], "big") if flags & 1 else None,
        int.from_bytes(frame_bytes[bytes_at : bytes_at + 4], "big") if flags & 2 else None,
        frames_at,
        bytes_at,
        None if numbers is None else (numbers >> 12) + (numbers & 0xFFF),
        lame_at + 21,
        frame_bytes[position : position + 4] == b"Info",
    )


def mended_xing(frame_bytes: bytes, header: Xing, frames: int, size: int) -> bytes:
    """A first frame whose Xing header promises `frames` and `size` bytes, as far as it promises anything."""
    mended = bytearray(frame_bytes)
    if header.frames is not None:
        mended[header.frames_at : header.frames_at + 4] = frames.to_bytes(4, "big")
    if header.bytes is not None:
        mended[header.bytes_at : header.bytes_at + 4] = size.to_bytes(4, "big")
    return bytes(mended)


def without_cut(frame_bytes: bytes, header: Xing) -> bytes:
    """A first frame whose Xing header leaves nothing off at the ends."""
    return frame_bytes[: header.cut_at] + bytes(3) + frame_bytes[header.cut_at + 3 :]


def new_xing(header: bytes, frames: int, size: int) -> bytes:
    """A frame with a Xing header for a stream of layer III that has none, like the frame with this header.

    Without it libmpg123 guesses the length from the size and the first frame's bit rate.
    """
    for kbps_index in range(1, 15):
        # The same but for the bit rate, no padding and no checksum.
        frame_header = bytes((header[0], header[1] | 1, header[2] & 0x0D | kbps_index << 4, header[3]))
        xing_frame = frame(frame_header)
        if xing_frame is not None and xing_frame.size >= 4 + xing_frame.side_bytes + 16:
            numbers = (3).to_bytes(4, "big") + frames.to_bytes(4, "big") + (size + xing_frame.size).to_bytes(4, "big")
            return (frame_header + bytes(xing_frame.side_bytes) + b"Xing" + numbers).ljust(xing_frame.size, b"\0")
    raise ValueError("no bit rate has room for a Xing header")
