"""What an archive is made of: files, globs, folders, manifests, tar shards and Parquet, here or behind a URL.

A URL (`s3://`, `gs://`, `file://`…) goes through fsspec, whatever it reaches. A source is listed, never read: what is
in a file is looked at when it is answered.
"""

from __future__ import annotations

import contextlib
import csv
import glob
import os
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from intonate.audio.listing import AUDIO_SUFFIXES, listing
from intonate.errors import ArchiveError, AudioError, first_line, require

TABLES = (".csv", ".tsv")
# The column of a manifest that names the sound, by what people call it.
FILE_COLUMNS = ("file", "path", "audio_filepath", "filename", "audio")
# The column of a Parquet file that holds it.
AUDIO_COLUMNS = ("audio", "bytes", "content")


class Entry(NamedTuple):
    """One sound to answer.

    Attributes:
        file: its name in the table: a path or URL; `shard.tar/member.wav`; `table.parquet#12`.
        place: the path or URL of the file that holds it.
        offset: where it begins in a tar, bytes; or its row in a Parquet file; -1 for a file of its own.
        size: bytes, as listed; 0 where the listing does not tell.
        start_s: where a stretch of it starts, seconds.
        end_s: where it ends; None for the end of the file.
    """

    file: str
    place: str
    offset: int = -1
    size: int = 0
    start_s: float = 0.0
    end_s: float | None = None


def entries(sources: Sequence[str]) -> Iterator[Entry]:
    """All that the sources name, in their order, sorted within a folder or glob; what is named twice comes once.

    Raises:
        ArchiveError: a source is not there, cannot be reached, or holds no sound.
    """
    seen_keys: set[tuple[str, float, float | None]] = set()
    for source in sources:
        is_empty = True
        for entry in _entries_of(source):
            is_empty = False
            if (key := (entry.file, entry.start_s, entry.end_s)) not in seen_keys:
                seen_keys.add(key)
                yield entry
        if is_empty:
            raise ArchiveError(f"{source} holds no sound; expected audio files, or a tar, Parquet or CSV that has some")


def is_url(place: str) -> bool:
    return "://" in place


def open_place(place: str) -> BinaryIO:
    """A file, opened for reading bytes, wherever it lies.

    Raises:
        OSError: it is not there or cannot be read.
        Exception: whatever the library behind a URL raises.
    """
    if not is_url(place):
        return open(place, "rb")
    stream: BinaryIO = require("fsspec", "archive").open(place, "rb").open()
    return stream


def _entries_of(source: str) -> Iterator[Entry]:
    """What one source names; whatever goes wrong on the way is one sentence."""
    try:
        if is_url(source):
            yield from _remote(source)
        else:
            yield from _local(source)
    except (ArchiveError, ImportError) as error:
        if isinstance(error, ArchiveError) or isinstance(error.__cause__, ModuleNotFoundError):
            raise
        raise ArchiveError(f"{source} cannot be reached: {first_line(error)}") from error
    except AudioError as error:
        raise ArchiveError(str(error)) from error
    except FileNotFoundError as error:
        raise ArchiveError(f"{source} does not exist") from error
    except Exception as error:  # the libraries behind URLs have no common base but Exception
        raise ArchiveError(
            f"{source} cannot be listed ({type(error).__name__}: {first_line(error)}); check the address, the "
            "credentials and the rights"
        ) from error


def _local(source: str) -> Iterator[Entry]:
    if os.path.isdir(source):
        for path in listing(source).files:
            yield Entry(str(path), str(path), size=path.stat().st_size)
    elif not os.path.exists(source) and glob.has_magic(source):
        files = sorted(path for path in glob.glob(source, recursive=True) if os.path.isfile(path))
        if not files:
            raise ArchiveError(f"nothing matches {source}")
        for name in files:
            yield from _file(name, os.path.getsize(name), is_single=False)
    else:
        yield from _file(source, os.path.getsize(source), is_single=True)


def _remote(source: str) -> Iterator[Entry]:
    system, path = require("fsspec", "archive").url_to_fs(source)

    def url(name: str) -> str:
        return str(system.unstrip_protocol(name))

    if glob.has_magic(path):
        info_by_name = system.glob(path, detail=True)
        if not info_by_name:
            raise ArchiveError(f"nothing matches {source}")
    elif system.isdir(path):
        info_by_name = {
            name: info
            for name, info in system.find(path, detail=True).items()
            if Path(name).suffix.lower() in AUDIO_SUFFIXES
        }
    else:
        yield from _file(url(path), system.info(path).get("size") or 0, is_single=True)
        return
    for name, info in sorted(info_by_name.items()):
        if info["type"] == "file":
            yield from _file(url(name), info.get("size") or 0, is_single=False)


