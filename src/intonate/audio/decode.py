"""Sound from anywhere, as the rest of the house wants it: float32, one channel, one sample rate.

`load` gives a whole recording, `blocks` an endless one in constant memory; both read through the same stream, so
they agree sample by sample.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from intonate.audio.clipping import Clipping
from intonate.audio.downmix import Downmix
from intonate.audio.listing import AUDIO_SUFFIXES, Listing, find, listing
from intonate.audio.readers import Reader, Sound, Source, check_rate, name_of, open_audio
from intonate.audio.resample import Waveform, resample_blocks
from intonate.cancellation import check
from intonate.errors import AudioError

__all__ = [
    "AUDIO_SUFFIXES",
    "AudioInfo",
    "Listing",
    "Sound",
    "Source",
    "TooLongError",
    "Waveform",
    "blocks",
    "duration_s",
    "find",
    "info",
    "listing",
    "load",
    "name_of",
]

# No sound is this loud (full scale is 1, or 2^31 for integers that were never scaled); its energy would overflow.
LOUDEST = 2.0**32


class TooLongError(AudioError):
    """More sound than was allowed."""


@dataclass(frozen=True, slots=True)
class AudioInfo:
    """What a header says: length in seconds, sample rate in Hz, channels, and the format's name."""

    duration_s: float
    sample_rate_hz: int
    channels: int
    format: str


def load(
    source: Source,
    sample_rate_hz: int = 16_000,
    start_s: float = 0.0,
    end_s: float | None = None,
    longest_s: float | None = None,
    warnings: list[str] | None = None,
) -> Waveform:
    """A recording, or a stretch of it, as mono.

    Args:
        source: a path; the bytes of a file; an open binary file, read from its beginning; or (array, rate) with an
            array (samples,), (samples, channels) or (channels, samples), whose shorter side is the channels, of
            floats (full scale ±1) or int8, int16, int32, uint8; or one of these in a `Sound`, which says more.
        sample_rate_hz: rate of the answer.
        start_s: where to start, seconds.
        end_s: where to stop, seconds; None, or beyond the end, for the end.
        longest_s: refuse more than this, seconds: small files can hold days of silence.
        warnings: a list to which sentences are added about what was not heard: a damaged piece, an end that is
            missing, a channel or a track that was left out; and about sound that is heavily clipped.

    Returns:
        (samples,) float32, finite, at least one sample; channels are averaged. Values beyond ±1 are kept.

    Raises:
        AudioError: the source is missing, empty, not audio, damaged before its first sample, not finite, or too long.
            A file that is cut off or breaks in the middle gives what it holds before that.
    """
    chunks = list(_mono_chunks(source, sample_rate_hz, start_s, end_s, longest_s, warnings))
    return chunks[0] if len(chunks) == 1 else np.concatenate(chunks)


def blocks(
    source: Source, sample_rate_hz: int = 16_000, block_s: float = 30.0, warnings: list[str] | None = None
) -> Iterator[Waveform]:
    """A recording of any length in blocks of `block_s` seconds (the last one shorter), in constant memory.

    Args and errors as in `load`; errors are raised when the first block is asked for, or where the damage lies, and
    the warnings are complete after the last one.
    """
    size = round(block_s * sample_rate_hz)
    if size < 1:
        raise AudioError(f"blocks of {block_s} s hold no samples, expected a longer block")
    return _rechunked(_mono_chunks(source, sample_rate_hz, warnings=warnings), size)


def info(source: Source) -> AudioInfo:
    """Length, rate, channels and format, from the header alone wherever it tells the length.

    Raises:
        AudioError: as in `load`, as far as the header shows it.
    """
    with open_audio(source) as reader:
        frames = reader.frames if reader.frames is not None else sum(map(len, reader.chunks(0)))
        return AudioInfo(frames / reader.sample_rate_hz, reader.sample_rate_hz, reader.channels, reader.format)


def duration_s(source: Source) -> float:
    """Length in seconds (see `info`)."""
    return info(source).duration_s


