"""Audio fingerprints: which recordings, or stretches of them, are the same sound under another name.

After Haitsma & Kalker (2002, "A highly robust audio fingerprinting system"): each frame of a spectrogram becomes 32
bits, whether the difference of neighbouring bands rises or falls in time. Level cancels out, codecs turn few bits
over, and a long window makes a shift of the clip matter little. Two sounds are the same where the bits of a stretch
agree; the same sentence said again by the same actor does not come near.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Bits = NDArray[np.uint32]

RATE_HZ = 8_000
# 256 ms windows every 16 ms: a shift falls at most 8 ms, a thirtieth of a window, beside a frame.
WINDOW, HOP = 2048, 128
FRAME_S = HOP / RATE_HZ
BANDS = 33
# What a telephone and every codec keeps.
BAND_RANGE_HZ = (250.0, 3400.0)
# Bits compare frames that are 64 ms apart, where speech differs enough for a codec not to turn them over.
SPAN = 4
# Frames this far under the loudest are pauses: what a codec leaves of them is its own, dB.
FLOOR_DB = 35.0
# A stretch of at least this many frames with sound in both (0.5 s) may be called the same.
SHORTEST = 32
# Up to this share of other bits a stretch is the same sound. In 9,386 clips of five corpora all pairs up to 0.15 were
# copies (their waveforms correlate by 0.6 or more) and all but a few beyond it were not: "Say the word …" said with the
# same melody comes to 0.19. Codecs stay under it (benchmarks/doctor.py).
LARGEST_ERROR = 0.155


@dataclass(frozen=True)
class Fingerprint:
    """Of one sound.

    Attributes:
        bits: (frames,) uint32, one frame every 16 ms.
        has_sound: (frames,) whether a frame is no pause.
    """

    bits: Bits
    has_sound: NDArray[np.bool_]


@dataclass(frozen=True)
class Match:
    """Two sounds that share a stretch.

    Attributes:
        a, b: their places in the list.
        length_s: of the stretch, seconds.
        error: share of its bits that differ (0 to `LARGEST_ERROR`).
        share: of the shorter one's sound that lies in the stretch, 0 to 1.
    """

    a: int
    b: int
    length_s: float
    error: float
    share: float


def fingerprint(waveform: NDArray[np.float32]) -> Fingerprint:
    """The fingerprint of (samples,) at 8 kHz; of nothing if it is shorter than a window and a few frames."""
    padded = np.pad(waveform, (WINDOW // 2, WINDOW // 2))
    if len(padded) < WINDOW + SPAN * HOP:
        return Fingerprint(np.zeros(0, np.uint32), np.zeros(0, bool))
    frames = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP]
    power = np.abs(np.fft.rfft(frames * _HANN_WINDOW, axis=1)) ** 2
    energies = np.add.reduceat(power, _BAND_EDGE_BINS, axis=1)[:, :-1]
    level = 10 * np.log10(energies.sum(axis=1) + 1e-12)
    has_sound = (level > level.max() - FLOOR_DB) & (level > -40.0)
    logs = np.log(energies + 1e-9)
    tilt = logs[:, 1:] - logs[:, :-1]
    rises = tilt[SPAN:] > tilt[:-SPAN]
    bits = np.packbits(rises, axis=1).view(">u4").ravel().astype(np.uint32)
    return Fingerprint(bits, has_sound[SPAN:] & has_sound[:-SPAN])


def matches(prints: Sequence[Fingerprint]) -> list[Match]:
    """Every pair of sounds that share a stretch of half a second or more, the closest first.

    Candidates are pairs with a frame in which three of the four bytes are the same; each is then laid over the other
    where they meet, and their bits are counted.
    """
    offsets_of = _candidate_offsets(prints)
    closest = []
    for (a, b), offsets in offsets_of.items():
        candidates = [match for offset in offsets if (match := _match_at_offset(prints[a], prints[b], a, b, offset))]
        if candidates:
            closest.append(max(candidates, key=lambda match: match.length_s - 10 * match.error))
    return sorted(closest, key=lambda match: (match.error, match.a, match.b))


def _candidate_offsets(prints: Sequence[Fingerprint]) -> dict[tuple[int, int], list[int]]:
    """{(a, b): the offsets, in frames, at which most of their frames meet}."""
    frames = [np.flatnonzero(item.has_sound) for item in prints]
    bits = np.concatenate(
        [item.bits[rows] for item, rows in zip(prints, frames, strict=True)] or [np.zeros(0, np.uint32)]
    )
    owners = np.repeat(np.arange(len(prints)), [len(rows) for rows in frames])
    times = np.concatenate(frames or [np.zeros(0, np.int64)])
    codes = []
    for byte in range(4):
        keys = bits & np.uint32(~(0xFF << 8 * byte) & 0xFFFFFFFF)
        order = np.argsort(keys, kind="stable")
        # Neighbours in the sorted list with the same key; a key that many share (a hum) is looked at a few steps on.
        for step in range(1, _NEIGHBOUR_STEPS + 1):
            rows_a, rows_b = order[:-step], order[step:]
            is_pair = (keys[rows_a] == keys[rows_b]) & (owners[rows_a] != owners[rows_b])
            rows_a, rows_b = rows_a[is_pair], rows_b[is_pair]
            earlier, later = np.minimum(rows_a, rows_b), np.maximum(rows_a, rows_b)
            shift = times[earlier] - times[later] + _LONGEST_OFFSET
            codes.append((owners[earlier] * len(prints) + owners[later]) * (2 * _LONGEST_OFFSET) + shift)
    all_codes = np.concatenate(codes)
    distinct, votes = np.unique(all_codes, return_counts=True)
    order = np.lexsort((-votes,))
    offsets_of: dict[tuple[int, int], list[int]] = defaultdict(list)
    for code, vote in zip(distinct[order].tolist(), votes[order].tolist(), strict=True):
        pair, shift = divmod(code, 2 * _LONGEST_OFFSET)
        offsets = offsets_of[divmod(pair, len(prints))]
        if vote >= _FEWEST_VOTES and len(offsets) < _MOST_OFFSETS:
            offsets.append(shift - _LONGEST_OFFSET)
    return offsets_of


def _match_at_offset(a: Fingerprint, b: Fingerprint, place_a: int, place_b: int, offset: int) -> Match | None:
    """The stretch that two sounds share at an offset (frames of `a` before `b` begins), if they do."""
    best: Match | None = None
    for shift in (offset, offset - 1, offset + 1):
        start, end = max(0, shift), min(len(a.bits), len(b.bits) + shift)
        if end - start < SHORTEST:
            continue
        has_both = a.has_sound[start:end] & b.has_sound[start - shift : end - shift]
        if has_both.sum() < SHORTEST:
            continue
        differing = np.bitwise_count(a.bits[start:end][has_both] ^ b.bits[start - shift : end - shift][has_both])
        error = float(differing.mean() / 32)
        shorter = max(1, min(int(a.has_sound.sum()), int(b.has_sound.sum())))
        if error <= LARGEST_ERROR and (best is None or error < best.error):
            share = float(has_both.sum() / shorter)
            best = Match(place_a, place_b, (end - start) * FRAME_S, error, min(1.0, share))
    return best


_HANN_WINDOW = np.hanning(WINDOW).astype(np.float32)
_BAND_EDGE_BINS = np.round(np.geomspace(*BAND_RANGE_HZ, BANDS + 1) * WINDOW / RATE_HZ).astype(int)
# How far apart two frames with the same key may lie in the sorted list.
_NEIGHBOUR_STEPS = 6
# Longest offset that is coded, frames (17 minutes).
_LONGEST_OFFSET = 1 << 16
_FEWEST_VOTES = 2
_MOST_OFFSETS = 3
