"""What libsndfile reads: WAV, FLAC, Ogg Vorbis and Opus, MP3, AIFF, CAF, AU…, and samples without a header."""

from __future__ import annotations

import contextlib
import math
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
import soundfile

from intonate.audio.reader import CHUNK_SAMPLES, Block, Reader, check_rate, is_narrow, narrow_warning, shortfall
from intonate.errors import AudioError

# libsndfile's word for "the header does not say how many" is 2^63 - 1.
UNKNOWN_FRAMES = 2**62
# A decoder that lost its way is set down behind the damage: this many samples on, then twice as many, and so on.
FIRST_LEAP = 1024
# It does so no more often than this in one file.
MOST_BREAKS = 200
# What libsndfile notes about damage that it passed over.
DAMAGE = re.compile(r"ERROR|reports a hole|Skipped \d+ bytes looking")
# What it notes where a header counts more than there is, of kinds that it alone knows; and how many samples that were.
SHORTER = re.compile(r"should be|truncated|does not match")
COUNT = re.compile(r"(?:Frames|Cols|OneShotHiSamples)\s*: (\d+)")
COUNTED_FORMATS = frozenset({"AVR", "MPC2K", "MAT4", "MAT5", "SVX", "WVE"})
# Kinds of which nothing counts the samples: bytes of the header, behind which whole samples stand, of so many bytes.
HEADER_BYTES = {"IRCAM": 1024, "PAF": 2048}
SAMPLE_BYTES = {"PCM_S8": 1, "PCM_16": 2, "PCM_24": 32, "PCM_32": 4, "FLOAT": 4}
# Codecs with a delay may end some samples early without any harm, seconds; these containers count their samples, where
# one of PCM counts in the blocks of its codec.
LOSSY_SLACK_S = 0.06
COUNTING_FORMATS = frozenset({"OGG", "MP3", "FLAC"})
# Nothing in these counts the samples: libmpg123 guesses by the bit rate of the first frame.
GUESSED_SUBTYPES = frozenset({"MPEG_LAYER_I", "MPEG_LAYER_II"})
# The subtypes of libsndfile that have none begin so.
LOSSLESS = ("PCM_", "FLOAT", "DOUBLE", "ULAW", "ALAW", "ALAC")
# Words in libsndfile's errors that blame the codec, and not the file.
CODING_WORDS = ("encoding", "unsupported", "unimplemented", "not implemented")
# libsndfile's error for what it does not know; and those of Sound Designer II, whose header is a file of its own: in a
# stream it looks for `._` in the working folder, and where one lies there (SoX leaves some) it takes any file for that.
NOT_RECOGNISED, SD2_CODES = 1, range(148, 155)
NO_KNOWN_FORMAT = "is not audio in a format that is known"
CONVERT = "; if a player plays it, convert it first, e.g. by ffmpeg"


class UnknownFormatError(AudioError):
    """libsndfile cannot open it; another decoder may."""

    def __init__(self, message: str, is_coding: bool) -> None:
        super().__init__(message)
        self.is_coding = is_coding


def open_sndfile(
    view: BinaryIO,
    name: str,
    stack: contextlib.ExitStack,
    promise: float = 1.0,
    least: int = 0,
    raw: dict[str, Any] | None = None,
) -> Reader:
    """A reader of a file that libsndfile knows.

    Args:
        view: the file.
        name: what messages call it.
        stack: closes it.
        promise: how many times as much its header promises as is there (`streams.Part`).
        least: samples per channel that it promises at the very least.
        raw: format, rate and channels for `soundfile.SoundFile`, of samples without a header.

    Raises:
        UnknownFormatError: libsndfile does not know it.
        AudioError: it has no channels or an impossible rate.
    """
    source = _ReopenableFile(view, name, stack, raw or {})
    file = source.file
    if file.channels < 1:
        raise AudioError(f"{name} has no channels")
    rate = check_rate(file.samplerate, name)
    frames = file.frames if file.frames < UNKNOWN_FRAMES else None
    # soundfile looks them up anew each time.
    container, subtype = file.format, file.subtype
    is_lossy = not subtype.startswith(LOSSLESS)
    if subtype in GUESSED_SUBTYPES and least:
        frames = least
    slack_s = LOSSY_SLACK_S if is_lossy and container not in COUNTING_FORMATS else 0.0
    if container in COUNTED_FORMATS:
        least = max([least, *map(int, COUNT.findall(file.extra_info))])
    if _is_cut(file, container, subtype, view) and least <= file.frames:
        promise = math.nan
    warnings: list[str] = []

    def chunks(first_frame: int) -> Iterator[Block]:
        counts = _DecodingCounts()
        highest = _narrow_highest(source) if subtype == "PCM_32" and frames is not None else 0
        if highest:
            warnings.append(narrow_warning(name, highest))
        try:
            blocks = _decoded_blocks(source, first_frame, frames is not None, counts)
            yield from ((block * np.float32(2**16) for block in blocks) if highest else blocks)
        except soundfile.LibsndfileError as error:
            second = f"second {first_frame / rate:g}"
            raise AudioError(f"{name} is damaged: {second} of it cannot be reached") from error
        if not counts.frames and counts.breaks:
            raise AudioError(f"{name} is damaged: no sound could be decoded from it")
        if frames is None and counts.breaks and view.read(1):
            warnings.append(shortfall(name, counts.frames / rate, math.nan))
        elif frames is not None and first_frame < frames:
            promised = (max(frames, least) - first_frame) * promise
            if not promised - counts.frames < max(1, slack_s * rate):
                warnings.append(shortfall(name, counts.frames / rate, promised / rate))
                return
        if counts.has_gaps or (is_lossy and DAMAGE.search(source.file.extra_info)):
            decoded_s = counts.frames / rate
            warnings.append(f"{name} is damaged: {decoded_s:.2f} s were decoded, not all of them as they were")

    return Reader(name, rate, file.channels, frames, container, chunks, warnings)


