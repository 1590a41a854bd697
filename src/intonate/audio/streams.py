"""From anything that was handed over to a stream of bytes that can be searched and cut.

libsndfile is given a stream, never a path: given a path it takes any text named `.au` or `.vox` for headerless samples.
"""

from __future__ import annotations

import bisect
import contextlib
import io
import itertools
import os
import re
import stat
from typing import Any, BinaryIO, NamedTuple, cast

from intonate.audio import kinds
from intonate.errors import AudioError

# A pipe cannot be read twice, so it is kept in memory: up to this many bytes, 3 hours of 48 kHz 16-bit stereo.
LARGEST_PIPE_BYTES = 2 * 2**30
# A search reads this much at a time.
BLOCK_BYTES = 2**20
# A decoder's next bytes are read together.
AHEAD_BYTES = 2**16
# What messages show of a name, characters at each end.
SHOWN_CHARACTERS = 60
SOURCES = "a path, bytes, a binary file or (array, rate)"


def name_of(source: object) -> str:
    """What messages call a source: its path (shortened), `<stdin>`, `<bytes>`, `<array>` or `<file>`."""
    if isinstance(source, str | os.PathLike):
        path = os.fsdecode(source)
        return path if len(path) <= 4096 else f"{path[:SHOWN_CHARACTERS]}…{path[-SHOWN_CHARACTERS:]}"
    if isinstance(source, bytes | bytearray | memoryview):
        return "<bytes>"
    if isinstance(source, tuple):
        return "<array>"
    name = getattr(source, "name", None)
    return name if isinstance(name, str) and name else "<file>"


def open_stream(source: Any, name: str, stack: contextlib.ExitStack) -> BinaryIO:
    """A seekable stream at its beginning; what is opened here is closed by the stack.

    Raises:
        AudioError: there is nothing there that could be read.
    """
    if isinstance(source, bytes | bytearray | memoryview):
        return io.BytesIO(source)
    if isinstance(source, str | os.PathLike):
        stream, is_seekable = _open_path(source, name, stack)
    elif hasattr(source, "read"):
        stream, is_seekable = source, None
    else:
        raise AudioError(_no_source_message(source))
    try:
        if is_seekable is None:
            # Some file-likes (a spooled upload, before Python 3.11) have no `seekable`.
            is_seekable = bool(stream.seekable()) if hasattr(stream, "seekable") else hasattr(stream, "seek")
        if is_seekable:
            stream.seek(0)
        content = stream.read(0) if is_seekable else stream.read(LARGEST_PIPE_BYTES + 1)
        if isinstance(content, bytes) and not is_seekable:
            content += read_fully(stream, LARGEST_PIPE_BYTES + 1 - len(content))
    except (OSError, ValueError) as error:
        raise AudioError(f"{name} cannot be read: {error}") from error
    if not isinstance(content, bytes | str):
        raise AudioError(_no_source_message(source))
    if isinstance(content, str):
        raise AudioError(f"{name} is opened as text, expected a binary file; mend it with: open(…, 'rb')")
    if is_seekable:
        return stream
    if len(content) > LARGEST_PIPE_BYTES:
        raise AudioError(f"{name} is a pipe with more than {LARGEST_PIPE_BYTES} bytes; save it as a file first")
    return io.BytesIO(content)


def read_fully(stream: BinaryIO, size: int) -> bytes:
    """`size` bytes, fewer only at the end: what has no buffer, as a pipe or a socket, gives fewer at a time."""
    pieces = []
    while size > 0 and (piece := stream.read(size)):
        pieces.append(piece)
        size -= len(piece)
    return b"".join(pieces)


def _no_source_message(source: object) -> str:
    kind = type(source).__name__
    if isinstance(source, dict):
        arrays = [key for key in ("array", "raw", "audio") if key in source]
        rates = [key for key in ("sampling_rate", "sample_rate", "rate") if key in source]
        if arrays and rates:
            return f"{kind} is not a source of sound, expected (sample[{arrays[0]!r}], sample[{rates[0]!r}])"
    if hasattr(source, "__len__") and hasattr(source, "__getitem__") and not isinstance(source, dict):
        return f"{kind} is not a source of sound: its sample rate is missing, expected {SOURCES}"
    return f"{kind} is not a source of sound, expected {SOURCES}"


def _open_path(source: str | os.PathLike[str], name: str, stack: contextlib.ExitStack) -> tuple[BinaryIO, bool]:
    """An open file, and whether it is a regular one (not a pipe or a device)."""
    path = os.fspath(source)
    try:
        stream = stack.enter_context(open(path, "rb"))  # noqa: SIM115 (the stack closes it)
        return stream, stat.S_ISREG(os.fstat(stream.fileno()).st_mode)
    except (OSError, ValueError) as error:
        if os.path.isdir(path):  # unlike Path.is_dir, no exception for an impossible name
            raise AudioError(f"{name} is a folder, expected an audio file") from None
        raise AudioError(_open_error_message(os.fsdecode(path), name, error)) from None


def _open_error_message(path: str, name: str, error: Exception) -> str:
    short = path if len(path) <= 2 * SHOWN_CHARACTERS else f"{path[:SHOWN_CHARACTERS]}…{path[-SHOWN_CHARACTERS:]}"
    if re.match(r"\w+://", path):
        return f"{short} is an address, expected a file on this machine; download it first"
    if (kind := kinds.in_base64(path[:800].encode(errors="replace"))) is not None:
        return (
            f"the text {path[:SHOWN_CHARACTERS]!r}… of {len(path)} characters is not a path but a sound ({kind.name}) "
            "in base64; decode it first: base64.b64decode(text)"
        )
    if isinstance(error, FileNotFoundError) and os.path.islink(path):
        fetch = "; fetch the sounds with: git annex get or datalad get" if "annex" in os.readlink(path) else ""
        return f"{name} is a link to a file that is not there{fetch}"
    if isinstance(error, FileNotFoundError):
        return f"{name} does not exist" if name else "the path of the recording is empty, expected an audio file"
    reason = error.strerror if isinstance(error, OSError) else error
    path_text = short if isinstance(error, OSError) else repr(short)  # with a character in it that no name can have
    return f"{path_text} cannot be opened: {reason}"


