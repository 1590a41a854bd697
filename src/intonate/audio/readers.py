"""Open anything that holds sound, and read it in chunks: the one place that touches files and codecs.

libsndfile reads first, PyAV (`media.py`) what it does not know. libsndfile is given a stream, never a path: given a
path it takes any text named `.au` or `.vox` for headerless samples.
"""

from __future__ import annotations

import contextlib
import io
import itertools
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

import numpy as np
import soundfile
from numpy.typing import NDArray

from intonate.audio import media
from intonate.errors import AudioError

Source: TypeAlias = str | os.PathLike[str] | bytes | BinaryIO | tuple[Any, int]

# One read holds this many samples, all channels together: 1 MiB of float32, 16 s of mono at 16 kHz.
CHUNK_SAMPLES = 2**18
# The rates that sound is recorded at. A header that claims 1 Hz would make 16,000 samples of each of its own.
LOWEST_RATE_HZ, HIGHEST_RATE_HZ = 1_000, 768_000
# A pipe cannot be read twice, so it is kept in memory: up to this many bytes, 3 hours of 48 kHz 16-bit stereo.
LARGEST_PIPE_BYTES = 2 * 2**30
# libsndfile's word for "the header does not say how many" is 2^63 - 1.
UNKNOWN_FRAMES = 2**62


@dataclass(frozen=True, slots=True)
class Reader:
    """An open sound.

    Attributes:
        name: what messages call it.
        sample_rate_hz: its own rate.
        channels: how many.
        frames: samples per channel as the header claims; None where it does not say.
        format: e.g. `WAV`, `FLAC`, `matroska`, `array`.
        chunks: `chunks(first_frame)` yields (samples, channels) float32, full scale ±1, about `CHUNK_SAMPLES` each.
    """

    name: str
    sample_rate_hz: int
    channels: int
    frames: int | None
    format: str
    chunks: Callable[[int], Iterator[NDArray[np.float32]]]


def name_of(source: object) -> str:
    """What messages call a source: its path, `<stdin>`, `<bytes>`, `<array>` or `<file>`."""
    if isinstance(source, str | os.PathLike):
        return str(os.fspath(source))
    if isinstance(source, bytes | bytearray | memoryview):
        return "<bytes>"
    if isinstance(source, tuple):
        return "<array>"
    name = getattr(source, "name", None)
    return name if isinstance(name, str) and name else "<file>"


def check_rate(rate_hz: Any, name: str) -> int:
    """A usable sample rate, Hz.

    Raises:
        AudioError: it is not a whole number, or no rate that sound is recorded at.
    """
    try:
        rate = int(rate_hz)
        if rate == rate_hz and LOWEST_RATE_HZ <= rate <= HIGHEST_RATE_HZ:
            return rate
    except (TypeError, ValueError, OverflowError):
        pass
    shown = rate_hz if isinstance(rate_hz, int | float) else type(rate_hz).__name__
    raise AudioError(
        f"the sample rate of {name} is {shown}, expected a whole number of Hz "
        f"from {LOWEST_RATE_HZ} to {HIGHEST_RATE_HZ}"
    )


@contextlib.contextmanager
def open_audio(source: Source) -> Iterator[Reader]:
    """Open a source; it is closed at the end, unless it was an open file that was passed in.

    Raises:
        AudioError: there is no sound in it that can be read.
    """
    name = name_of(source)
    if isinstance(source, tuple):
        yield _array_reader(source, name)
        return
    with contextlib.ExitStack() as stack:
        stream = _stream(source, name, stack)
        head = stream.read(media.HEAD_BYTES)
        stream.seek(0)
        if not head:
            raise AudioError(f"{name} is empty (0 bytes)")
        kind = media.container(head)
        yield _media_reader(stream, name, kind, stack) if kind else _sndfile_reader(stream, name, stack)


