"""Several channels as one, without losing what is said on any of them.

An average is right where the channels agree. It is silence where one is the other turned upside down (a cable with two
wires swapped), it is noise where one is a dead input that hums, and it is half as loud where one is empty. So the
channels are compared, in pieces of `PIECE_S`, before they are added.
"""

from __future__ import annotations

import itertools
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
# Phases are compared second by second: some recorders turn one for a while.
PHASE_S = 1.0
# What leaks into a channel is more like its source than so.
SOFT_SAME = 0.1
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
        for channels, group in itertools.groupby(blocks, lambda block: block.shape[1]):
            self._channel_count = max(self._channel_count, channels)
            mix = self._mix if channels > 1 else self._single
            yield from mix(group)

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

    def _single(self, blocks: Iterable[Block]) -> Iterator[Block]:
        for block in blocks:
            self._samples += len(block)
            self._channels_in_mix.update({0} if block.any() else ())
            yield block[:, 0]

    def _mix(self, blocks: Iterable[Block]) -> Iterator[Block]:
        """Blocks of as many channels each."""
        pending_blocks: list[Block] = []
        pending_samples, piece_samples = 0, round(PIECE_S * self._rate_hz)
        for block in blocks:
            pending_blocks.append(block)
            pending_samples += len(block)
            if pending_samples >= piece_samples:
                yield self._mix_piece(np.concatenate(pending_blocks))
                pending_blocks, pending_samples = [], 0
        if pending_samples:
            yield self._mix_piece(np.concatenate(pending_blocks))

    def _mix_piece(self, piece: Block) -> Block:
        """One piece (samples, channels) as (samples,)."""
        self._samples += len(piece)
        if (piece[:, 1:] == piece[:, :1]).all():
            self._channels_in_mix.update(range(piece.shape[1]) if piece.any() else ())
            return piece[:, 0]
        piece = self._in_phase(piece)
        power = np.einsum("sc,sc->c", piece, piece, dtype=np.float64)
        weights = np.where(power > power.max() * 10 ** (EMPTY_DB / 10), 1.0, 0.0)
        weights[self._soft_voices(piece, power, weights)] = 1.0
        live = np.flatnonzero(weights)
        product = np.einsum("sc,sd->cd", piece[:, live], piece[:, live], dtype=np.float64)
        correlation = product / np.sqrt(np.outer(power[live], power[live]))
        if (np.abs(correlation) < SAME).any():
            shares = {int(c): float(speech_frames(piece[:, c], self._rate_hz).mean()) for c in live}
            speaking = [channel for channel, share in shares.items() if share >= SPOKEN_SHARE]
            noisy = [channel for channel, share in shares.items() if not share and speaking]
            weights[noisy] = 0.0
            self._noisy_samples.update(dict.fromkeys(noisy, len(piece)))
            self._has_different_sounds |= len(speaking) > 1
        self._channels_in_mix.update(np.flatnonzero(weights).tolist())
        return np.asarray(piece @ (weights / weights.sum()).astype(np.float32), np.float32)

    def _in_phase(self, piece: Block) -> Block:
        """The piece with each channel turned, second by second, where it is the first one in opposite phase."""
        turned, size = piece, round(PHASE_S * self._rate_hz)
        for start in range(0, len(piece), size):
            second = piece[start : start + size]
            for channel in range(1, piece.shape[1]):
                product = float(np.dot(second[:, 0], second[:, channel]))
                # Rarely below zero, so that the powers are seldom needed.
                if product < 0 and product < OPPOSITE * np.linalg.norm(second[:, 0]) * np.linalg.norm(
                    second[:, channel]
                ):
                    turned = piece.copy(order="K") if turned is piece else turned
                    turned[start : start + size, channel] *= -1
                    self._inverted_channels.add(channel)
        return turned

    def _soft_voices(self, piece: Block, power: NDArray[np.float64], weights: NDArray[np.float64]) -> list[int]:
        """Channels so soft beside the loudest that they may be empty, on which there is speech that is not its echo."""
        loudest = piece[:, int(power.argmax())]
        return [
            int(channel)
            for channel in np.flatnonzero((weights == 0) & (power > 0))
            if abs(float(np.dot(loudest, piece[:, channel]))) < SOFT_SAME * np.sqrt(power.max() * power[channel])
            and speech_frames(piece[:, channel], self._rate_hz).mean() >= SPOKEN_SHARE
        ]


def _channel_list(channels: set[int]) -> str:
    numbers = [str(channel + 1) for channel in sorted(channels)]
    return f"channel {numbers[0]} is" if len(numbers) == 1 else f"channels {', '.join(numbers)} are"