def _is_cut(file: soundfile.SoundFile, container: str, subtype: str, view: BinaryIO) -> bool:
    """Whether a file of a rare kind is shorter than its header says, or ends within a sample."""
    if container in COUNTED_FORMATS:
        return SHORTER.search(file.extra_info) is not None
    sample_bytes = SAMPLE_BYTES.get(subtype)
    if container not in HEADER_BYTES or sample_bytes is None:
        return False
    position = view.tell()
    size = view.seek(0, os.SEEK_END)
    view.seek(position)
    return bool((size - HEADER_BYTES[container]) % (sample_bytes * file.channels))


class _ForwardFile(soundfile.SoundFile):  # type: ignore[misc]
    """A file that goes on where it is.

    Of one that can seek, soundfile sets the place anew after each read, and libmpg123 then lacks what earlier frames of
    an MP3 hold of the next one: a wrong sound there, and an error in the log.
    """

    def seekable(self) -> bool:
        return False


class _ReopenableFile:
    """A file of libsndfile that can be opened anew behind damage, which leaves a decoder useless.

    Raises:
        UnknownFormatError: libsndfile does not know it.
    """

    def __init__(self, view: BinaryIO, name: str, stack: contextlib.ExitStack, raw: dict[str, Any]) -> None:
        self._view, self._stack, self._raw = view, stack, raw
        try:
            self.file = self._open()
        except soundfile.LibsndfileError as error:
            is_known_format = error.code not in (NOT_RECOGNISED, *SD2_CODES)
            told = error if is_known_format else soundfile.LibsndfileError(NOT_RECOGNISED)
            reason = told.error_string.strip(" .")
            problem = "is damaged: its header cannot be read" if is_known_format else NO_KNOWN_FORMAT
            is_coding = any(word in reason.lower() for word in CODING_WORDS)
            raise UnknownFormatError(
                f"{name} {problem} ({reason}){'' if is_known_format else CONVERT}", is_coding
            ) from error

    def _open(self) -> soundfile.SoundFile:
        self._view.seek(0)
        return self._stack.enter_context(_ForwardFile(self._view, **self._raw))

    def reopen(self, frame: int) -> None:
        """Go on at a frame; where that cannot be reached, the next read breaks as well."""
        with contextlib.suppress(soundfile.LibsndfileError):
            self.file.close()
            self.file = self._open()
            self.file.seek(frame)


@dataclass(slots=True)
class _DecodingCounts:
    """What came of decoding: frames of sound, how often the decoder broke, whether it went on behind a break."""

    frames: int = 0
    breaks: int = 0
    has_gaps: bool = False


def _decoded_blocks(
    source: _ReopenableFile, first_frame: int, has_length: bool, counts: _DecodingCounts
) -> Iterator[Block]:
    """The sound from a frame on; what cannot be decoded is silence, if there is sound behind it.

    Raises:
        soundfile.LibsndfileError: the first frame cannot be reached.
    """
    size, total = max(1, CHUNK_SAMPLES // source.file.channels), source.file.frames
    position, gap, leap = min(first_frame, total), 0, 0
    if first_frame:
        source.file.seek(position)
    while position < total:
        chunk, is_broken = _read_chunk(source.file, min(size, total - position))
        if len(chunk):
            if gap:
                yield np.zeros((gap, chunk.shape[1]), np.float32)
            yield chunk
            position, gap, leap = position + len(chunk), 0, 0
            counts.frames += len(chunk)
        elif not is_broken:
            return
        if not is_broken:
            continue
        counts.breaks += 1
        if not has_length or counts.breaks > MOST_BREAKS:
            return
        # Damage: go on right behind what was read, or, where that gives nothing, further and further behind it.
        leap = 0 if len(chunk) else max(FIRST_LEAP, 2 * leap)
        position, gap = position + leap, gap + leap
        counts.has_gaps = True
        source.reopen(min(position, total))


def _narrow_highest(source: _ReopenableFile) -> int:
    """The highest of integers of 32 bits that are most likely of 16 bits; 0 where a sample shows that they are not."""
    lowest = highest = 0
    is_of_24_bits = True
    for block in _decoded_blocks(source, 0, True, _DecodingCounts()):
        lowest, highest = min(lowest, round(block.min() * 2.0**31)), max(highest, round(block.max() * 2.0**31))
        is_of_24_bits = is_of_24_bits and not (block * 2.0**31 % 256).any()
        if lowest < -(2**15) or highest >= 2**15:
            break
    source.reopen(0)
    return highest if is_narrow(lowest, highest, is_of_24_bits) else 0


def _read_chunk(file: soundfile.SoundFile, size: int) -> tuple[Block, bool]:
    """Up to `size` frames, and whether the decoder broke in the middle of them."""
    # NaN marks what libsndfile did not come to write: a broken codec stops in the middle of a read.
    chunk: Block = np.full((size, file.channels), np.nan, np.float32)
    try:
        return file.read(out=chunk), False
    except soundfile.LibsndfileError:
        is_unwritten = np.isnan(chunk[:, 0])
        return chunk[: int(np.argmax(is_unwritten))] if is_unwritten.any() else chunk, True
