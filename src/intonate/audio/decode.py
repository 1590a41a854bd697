"""Sound from anywhere, as the rest of the house wants it: float32, one channel, one sample rate.

`load` gives a whole recording, `blocks` an endless one in constant memory; both read through the same stream, so
they agree sample by sample.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from intonate.audio.readers import Reader, Source, check_rate, name_of, open_audio
from intonate.audio.resample import Waveform, resample_blocks
from intonate.errors import AudioError

__all__ = [
    "AUDIO_SUFFIXES",
    "AudioInfo",
    "Source",
    "Waveform",
    "blocks",
    "duration_s",
    "find",
    "info",
    "load",
    "name_of",
]

# What libsndfile reads, and what PyAV (the `media` extra) reads.
_SNDFILE = (".wav", ".wave", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".aifc", ".au", ".caf", ".w64")
_MEDIA = (".webm", ".mkv", ".mka", ".m4a", ".m4b", ".mp4", ".mov", ".3gp", ".aac", ".wma", ".amr")
AUDIO_SUFFIXES: frozenset[str] = frozenset(_SNDFILE + _MEDIA)
# No sound is this loud (full scale is 1, or 2^31 for integers that were never scaled); its energy would overflow.
LOUDEST = 2.0**32


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
) -> Waveform:
    """A recording, or a stretch of it, as mono.

    Args:
        source: a path; the bytes of a file; an open binary file, read from its beginning; or (array, rate) with an
            array (samples,), (samples, channels) or (channels, samples), whose shorter side is the channels, of
            floats (full scale ±1) or int8, int16, int32, uint8.
        sample_rate_hz: rate of the answer.
        start_s: where to start, seconds.
        end_s: where to stop, seconds; None, or beyond the end, for the end.
        longest_s: refuse more than this, seconds: small files can hold days of silence.

    Returns:
        (samples,) float32, finite, at least one sample; channels are averaged. Values beyond ±1 are kept.

    Raises:
        AudioError: the source is missing, empty, not audio, damaged before its first sample, not finite, or too long.
            A file that is cut off or breaks in the middle gives what it holds before that.
    """
    parts = list(_stream(source, sample_rate_hz, start_s, end_s, longest_s))
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def blocks(source: Source, sample_rate_hz: int = 16_000, block_s: float = 30.0) -> Iterator[Waveform]:
    """A recording of any length in blocks of `block_s` seconds (the last one shorter), in constant memory.

    Args and errors as in `load`; they are raised when the first block is asked for, or where the damage lies.
    """
    size = round(block_s * sample_rate_hz)
    if size < 1:
        raise AudioError(f"blocks of {block_s} s hold no samples, expected a longer block")
    return _rechunked(_stream(source, sample_rate_hz), size)


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


def find(path: str | os.PathLike[str]) -> list[Path]:
    """The audio files under a folder, sorted, hidden ones left out; or the file itself, whatever its suffix.

    Raises:
        AudioError: there is no such file or folder, or no audio in the folder.
    """
    root = Path(path)
    if root.is_dir():
        found = sorted(
            file
            for file in root.rglob("*")
            if file.suffix.lower() in AUDIO_SUFFIXES and not file.name.startswith(".") and file.is_file()
        )
        if not found:
            raise AudioError(f"{root} is a folder without audio (looked for {', '.join(sorted(AUDIO_SUFFIXES))})")
        return found
    if not root.exists():
        raise AudioError(f"{root} does not exist")
    return [root]


def _stream(
    source: Source,
    sample_rate_hz: int,
    start_s: float = 0.0,
    end_s: float | None = None,
    longest_s: float | None = None,
) -> Iterator[Waveform]:
    """Mono at the asked rate, in chunks of any size but zero; at least one."""
    to_hz = check_rate(sample_rate_hz, "the answer")
    with open_audio(source) as reader:
        yield from resample_blocks(_mono(reader, start_s, end_s, longest_s), reader.sample_rate_hz, to_hz)


def _mono(reader: Reader, start_s: float, end_s: float | None, longest_s: float | None) -> Iterator[Waveform]:
    """A stretch of a sound, channels averaged, checked."""
    rate = reader.sample_rate_hz
    if not (0 <= start_s < math.inf) or (end_s is not None and not end_s > start_s):
        raise AudioError(f"{start_s} to {end_s} s is not a stretch of {reader.name}, expected 0 <= start < end")
    first = round(start_s * rate)
    last = math.inf if end_s is None or end_s == math.inf else max(round(end_s * rate), first + 1)
    most = math.inf if longest_s is None else longest_s * rate
    if reader.frames is not None and min(reader.frames, last) - first > most:
        raise _too_long(reader, longest_s)
    taken = 0
    for chunk in reader.chunks(first):
        mono = _downmixed(chunk[: None if last == math.inf else int(last) - first - taken], reader.name)
        taken += len(mono)
        if taken > most:
            raise _too_long(reader, longest_s)
        yield mono
        if taken >= last - first:
            return
    if not taken and first:
        raise AudioError(f"{reader.name} ends before {start_s:g} s, where it should start")
    if not taken:
        raise AudioError(f"{reader.name} holds no samples")


def _downmixed(chunk: NDArray[np.float32], name: str) -> Waveform:
    """(samples, channels) to (samples,), refusing what is not finite."""
    with np.errstate(all="ignore"):
        mono: Waveform = chunk[:, 0] if chunk.shape[1] == 1 else chunk.mean(axis=1)
        # Written so that NaN fails it too.
        if not (len(mono) == 0 or (mono.min() >= -LOUDEST and mono.max() <= LOUDEST)):
            if np.isfinite(mono).all():
                raise AudioError(f"{name} holds values of {np.abs(mono).max():.0e}, expected a full scale of 1")
            raise AudioError(f"{name} holds values that are not finite (NaN or infinite)")
    return mono


def _too_long(reader: Reader, longest_s: float | None) -> AudioError:
    return AudioError(f"{reader.name} is longer than the limit of {longest_s:g} s")


def _rechunked(parts: Iterable[Waveform], size: int) -> Iterator[Waveform]:
    """The same samples in parts of exactly `size`, the last one shorter."""
    held: list[Waveform] = []
    count = 0
    for part in parts:
        held.append(part)
        count += len(part)
        while count >= size:
            joined = np.concatenate(held)
            yield joined[:size].copy()
            held, count = [joined[size:]], count - size
    if count:
        yield np.concatenate(held)
