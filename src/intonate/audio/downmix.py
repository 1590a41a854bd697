"""Several channels as one, without losing what is said on any of them.

An average is right where the channels agree. It is silence where one is the other turned upside down (a cable with two
wires swapped), it is noise where one is a dead input that hums, and it is half as loud where one is empty. So the
channels are compared, in pieces of `PIECE_S`, before they are added.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from intonate.audio.activity import speech_frames

Block = NDArray[np.float32]

# What is compared at a time: long enough for a sentence, short enough for memory.
PIECE_S = 10.0
# Correlation of two channels: below the first they are one sound with opposite phases; above the second the same sound.
OPPOSITE, SAME = -0.5, 0.5
# A channel is left out as noise only beside one on which somebody speaks for this share of a piece.
SPOKEN_SHARE = 0.15
# A channel this far under the loudest one is empty: the crosstalk of a good converter, dB.
EMPTY_DB = -50.0


class Downmix:
    """The channels of one sound as one channel; what was done to them is told by `warnings` at the end."""

    def __init__(self, name: str, sample_rate_hz: int) -> None:
        self._name, self._rate_hz = name, sample_rate_hz
        self._inverted_channels: set[int] = set()
        self._channels_in_mix: set[int] = set()
        self._noisy_samples: Counter[int] = Counter()  # channel -> samples in which it was left out
        self._samples = 0
        self._has_different_sounds = False
        self._channel_count = 1

    def mono(self, blocks: Iterable[Block]) -> Iterator[Block]:
        """Blocks (samples, channels) as blocks (samples,)."""
        pending_blocks: list[Block] = []
        pending_samples, piece_samples = 0, round(PIECE_S * self._rate_hz)
        for block in blocks:
            self._channel_count = block.shape[1]
            if self._channel_count == 1:
                yield block[:, 0]
                continue
            pending_blocks.append(block)
            pending_samples += len(block)
            if pending_samples >= piece_samples:
                yield self._mix_piece(np.concatenate(pending_blocks))
                pending_blocks, pending_samples = [], 0
        if pending_samples:
            yield self._mix_piece(np.concatenate(pending_blocks))

    def warnings(self) -> list[str]:
        """A sentence each about channels that were turned, left out, or hold different sounds."""
        sentences = []
        noisy_channels = set(self._noisy_samples)
        empty_channels = set(range(self._channel_count)) - self._channels_in_mix - noisy_channels
        if self._inverted_channels:
            channels = _channel_list(self._inverted_channels)
            sentences.append(f"{self._name}: {channels} in opposite phase to channel 1, and turned before the mix")
        if unused_noisy := noisy_channels - self._channels_in_mix:
            sentences.append(f"{self._name}: {_channel_list(unused_noisy)} only noise, and left out of the mix")
        for channel in sorted(noisy_channels & self._channels_in_mix):
            seconds, total = (n / self._rate_hz for n in (self._noisy_samples[channel], self._samples))
            part = f"only noise in {seconds:.0f} of {total:.0f} s, and left out of the mix there"
            sentences.append(f"{self._name}: {_channel_list({channel})} {part}")
        if empty_channels and self._channels_in_mix:
            sentences.append(f"{self._name}: {_channel_list(empty_channels)} silent, and left out of the mix")
        if self._has_different_sounds:
            sentences.append(f"{self._name}: its channels hold different sounds, and were mixed into one")
        return sentences

    def _mix_piece(self, piece: Block) -> Block:
        """One piece (samples, channels) as (samples,)."""
        self._samples += len(piece)
        if (piece[:, 1:] == piece[:, :1]).all():
            self._channels_in_mix.update(range(piece.shape[1]) if piece.any() else ())
            return piece[:, 0]
        power = np.einsum("sc,sc->c", piece, piece, dtype=np.float64)
        weights = np.where(power > power.max() * 10 ** (EMPTY_DB / 10), 1.0, 0.0)
        live = np.flatnonzero(weights)
        product = np.einsum("sc,sd->cd", piece[:, live], piece[:, live], dtype=np.float64)
        correlation = product / np.sqrt(np.outer(power[live], power[live]))
        for place, channel in enumerate(live[1:], start=1):
            if correlation[0, place] < OPPOSITE:
                weights[channel] = -1.0
                self._inverted_channels.add(int(channel))
        if (np.abs(correlation) < SAME).any():
            shares = {int(c): float(speech_frames(piece[:, c], self._rate_hz).mean()) for c in live}
            speaking = [channel for channel, share in shares.items() if share >= SPOKEN_SHARE]
            noisy = [channel for channel, share in shares.items() if not share and speaking]
            weights[noisy] = 0.0
            self._noisy_samples.update(dict.fromkeys(noisy, len(piece)))
            self._has_different_sounds |= len(speaking) > 1
        self._channels_in_mix.update(np.flatnonzero(weights).tolist())
        return np.asarray(piece @ (weights / np.abs(weights).sum()).astype(np.float32), np.float32)


def _channel_list(channels: set[int]) -> str:
    numbers = [str(channel + 1) for channel in sorted(channels)]
    return f"channel {numbers[0]} is" if len(numbers) == 1 else f"channels {', '.join(numbers)} are"