def _file(name: str, size: int, is_single: bool) -> Iterator[Entry]:
    """A file that was named: what it holds if it is a container, else itself."""
    suffixes = [suffix.lower() for suffix in Path(name).suffixes]
    if suffixes[-1:] == [".tar"]:
        yield from _tar(name)
    elif suffixes[-1:] == [".tgz"] or (len(suffixes) > 1 and suffixes[-2] == ".tar"):
        raise ArchiveError(f"{name} is compressed, so nothing in it has a place of its own; unpack it to a .tar first")
    elif suffixes[-1:] == [".parquet"]:
        yield from _parquet(name, size)
    elif suffixes and suffixes[-1] in (*TABLES, ".txt"):
        yield from _manifest(name)
    elif is_single or (suffixes[-1:] and suffixes[-1] in AUDIO_SUFFIXES):
        yield Entry(name, name, size=size)


def _tar(name: str) -> Iterator[Entry]:
    try:
        with open_place(name) as stream, tarfile.open(fileobj=stream, mode="r:") as archive:
            for member in archive:
                if member.isfile() and Path(member.name).suffix.lower() in AUDIO_SUFFIXES:
                    yield Entry(f"{name}/{member.name}", name, member.offset_data, member.size)
    except tarfile.TarError as error:
        raise ArchiveError(f"{name} is no tar that can be read: {first_line(error)}") from error


def _parquet(name: str, size: int) -> Iterator[Entry]:
    with open_parquet(name) as table:
        audio_column(table.schema_arrow, name)
        rows = table.metadata.num_rows
    for row in range(rows):
        yield Entry(f"{name}#{row}", name, row, size // rows)


@contextlib.contextmanager
def open_parquet(name: str) -> Iterator[Any]:
    """A `pyarrow.parquet.ParquetFile`.

    Raises:
        ArchiveError: it is no Parquet file.
    """
    pyarrow, parquet = require("pyarrow", "archive"), require("pyarrow.parquet", "archive")
    with open_place(name) as stream:
        try:
            table = parquet.ParquetFile(stream)
        except pyarrow.ArrowInvalid as error:
            raise ArchiveError(f"{name} is no Parquet file that can be read: {first_line(error)}") from error
        yield table


def audio_column(schema: Any, name: str) -> tuple[str, str | None]:
    """The column with the bytes, and the field within it where it is a struct, as in Hugging Face's data sets.

    Raises:
        ArchiveError: there is none.
    """
    pyarrow = require("pyarrow", "archive")

    def is_binary(kind: Any) -> bool:
        return bool(pyarrow.types.is_binary(kind) or pyarrow.types.is_large_binary(kind))

    for column in AUDIO_COLUMNS:
        if column in schema.names:
            kind = schema.field(column).type
            if is_binary(kind):
                return column, None
            if pyarrow.types.is_struct(kind) and kind.get_field_index("bytes") >= 0:
                return column, "bytes"
    raise ArchiveError(
        f"{name} has no column of sounds; expected {' or '.join(AUDIO_COLUMNS)} with bytes (it has "
        f"{', '.join(schema.names)})"
    )


def _manifest(name: str) -> Iterator[Entry]:
    """The rows of a table with a `file` column (and `start`, `end` in seconds), or the lines of a text file.

    A path is relative to the manifest's folder. A file that is not there is an answer of its own, later.
    """
    with open_place(name) as stream:
        lines = (line.decode("utf-8-sig" if number == 0 else "utf-8") for number, line in enumerate(stream))
        if not name.lower().endswith(TABLES):
            for line in lines:
                if line.strip():
                    yield _listed(name, line.strip(), 0.0, None)
            return
        header = next(lines, "")
        rows = csv.reader(lines, delimiter=max("\t;,", key=header.count))
        columns = [cell.strip().lower() for cell in next(csv.reader([header], delimiter=max("\t;,", key=header.count)))]
        column = next((columns.index(file_column) for file_column in FILE_COLUMNS if file_column in columns), None)
        if column is None:
            raise ArchiveError(f"{name} has no column named file; it has {', '.join(columns)}")
        for number, row in enumerate(rows, start=2):
            cells = dict(zip(columns, row, strict=False))
            try:
                start_s = float(cells.get("start") or 0.0)
                end_s = float(cells["end"]) if cells.get("end") else None
                path = row[column].strip()
            except (ValueError, IndexError) as error:
                raise ArchiveError(f"{name}, row {number}: expected a file, and start and end in seconds") from error
            if path:
                yield _listed(name, path, start_s, end_s)


def _listed(manifest: str, path: str, start_s: float, end_s: float | None) -> Entry:
    if not is_url(path) and is_url(manifest):
        path = f"{manifest.rpartition('/')[0]}/{path}"
    elif not is_url(path):
        path = os.path.normpath(Path(manifest).parent / path)
    size = 0
    if not is_url(path):
        with contextlib.suppress(OSError):
            size = os.path.getsize(path)
    return Entry(path, path, size=size, start_s=start_s, end_s=end_s)
