"""Where a sound lies: a file of this machine, or what a URL reaches through fsspec."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from intonate.errors import ArchiveError, IntonateError, first_line, require

# File, start and end in seconds, and whether the list that names it is wrong.
Key = tuple[str, float, float | None, bool]


class Entry(NamedTuple):
    """One sound to answer.

    Attributes:
        file: its name in the table: a path or URL; `shard.tar/member.wav`; `table.parquet#12`.
        place: the path or URL of the file that holds it.
        offset: where it begins in a tar, bytes; or its row in a Parquet file; -1 for a file of its own.
        size: bytes, as listed; 0 where the listing does not tell.
        start_s: where a stretch of it starts, seconds.
        end_s: where it ends; None for the end of the file.
        problem: why it cannot be answered, where the list that names it is wrong; else empty.
        modified_s: when it was last changed, seconds since 1970, as listed; 0 where the listing does not tell.
    """

    file: str
    place: str
    offset: int = -1
    size: int = 0
    start_s: float = 0.0
    end_s: float | None = None
    problem: str = ""
    modified_s: float = 0.0

    @property
    def key(self) -> Key:
        """What tells it apart from every other sound of an archive."""
        return self.file, self.start_s, self.end_s, bool(self.problem)

    @property
    def planned(self) -> tuple[Any, ...]:
        """What a plan keeps of it; what it has no problem with was kept by earlier versions, too, and names shards."""
        return self[:7] if self.problem else self[:6]


def file_entry(path: str) -> Entry:
    """A file of this machine; of a link to one that is not there, which is one failure among the answers, no size."""
    try:
        about = os.stat(path)
    except OSError:
        return Entry(path, path)
    return Entry(path, path, size=about.st_size, modified_s=about.st_mtime)


def is_url(place: str) -> bool:
    return "://" in place


def path_of(place: str) -> str:
    """A place as far as it names a file: a web address without its query, which may hold a signature."""
    return place.partition("?")[0] if place.startswith(("http://", "https://")) else place


def beside(table: str, path: str) -> str:
    """The place of a file that a table names: a relative path counts from the folder of the table, as does its URL."""
    if is_url(path):
        return path
    if is_url(table):
        return f"{path_of(table).rpartition('/')[0]}/{path}"
    return os.path.normpath(Path(table).parent / path)


def is_hidden(path: str) -> bool:
    """Whether a file is, or a folder on the way to it."""
    return any(part.startswith(".") and part not in (".", "..") for part in path.split("/"))


def file_system(url: str) -> tuple[Any, str]:
    """What fsspec reaches a URL with, and the path in it.

    Raises:
        ArchiveError: the library for that kind of store is not installed.
        Exception: whatever the library raises.
    """
    fsspec = require("fsspec", "archive")
    try:
        system, path = fsspec.url_to_fs(url)
        return system, path
    except IntonateError:
        raise
    except ImportError as error:
        library = getattr(error.__cause__, "name", None) or error.name
        remedy = f"mend it with: pip install {library}" if library else first_line(error)
        raise ArchiveError(f"{url} cannot be reached without a library that is not installed; {remedy}") from error


def open_place(place: str) -> BinaryIO:
    """A file, opened for reading bytes, wherever it lies.

    Raises:
        OSError: it is not there or cannot be read.
        ArchiveError: the library for that kind of store is not installed.
        Exception: whatever the library behind a URL raises.
    """
    if not is_url(place):
        return open(place, "rb")
    system, path = file_system(place)
    stream: BinaryIO = system.open(path, "rb")
    return stream
