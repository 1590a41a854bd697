"""Frames of codecs that are files without any container (AC-3, DTS, LOAS, AMR, WavPack): how long each is.

Those of MPEG audio and of ADTS are in `mpeg.py`. Each `…_bytes` takes the first `HEAD_BYTES` bytes of a frame and gives
its size in bytes, 0 where none begins.
"""

from __future__ import annotations

# Enough for the header of any frame below, and of ID3.
HEAD_BYTES = 12
# ATSC A/52 (5.4.1): kbit/s by half of the frame size code; the rate code names 48, 44.1 and 32 kHz.
_AC3_KBPS = (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 576, 640)

# RFC 4867 (5.3): bytes of a frame by its type, with the byte that names it.
_AMR_BYTES = (13, 14, 16, 18, 20, 21, 27, 32, 6, 0, 0, 0, 0, 0, 0, 1)
_AMR_WB_BYTES = (18, 24, 33, 37, 41, 47, 51, 59, 61, 6, 0, 0, 0, 0, 1, 1)


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


def wavpack_bytes(head: bytes) -> int:
    """The size of the block of WavPack that starts here; 0 where none does."""
    return 8 + int.from_bytes(head[4:8], "little") if head[:4] == b"wvpk" else 0


def dts_bytes(head: bytes) -> int:
    """The same of DTS in words of 16 bits (ETSI TS 102 114, 5.3), and of the extensions behind its frames (7.4)."""
    if len(head) < HEAD_BYTES:
        return 0
    if head[:4] == b"\x7f\xfe\x80\x01":
        return (int.from_bytes(head[5:8], "big") >> 4 & 0x3FFF) + 1
    if head[:4] == b"\x64\x58\x20\x25":
        bits = int.from_bytes(head[5:11], "big")
        is_long = bits >> 45 & 1
        return (bits >> 13 & 0xFFFFF if is_long else bits >> 21 & 0xFFFF) + 1
    return 0
