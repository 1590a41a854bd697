"""Files that hold many sounds: tar and Parquet. They are listed, not unpacked: each sound has its place in them."""

from __future__ import annotations

import contextlib
import posixpath
import tarfile
from collections import Counter
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any, BinaryIO

from intonate.archive.places import Entry, is_hidden, open_place
from intonate.audio.listing import AUDIO_SUFFIXES
from intonate.errors import ArchiveError, first_line, require

# The column of a Parquet file that holds the sounds.
AUDIO_COLUMNS = ("audio", "bytes", "content")
# What tells how to go on with a tar that is not whole, or whose members do not lie in it as they are.
UNPACK = "unpack it (tar -xif) and name the folder"


def tar_entries(name: str) -> Iterator[Entry]:
    """The sounds of a tar, or of several that were joined, in their order; links to them last.

    A name may come again, in tars that were joined or appended to: each of its sounds is one, `a.wav`, `a.wav#2`…

    Raises:
        ArchiveError: it is no tar, is damaged or cut off, or holds a sound that does not lie in it as it is.
    """
    # By where the tar begins that they are in, of those that were joined, and path; in the order in which they came.
    files: dict[tuple[int, str], Entry] = {}
    links: dict[tuple[int, str], tuple[int, str]] = {}
    counts = Counter[str]()

    def own_name(member_name: str) -> str:
        counts[member_name] += 1
        return f"{name}/{member_name}" + (f"#{counts[member_name]}" if counts[member_name] > 1 else "")

    try:
        with open_place(name) as stream:
            members = [(start, posixpath.normpath(member.name), member) for start, member in _tar_members(stream, name)]
    except ArchiveError:
        raise
    except (tarfile.TarError, ValueError, ArithmeticError) as error:
        raise ArchiveError(f"{name} is no tar that can be read: {first_line(error)}; fetch it again") from error
    # A folder that all lie in is the one that was packed, and not hidden.
    tops = {path.partition("/")[0] + "/" for _, path, _ in members if path != "."}
    packed_folder = tops.pop() if len(tops) == 1 else ""
    for start, path, member in members:
        is_sound = _is_sound_name(path.removeprefix(packed_folder))
        if is_sound and member.issparse():
            raise ArchiveError(f"{name} holds {member.name} without its zeros (sparse); {UNPACK}")
        if member.isfile():
            file = own_name(member.name) if is_sound else ""
            files[start, path] = Entry(file, name, member.offset_data, member.size, modified_s=member.mtime)
            if is_sound:
                yield files[start, path]
        elif is_sound and member.islnk():
            links[start, path] = start, posixpath.normpath(member.linkname)
        elif is_sound and member.issym():
            target_path = posixpath.join(posixpath.dirname(path), member.linkname)
            links[start, path] = start, posixpath.normpath(target_path)
    for link in links:
        target, seen = link, set[tuple[int, str]]()
        while target in links and target not in seen:
            seen.add(target)
            target = links[target]
        if target == link and link in files:  # a file that was packed twice: tar writes a link to itself
            continue
        # Of a link to nothing there is a row, too: it says that there is no such file.
        place = files.get(target, Entry("", f"{name}/{link[1]}"))
        yield place._replace(file=own_name(link[1]))


def _is_sound_name(path: str) -> bool:
    """By the suffix; `._a.wav` is what macOS knows of a file, not the file."""
    return PurePosixPath(path).suffix.lower() in AUDIO_SUFFIXES and not is_hidden(path)


def _tar_members(stream: BinaryIO, name: str) -> Iterator[tuple[int, tarfile.TarInfo]]:
    """Every member, and where the tar begins that it is in, of several that were joined.

    `tarfile` ends without a word at a header that is damaged or missing, and at the first end mark.
    """
    start, last_name = 0, ""
    while True:
        stream.seek(start)
        with tarfile.open(fileobj=stream, mode="r:") as tar:
            for member in tar:
                last_name = member.name
                yield start, member
            end = tar.offset
        stream.seek(end)
        is_marked, start = False, end
        while block := stream.read(tarfile.RECORDSIZE):
            if block.count(0) < len(block):
                start += (len(block) - len(block.lstrip(b"\0"))) // tarfile.BLOCKSIZE * tarfile.BLOCKSIZE
                break
            is_marked, start = True, start + len(block)
        if not block and is_marked:
            return
        if start == end:
            raise ArchiveError(
                f"{name} is damaged or cut off at byte {end:,}, after {last_name or 'its beginning'}: what was behind "
                f"that cannot be listed; fetch it again, or, for what is left of it, {UNPACK}"
            )


def parquet_entries(name: str, size: int) -> Iterator[Entry]:
    """The rows of a Parquet file with a column of sounds.

    Raises:
        ArchiveError: it is none.
    """
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


def audio_column(schema: Any, name: str) -> tuple[str, list[str]]:
    """The column of sounds, and, where it is of structs as in Hugging Face's data sets, the fields that tell the sound.

    The fields are `bytes` and, if there is one, `path`: of the file that holds the sound where the bytes are null.

    Raises:
        ArchiveError: there is none.
    """
    types = require("pyarrow", "archive").types

    def is_binary(kind: Any) -> bool:
        return bool(types.is_binary(kind) or types.is_large_binary(kind) or types.is_binary_view(kind))

    columns = {column: schema.field(column).type for column in AUDIO_COLUMNS if column in schema.names}
    for column, kind in columns.items():
        if is_binary(kind):
            return column, []
        fields = {field.name: field.type for field in kind} if types.is_struct(kind) else {}
        if "bytes" in fields and (is_binary(fields["bytes"]) or types.is_null(fields["bytes"])):
            return column, [field for field in ("bytes", "path") if field in fields]
    others = [f"{column} of type {columns[column]}" if column in columns else column for column in schema.names]
    raise ArchiveError(
        f"{name} has no column of sounds; expected {' or '.join(AUDIO_COLUMNS)}, of bytes or of structs with bytes (it "
        f"has {', '.join(others)})"
    )