def _mono_chunks(
    source: Source,
    sample_rate_hz: int,
    start_s: float = 0.0,
    end_s: float | None = None,
    longest_s: float | None = None,
    warnings: list[str] | None = None,
) -> Iterator[Waveform]:
    """Mono at the asked rate, in chunks of any size but zero; at least one."""
    to_hz = check_rate(sample_rate_hz, "the answer")
    with open_audio(source) as reader:
        downmix, clipping = Downmix(reader.name, reader.sample_rate_hz), Clipping()
        channel = source.channel if isinstance(source, Sound) else None
        stretch = _checked_stretch(reader, start_s, end_s, longest_s)
        if channel is not None:
            stretch = _select_channel(stretch, channel, reader)
        mono = downmix.mono(stretch if warnings is None else clipping.watched(stretch))
        yield from resample_blocks(mono, reader.sample_rate_hz, to_hz)
        if warnings is not None:
            warnings += [*reader.warnings, *downmix.warnings(), *clipping.warnings(reader.name, channel)]


def _select_channel(
    blocks: Iterator[NDArray[np.float32]], channel: int, reader: Reader
) -> Iterator[NDArray[np.float32]]:
    """One of the channels, (samples, 1); of a part with fewer, the one that stands in its place."""
    if not 1 <= channel <= reader.channels:
        have = "one channel" if reader.channels == 1 else f"{reader.channels} channels"
        raise AudioError(f"{reader.name} has {have}, so there is no channel {channel}")
    for block in blocks:
        if block.shape[1] > reader.channels and (text := _later_channels(reader, block)) not in reader.warnings:
            reader.warnings.append(text)
        place = (channel - 1) % block.shape[1]
        yield block[:, place : place + 1]


def _later_channels(reader: Reader, block: NDArray[np.float32]) -> str:
    return (
        f"{reader.name} changes from {reader.channels} to {block.shape[1]} channels: what the others hold was "
        "not heard; leave the choice of a channel out"
    )


def _checked_stretch(
    reader: Reader, start_s: float, end_s: float | None, longest_s: float | None
) -> Iterator[NDArray[np.float32]]:
    """A stretch of a sound, (samples, channels), checked."""
    rate = reader.sample_rate_hz
    if not (0 <= start_s < math.inf) or (end_s is not None and not end_s > start_s):
        raise AudioError(f"{start_s} to {end_s} s is not a stretch of {reader.name}, expected 0 <= start < end")
    first_frame = round(start_s * rate)
    end_frame = math.inf if end_s is None or end_s == math.inf else max(round(end_s * rate), first_frame + 1)
    longest_frames = math.inf if longest_s is None else longest_s * rate
    if reader.frames is not None and min(reader.frames, end_frame) - first_frame > longest_frames:
        raise _too_long_error(reader, longest_s)
    read_frames = 0
    for chunk in reader.chunks(first_frame):
        check()
        stretch = chunk[: None if end_frame == math.inf else int(end_frame) - first_frame - read_frames]
        _check_values(stretch, reader.name)
        read_frames += len(stretch)
        if read_frames > longest_frames:
            raise _too_long_error(reader, longest_s)
        yield stretch
        if read_frames >= end_frame - first_frame:
            return
    if not read_frames and first_frame:
        raise AudioError(f"{reader.name} ends before {start_s:g} s, where it should start")
    if not read_frames:
        raise AudioError(f"{reader.name} holds no samples")


def _check_values(chunk: NDArray[np.float32], name: str) -> None:
    """Refuse what is not finite, or no sound."""
    # Written so that NaN fails it too.
    if not (chunk.size == 0 or (chunk.min() >= -LOUDEST and chunk.max() <= LOUDEST)):
        if np.isfinite(chunk).all():
            raise AudioError(f"{name} holds values of {np.abs(chunk).max():.0e}, expected a full scale of 1")
        raise AudioError(f"{name} holds values that are not finite (NaN or infinite)")


def _too_long_error(reader: Reader, longest_s: float | None) -> TooLongError:
    return TooLongError(f"{reader.name} is longer than the limit of {longest_s:g} s")


def _rechunked(chunks: Iterable[Waveform], size: int) -> Iterator[Waveform]:
    """The same samples in parts of exactly `size`, the last one shorter."""
    pending: list[Waveform] = []
    pending_samples = 0
    for chunk in chunks:
        pending.append(chunk)
        pending_samples += len(chunk)
        while pending_samples >= size:
            samples = np.concatenate(pending)
            yield samples[:size].copy()
            pending, pending_samples = [samples[size:]], pending_samples - size
    if pending_samples:
        yield np.concatenate(pending)
