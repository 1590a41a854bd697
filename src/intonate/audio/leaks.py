"""The sound of one channel in another: a wire that leaks, the echo of a telephone line, one sound on both channels."""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray

from intonate.audio.clean import dc
from intonate.audio.energy import HOP_S, runs

Waveform = NDArray[np.float32]

# What leaks is softer by so much, dB, and the same sound: of half a second two people have .35 in common at most.
LEAK_DB, LEAK_CORRELATION = 10.0, 0.5
# An echo comes back this late; over a wire, clocks differ by this little, seconds.
LATEST_S, EARLIEST_S = 0.5, 0.05
# Speech is compared in pieces of about this length, seconds.
PIECE_S = 0.5
# Two channels this much alike hold one sound, turned over or a little later in one of them as it may be.
SAME_CORRELATION = 0.9
# That much at once is compared, seconds.
BLOCK_S = 30.0


def leaked_frames(
    speech: NDArray[np.bool_], waveform: Waveform, other: Waveform, sample_rate_hz: int
) -> NDArray[np.bool_]:
    """Where the speech on a channel is only that of another one, heard through the wire or coming back as an echo.

    Args:
        speech: whether somebody speaks on the channel, per 10 ms.
        waveform: the channel, (samples,).
        other: the other channel, (samples,).
        sample_rate_hz: of both.

    Returns:
        As `speech`, per 10 ms.
    """
    leaked, hop = np.zeros(len(speech), np.bool_), round(HOP_S * sample_rate_hz)
    latest, earliest = round(LATEST_S * sample_rate_hz), round(EARLIEST_S * sample_rate_hz)
    waveform, other = dc(waveform, sample_rate_hz), dc(other, sample_rate_hz)
    for first, last in runs(speech):
        borders = np.linspace(first, last, max(1, round((last - first) * HOP_S / PIECE_S)) + 1).round().astype(int)
        powers, is_leak = [], []
        for start, end in itertools.pairwise(borders.tolist()):
            piece = waveform[start * hop : end * hop]
            powers.append(float(np.mean(piece**2)))
            is_leak.append(_holds(other[max(0, start * hop - latest) : end * hop + earliest], piece))
        # What is softer beside a leak is its beginning or its end, too soft to be compared.
        loudest = max((power for power, leaks in zip(powers, is_leak, strict=True) if leaks), default=0.0)
        for place, (start, end) in enumerate(itertools.pairwise(borders.tolist())):
            is_beside = any(is_leak[max(0, place - 1) : place + 2])
            leaked[start:end] = is_leak[place] or (is_beside and powers[place] <= loudest)
    return leaked


def is_one_sound(waveform: Waveform, other: Waveform, sample_rate_hz: int) -> bool:
    """Whether two channels (samples,) hold the same sound, later by half a second at most in one of them."""
    block, reach = round(BLOCK_S * sample_rate_hz), round(LATEST_S * sample_rate_hz)
    size = 1 << (block + 2 * reach).bit_length()
    spectrum = np.zeros(size // 2 + 1, np.complex128)
    # Differences have no offset and hardly any hum, which channels may share.
    waveform, other = np.diff(waveform), np.diff(other)
    for start in range(0, len(waveform), block):
        piece = waveform[start : start + block]
        around = np.zeros(block + 2 * reach, np.float32)
        found = other[max(0, start - reach) : start + block + reach]
        around[max(0, reach - start) :][: len(found)] = found
        spectrum += np.fft.rfft(around, size) * np.conj(np.fft.rfft(piece, size))
    norm = np.linalg.norm(waveform) * np.linalg.norm(other)
    highest = np.abs(np.fft.irfft(spectrum, size)[: 2 * reach + 1]).max()
    return bool(norm > 0 and highest >= SAME_CORRELATION * norm)


def _holds(around: Waveform, piece: Waveform) -> bool:
    """Whether a sound holds a piece, much louder."""
    louder = 10 ** (LEAK_DB / 10)
    energy = float(piece @ piece)
    if len(around) < len(piece) or float(around @ around) < louder * energy or not energy:
        return False
    size = 1 << len(around).bit_length()
    products = np.fft.irfft(np.fft.rfft(around, size) * np.conj(np.fft.rfft(piece, size)), size)
    delay = int(np.abs(products[: len(around) - len(piece) + 1]).argmax())
    source = around[delay : delay + len(piece)]
    source_energy = float(source @ source)
    is_louder = source_energy >= louder * energy
    return is_louder and abs(float(products[delay])) >= LEAK_CORRELATION * (source_energy * energy) ** 0.5