class Part(NamedTuple):
    """A stretch [start, end) of a file that is a file by itself.

    Attributes:
        head: what is read before it, in place of its own header.
        promise: how many times as much its header promises as is there: 1 for all; NaN where more was to come but the
            file does not say how much.
        least: samples per channel that its header promises at the very least.
        kind: what it is; None where only libsndfile may know.
        doubt: how its header contradicts its bytes, as the end of a sentence about it; "" where it does not, or where
            that is for `doubts` to find.
        holes: [start, end) of what is left out in the middle, in the order of the file.
    """

    start: int
    end: int
    head: bytes = b""
    promise: float = 1.0
    least: int = 0
    kind: kinds.Kind | None = None
    doubt: str = ""
    holes: tuple[tuple[int, int], ...] = ()

    @property
    def stretches(self) -> list[tuple[int, int]]:
        """[start, end) of what is read of it."""
        starts, ends = zip(*self.holes, strict=True) if self.holes else ((), ())
        return list(zip((self.start, *ends), (*starts, self.end), strict=True))


# More parts than this are no joined file but an accident (or an attack).
MOST_PARTS = 10_000


class Content:
    """The bytes of a stream, to be looked at in any place without reading them all into memory.

    Attributes:
        stream: what is read.
        size: bytes.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self.stream = stream
        self.size = stream.seek(0, os.SEEK_END) or stream.tell()
        self._block, self._block_position = b"", 0

    def read(self, position: int, size: int) -> bytes:
        """`size` bytes from `position` on, fewer at the end."""
        start = position - self._block_position
        if start < 0 or start + size > len(self._block):
            self._fill(position, size)
            start = 0
        return self._block[start : start + size]

    def _fill(self, position: int, size: int) -> None:
        """Read `size` bytes or more from `position` on."""
        self.stream.seek(position)
        self._block = read_fully(self.stream, min(max(size, BLOCK_BYTES), max(0, self.size - position)))
        self._block_position = position

    def view(self, part: Part) -> BinaryIO:
        """A part as a stream of its own."""
        if part.end - part.start <= BLOCK_BYTES:
            return _InMemoryView(part.head + b"".join(self.read(start, end - start) for start, end in part.stretches))
        return cast(BinaryIO, View(self.stream, part.stretches, part.head))

    def find(self, pattern: bytes, position: int = 0, end: int | None = None) -> int:
        """Where `pattern` first occurs as a whole in [position, end); -1 where it does not."""
        end = self.size if end is None else end
        while position + len(pattern) <= end:
            self.read(position, len(pattern))
            bounds = position - self._block_position, end - self._block_position
            # Python searches twice as fast from behind, and there is seldom one to find.
            if self._block.rfind(pattern, *bounds) >= 0:
                return self._block_position + self._block.find(pattern, *bounds)
            position = max(position + 1, self._block_position + len(self._block) - len(pattern) + 1)
        return -1


class _InMemoryView(io.BytesIO):
    """A short part in memory; seeking never fails, as in `View`."""

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        try:
            return super().seek(offset, whence)
        except (ValueError, OverflowError):
            return self.tell()


class View:
    """Stretches [start, end) of a stream as a stream of its own, after `head`, which stands before them.

    Decoders ask for a few bytes at a time, so it reads ahead. Seeking never fails: damaged headers ask for places
    before the start.
    """

    def __init__(self, stream: BinaryIO, stretches: list[tuple[int, int]], head: bytes = b"") -> None:
        self._stream, self._stretches, self._head = stream, stretches, head
        # Where each stretch begins in the view, and where the last one ends.
        *self._places, self._size = itertools.accumulate((end - start for start, end in stretches), initial=len(head))
        self._position = 0
        self._block, self._block_position = b"", 0

    def readinto(self, buffer: Any, /) -> int:
        size, block_offset = len(buffer), self._position - self._block_position
        if block_offset < 0 or block_offset + size > len(self._block):
            data = self.read(size)
            buffer[: len(data)] = data
            return len(data)
        buffer[:] = self._block[block_offset : block_offset + size]
        self._position += size
        return size

    def read(self, size: int | None = -1, /) -> bytes:
        remaining = max(0, self._size - self._position)
        size = remaining if size is None or size < 0 else min(size, remaining)
        block_offset = self._position - self._block_position
        if block_offset < 0 or block_offset + size > len(self._block):
            self._fill(min(remaining, max(size, AHEAD_BYTES)))
            block_offset = 0
        self._position += len(data := self._block[block_offset : block_offset + size])
        return data

    def _fill(self, size: int) -> None:
        """Read `size` bytes from here on."""
        block = self._head[self._position : self._position + size]
        while len(block) < size:
            position = self._position + len(block)
            number = bisect.bisect_right(self._places, position) - 1
            start, end = self._stretches[number]
            start += position - self._places[number]
            self._stream.seek(start)
            data = read_fully(self._stream, min(size - len(block), end - start))
            if not data:
                break
            block += data
        self._block, self._block_position = block, self._position

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}[whence]
        if base + offset >= 0:
            self._position = base + offset
        return self._position