class _Seekable(io.BufferedIOBase):
    """A binary stream as libsndfile's callbacks want it: damaged headers ask for places before the start."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def read(self, size: int | None = -1, /) -> bytes:
        return self._stream.read(-1 if size is None else size)

    def tell(self) -> int:
        return self._stream.tell()

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        try:
            return self._stream.seek(offset, whence)
        except (OSError, ValueError, OverflowError):
            return self._stream.tell()

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True


def _stream(source: Any, name: str, stack: contextlib.ExitStack) -> BinaryIO:
    """A seekable stream at its beginning."""
    if isinstance(source, bytes | bytearray | memoryview):
        return io.BytesIO(source)
    if isinstance(source, str | os.PathLike):
        stream, regular = _open_path(name, stack)
    elif hasattr(source, "read"):
        stream, regular = source, None
    else:
        raise AudioError(
            f"{type(source).__name__} is not a source of sound, expected a path, bytes, a binary file or (array, rate)"
        )
    try:
        if regular is None:
            # Some file-likes (a spooled upload, before Python 3.11) have no `seekable`.
            regular = bool(stream.seekable()) if hasattr(stream, "seekable") else hasattr(stream, "seek")
        if regular:
            stream.seek(0)
        held = stream.read(0) if regular else stream.read(LARGEST_PIPE_BYTES + 1)
    except (OSError, ValueError) as error:
        raise AudioError(f"{name} cannot be read: {error}") from error
    if not isinstance(held, bytes):
        raise AudioError(f"{name} is opened as text, expected a binary file; mend it with: open(…, 'rb')")
    if regular:
        return stream
    if len(held) > LARGEST_PIPE_BYTES:
        raise AudioError(f"{name} is a pipe with more than {LARGEST_PIPE_BYTES} bytes; save it as a file first")
    return io.BytesIO(held)


def _open_path(name: str, stack: contextlib.ExitStack) -> tuple[BinaryIO, bool]:
    """An open file, and whether it is a regular one (not a pipe or a device)."""
    if os.path.isdir(name):  # unlike Path.is_dir, no exception for an impossible name
        raise AudioError(f"{name} is a folder, expected an audio file")
    try:
        stream = Path(name).open("rb")  # noqa: SIM115 (the stack closes it)
        stack.enter_context(stream)
        return stream, stat.S_ISREG(os.fstat(stream.fileno()).st_mode)
    except FileNotFoundError:
        raise AudioError(f"{name} does not exist") from None
    except OSError as error:
        raise AudioError(f"{name} cannot be opened: {error.strerror}") from error
    except ValueError as error:
        raise AudioError(f"{name!r} cannot be opened: {error}") from error


def _sndfile_reader(stream: BinaryIO, name: str, stack: contextlib.ExitStack) -> Reader:
    try:
        file = stack.enter_context(soundfile.SoundFile(_Seekable(stream)))
    except soundfile.LibsndfileError as error:
        known = "Format not recognised" not in error.error_string
        what = "is damaged: its header cannot be read" if known else "is not audio in a format that is known"
        raise AudioError(f"{name} {what} ({error.error_string.strip(' .')})") from error
    if file.channels < 1:
        raise AudioError(f"{name} has no channels")
    rate = check_rate(file.samplerate, name)
    size = max(1, CHUNK_SAMPLES // file.channels)

    def chunks(first: int) -> Iterator[NDArray[np.float32]]:
        at = min(first, file.frames)
        try:
            if first:
                file.seek(at)
        except soundfile.LibsndfileError as error:
            raise AudioError(f"{name} is damaged: second {first / rate:g} of it cannot be reached") from error
        while at < file.frames:
            # NaN marks what libsndfile did not come to write: a broken codec stops in the middle of a read.
            chunk = np.full((min(size, file.frames - at), file.channels), np.nan, np.float32)
            try:
                chunk = file.read(out=chunk)
                broken = None
            except soundfile.LibsndfileError as error:
                chunk = chunk[: int(np.argmax(np.isnan(chunk[:, 0])))]
                broken = error
            if broken and at == first and not len(chunk):
                raise AudioError(f"{name} is damaged: no sound could be decoded from it") from broken
            at += len(chunk)
            if len(chunk):
                yield chunk
            if broken or not len(chunk):
                return

    known_frames = file.frames if file.frames < UNKNOWN_FRAMES else None
    return Reader(name, rate, file.channels, known_frames, file.format, chunks)


def _media_reader(stream: BinaryIO, name: str, kind: str, stack: contextlib.ExitStack) -> Reader:
    opened, duration_s = media.open_container(stream, name, kind)
    stack.callback(opened.close)
    pieces = media.frames(opened, name)
    # The header may name another rate than the decoder gives (HE-AAC doubles it): ask the first frame.
    head = next(pieces, None)
    if head is None:
        raise AudioError(f"{name} holds no samples")
    rate = check_rate(head[0], name)

    def chunks(first: int) -> Iterator[NDArray[np.float32]]:
        skip = first
        for _, piece in itertools.chain([head], pieces):
            if skip < len(piece):
                yield piece[skip:]
            skip = max(0, skip - len(piece))

    claimed = None if duration_s is None or duration_s <= 0 else round(duration_s * rate)
    return Reader(name, rate, head[1].shape[1], claimed, kind, chunks)


def _array_reader(source: tuple[Any, ...], name: str) -> Reader:
    if len(source) != 2:
        raise AudioError(f"a tuple of {len(source)} is not a source of sound, expected (array, rate)")
    if np.ndim(source[0]) == 0 and np.ndim(source[1]) > 0:
        raise AudioError("the tuple holds (rate, array), expected (array, rate)")
    rate = check_rate(source[1], name)
    try:
        samples = np.asarray(source[0])
    except (TypeError, ValueError, RuntimeError) as error:
        raise AudioError(f"{name} cannot be made into an array: {error}") from error
    if samples.ndim not in (1, 2):
        raise AudioError(f"{name} has the shape {samples.shape}, expected (samples,) or (samples, channels)")
    columns = samples[:, None] if samples.ndim == 1 else samples
    # (channels, samples), as torch has it: there are always more samples than channels.
    columns = columns.T if columns.shape[0] < columns.shape[1] and columns.shape[0] > 0 else columns
    if columns.shape[1] == 0:
        raise AudioError(f"{name} has no channels")
    scaled = _scaled(columns, name)
    step = max(1, CHUNK_SAMPLES // columns.shape[1])

    def chunks(first: int) -> Iterator[NDArray[np.float32]]:
        for start in range(first, len(scaled), step):
            yield scaled[start : start + step]

    return Reader(name, rate, columns.shape[1], len(columns), "array", chunks)


def _scaled(samples: NDArray[Any], name: str) -> NDArray[np.float32]:
    """Integers to ±1, floats as they are."""
    kind = samples.dtype
    with np.errstate(over="ignore", invalid="ignore"):
        if kind == np.uint8:
            return (samples.astype(np.float32) - np.float32(128)) / np.float32(128)
        if kind.kind == "i" and kind.itemsize <= 4:
            return (samples / np.float64(2 ** (8 * kind.itemsize - 1))).astype(np.float32)
        if kind.kind == "f":
            return samples.astype(np.float32)
    raise AudioError(f"{name} holds {kind}, expected float samples (full scale ±1), int8, int16, int32 or uint8")
