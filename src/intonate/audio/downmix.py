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
from intonate.audio.leaks import SAME_CORRELATION
from intonate.audio.voice import voice_frames

Block = NDArray[np.float32]
Spectrum = NDArray[np.complex64]

# What is compared at a time: long enough for a sentence, short enough for memory.
PIECE_S = 10.0
# Correlation of two channels: below the first they are one sound with opposite phases; above the second the same sound.
OPPOSITE, SAME = -0.5, 0.5
# They are compared in the band of a telephone, Hz: an offset, the hum of the mains or a whistle above all speech, which
# channels share, is no voice.
BAND_HZ = (300.0, 3_400.0)
# Phases are compared second by second: some recorders turn one for a while.
PHASE_S = 1.0
# Two microphones hear one voice so far apart at most, seconds.
LATE_S = 0.05
# Of that voice the microphones are as loud as ever beside each other, but for so much, in each second that is no pause:
# shares of the power.
NEARER, LOUD = 16.0, 0.01
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
        spectra, products = self._spectra(piece)
        late = self._late_channels(spectra, products)
        piece, products = self._in_phase(piece, products, late)
        power = np.einsum("sc,sc->c", piece, piece, dtype=np.float64)
        weights = np.where(power > power.max() * 10 ** (EMPTY_DB / 10), 1.0, 0.0)
        weights[self._soft_voices(piece, power, products, weights)] = 1.0
        if late:  # of one sound, the loudest channel; what is heard on it is in the mix
            one_sound = [0, *late]
            self._channels_in_mix.update(one_sound)
            weights[one_sound] = 0.0
            weights[max(one_sound, key=lambda channel: power[channel])] = 1.0
        live = np.flatnonzero(weights)
        if not (np.abs(products) > SAME * _highest(products))[np.ix_(live, live)].all():
            shares = {int(channel): self._speech_share(piece[:, channel]) for channel in live}
            speaking = [channel for channel, share in shares.items() if share >= SPOKEN_SHARE]
            noisy = [channel for channel, share in shares.items() if not share and speaking]
            weights[noisy] = 0.0
            self._noisy_samples.update(dict.fromkeys(noisy, len(piece)))
            self._has_different_sounds |= len(speaking) > 1
        self._channels_in_mix.update(np.flatnonzero(weights).tolist())
        return np.asarray(piece @ (weights / weights.sum()).astype(np.float32), np.float32)

    def _spectra(self, piece: Block) -> tuple[list[Spectrum], NDArray[np.float64]]:
        """The spectrum of each second, (frequencies, channels), zero outside the band of speech.

        Also the products of the channels in each, (seconds, channels, channels).
        """
        spectra, products, size = [], [], round(PHASE_S * self._rate_hz)
        window = np.zeros(0, np.float32)
        for start in range(0, len(piece), size):
            second = piece[start : start + size]
            if len(window) != len(second):  # the last is shorter
                window = np.hanning(len(second)).astype(np.float32)
            spectrum = np.asarray(np.fft.rfft(second * window[:, None], axis=0), np.complex64)
            low, high = (round(hz * len(second) / self._rate_hz) for hz in BAND_HZ)
            spectrum[:low] = spectrum[high:] = 0
            spectra.append(spectrum)
            products.append((spectrum[low:high].conj().T @ spectrum[low:high]).real)
        return spectra, np.array(products, np.float64)

    def _late_channels(self, spectra: list[Spectrum], products: NDArray[np.float64]) -> list[int]:
        """Channels with the sound of the first one a little sooner or later, which would make a comb of it in a sum."""
        reach, late = round(LATE_S * self._rate_hz), []
        highest = _highest(products).sum(axis=0)[0]
        is_unlike = (products[:, 0] < 0).any(axis=0) | (products[:, 0].sum(axis=0) < SAME * highest)
        for channel in np.flatnonzero(is_unlike & (highest > 0)).tolist():
            common = np.zeros(2 * reach + 1)
            for length, seconds in itertools.groupby(spectra, len):
                if length > reach + 1:
                    # Their sum is turned back at once, which costs a tenth.
                    cross = sum(spectrum[:, 0].conj() * spectrum[:, channel] for spectrum in seconds)
                    common += np.roll(np.fft.irfft(cross) * (length - 1), reach)[: len(common)]
            shift = int(np.abs(common).argmax()) - reach
            if shift and abs(common[shift + reach]) > SAME_CORRELATION * highest[channel]:
                power = np.diagonal(products, axis1=1, axis2=2)[:, [0, channel]]
                is_loud = (power > LOUD * power.max(axis=0)).any(axis=1)
                # Who speaks into one of them alone is louder there by far; one voice is not, now here and now there.
                ratios = power[is_loud, 0] / np.maximum(power[is_loud, 1], 1e-30)
                if ratios.max() < NEARER * ratios.min():
                    late.append(channel)
        return late

    def _in_phase(
        self, piece: Block, products: NDArray[np.float64], late: list[int]
    ) -> tuple[Block, NDArray[np.float64]]:
        """The piece with each channel turned, second by second, where it is the first one in opposite phase.

        Also the products of the channels in all of it, (channels, channels).
        """
        is_opposite = products[:, 0] < OPPOSITE * _highest(products)[:, 0]
        is_opposite[:, late] = False
        if is_opposite.any():
            self._inverted_channels.update(np.flatnonzero(is_opposite.any(axis=0)).tolist())
            signs = np.where(is_opposite, np.float32(-1), np.float32(1))
            piece = piece * np.repeat(signs, round(PHASE_S * self._rate_hz), axis=0)[: len(piece)]
            products = products * signs[:, :, None] * signs[:, None, :]
        return piece, products.sum(axis=0)

    def _soft_voices(
        self, piece: Block, power: NDArray[np.float64], products: NDArray[np.float64], weights: NDArray[np.float64]
    ) -> list[int]:
        """Channels so soft beside the loudest that they may be empty, on which there is speech that is not its echo."""
        loudest = int(power.argmax())
        is_other = np.abs(products[loudest]) < SOFT_SAME * _highest(products)[loudest]
        return [
            int(channel)
            for channel in np.flatnonzero((weights == 0) & (power > 0) & is_other)
            if self._speech_share(piece[:, channel]) >= SPOKEN_SHARE
        ]

    def _speech_share(self, channel: Block) -> float:
        """How much of a channel (samples,) is speech, 0 to 1, at whatever level somebody speaks there."""
        share = speech_frames(channel, self._rate_hz).mean()
        return float(share or voice_frames(channel, self._rate_hz).mean())


def _highest(products: NDArray[np.float64]) -> NDArray[np.float64]:
    """The products (…, channels, channels) that channels as loud as these would have if they were one sound."""
    norms = np.sqrt(np.diagonal(products, axis1=-2, axis2=-1))
    return norms[..., :, None] * norms[..., None, :]


def _channel_list(channels: set[int]) -> str:
    numbers = [str(channel + 1) for channel in sorted(channels)]
    return f"channel {numbers[0]} is" if len(numbers) == 1 else f"channels {', '.join(numbers)} are"
