"""What libsndfile reads: WAV, FLAC, Ogg Vorbis and Opus, MP3, AIFF, CAF, AU…, and samples without a header."""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Iterator
from typing import Any, BinaryIO

import numpy as np
import soundfile

from intonate.audio.reader import CHUNK_SAMPLES, Block, Reader, check_rate, shortfall
from intonate.errors import AudioError

# libsndfile's word for "the header does not say how many" is 2^63 - 1.
UNKNOWN_FRAMES = 2**62
# A decoder that lost its way is set down behind the damage: this many samples on, then twice as many, and so on.
FIRST_LEAP = 1024
# It does so no more often than this in one file.
MOST_BREAKS = 200
# What libsndfile notes about damage that it passed over.
DAMAGE = re.compile(r"ERROR|reports a hole|Skipped \d+ bytes looking")
# Codecs with a delay may end some samples early without any harm, seconds.
LOSSY_SLACK_S = 0.06
# The subtypes of libsndfile that have none begin so.
LOSSLESS = ("PCM_", "FLOAT", "DOUBLE", "ULAW", "ALAW", "ALAC")


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

    def opened() -> soundfile.SoundFile:
        view.seek(0)
        return stack.enter_context(soundfile.SoundFile(view, **(raw or {})))

    try:
        file = opened()
    except soundfile.LibsndfileError as error:
        reason = error.error_string.strip(" .")
        known = "Format not recognised" not in error.error_string
        what = "is damaged: its header cannot be read" if known else "is not audio in a format that is known"
        coding = any(word in reason.lower() for word in ("encoding", "unsupported", "unimplemented", "not implemented"))
        raise UnknownFormatError(f"{name} {what} ({reason})", coding) from error
    if file.channels < 1:
        raise AudioError(f"{name} has no channels")
    rate = check_rate(file.samplerate, name)
    frames = file.frames if file.frames < UNKNOWN_FRAMES else None
    warnings: list[str] = []

    def chunks(first: int) -> Iterator[Block]:
        nonlocal file
        is_lossy = not file.subtype.startswith(LOSSLESS)
        # Ogg and MP3 count their samples; in a container of PCM, a codec counts in its blocks.
        slack = LOSSY_SLACK_S * rate if is_lossy and file.format not in ("OGG", "MP3", "FLAC") else 0.0
        size, total = max(1, CHUNK_SAMPLES // file.channels), file.frames
        at, heard, gap, leap, breaks, is_damaged = min(first, total), 0, 0, 0, 0, False
        try:
            if first:
                file.seek(at)
        except soundfile.LibsndfileError as error:
            raise AudioError(f"{name} is damaged: second {first / rate:g} of it cannot be reached") from error
        while at < total:
            chunk, is_broken = _read(file, min(size, total - at))
            if len(chunk):
                if gap:
                    yield np.zeros((gap, chunk.shape[1]), np.float32)
                yield chunk
                at, heard, gap, leap = at + len(chunk), heard + len(chunk), 0, 0
            elif not is_broken:
                break
            if not is_broken:
                continue
            breaks += 1
            if frames is None or breaks > MOST_BREAKS:
                break
            # Damage: go on right behind what was read, or, where that gives nothing, further and further behind it.
            leap = 0 if len(chunk) else max(FIRST_LEAP, 2 * leap)
            at, gap = at + leap, gap + leap
            is_damaged = True
            with contextlib.suppress(soundfile.LibsndfileError):  # the next read breaks as well
                file.close()
                file = opened()
                file.seek(min(at, total))
        if not heard and breaks:
            raise AudioError(f"{name} is damaged: no sound could be decoded from it")
        if frames is None and breaks and view.read(1):
            warnings.append(shortfall(name, heard / rate, math.nan))
        elif frames is not None and first < frames:
            promised = (max(frames, least) - first) * promise
            if not promised - heard < max(1, slack):
                warnings.append(shortfall(name, heard / rate, promised / rate))
                return
        if is_damaged or (is_lossy and DAMAGE.search(file.extra_info)):
            warnings.append(f"{name} is damaged: {heard / rate:.2f} s were decoded, not all of them as they were")

    return Reader(name, rate, file.channels, frames, file.format, chunks, warnings)


def _read(file: soundfile.SoundFile, size: int) -> tuple[Block, bool]:
    """Up to `size` frames, and whether the decoder broke in the middle of them."""
    # NaN marks what libsndfile did not come to write: a broken codec stops in the middle of a read.
    chunk: Block = np.full((size, file.channels), np.nan, np.float32)
    try:
        return file.read(out=chunk), False
    except soundfile.LibsndfileError:
        missing = np.isnan(chunk[:, 0])
        return chunk[: int(np.argmax(missing))] if missing.any() else chunk, True
