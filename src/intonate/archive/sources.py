"""What an archive is made of: files, globs, folders, manifests, tar shards and Parquet, here or behind a URL.

A URL (`s3://`, `gs://`, `file://`…) goes through fsspec, whatever it reaches. A source is listed, never read: what is
in a sound is looked at when it is answered.
"""

from __future__ import annotations

import glob
import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from intonate.archive import manifests
from intonate.archive.containers import parquet_entries, tar_entries
from intonate.archive.places import Entry, Key, file_entry, file_system, is_hidden, is_url, open_place, path_of
from intonate.audio import kinds
from intonate.audio.listing import AUDIO_SUFFIXES, Listing, listing
from intonate.errors import ArchiveError, AudioError, IntonateError, first_line, require

# Of a folder, they are left out: in it they may be the data of something else.
CONTAINERS = (".tar", ".parquet")
COMPRESSED = (".gz", ".bz2", ".xz", ".zst")
# What stores call the time of the last change (SFTP, S3, Azure, Google).
MODIFIED = ("mtime", "LastModified", "last_modified", "updated")


def entries(sources: Sequence[str], notes: list[str] | None = None) -> Iterator[Entry]:
    """All that the sources name, in their order, sorted within a folder or glob; what is named twice comes once.

    Args:
        sources: as named by the user.
        notes: a list to which sentences are added about files that were left out.

    Raises:
        ArchiveError: a source is not there, cannot be reached, or holds no sound.
    """
    seen_keys: set[Key] = set()
    # As when a shell writes out `calls/*`: what is no sound is a row then, and no end.
    is_beside_sounds = any(Path(path_of(source)).suffix.lower() in AUDIO_SUFFIXES for source in sources)
    for source in sources:
        is_empty = True
        for entry in _entries_of(source, [] if notes is None else notes, is_beside_sounds):
            is_empty = False
            if entry.key not in seen_keys:
                seen_keys.add(entry.key)
                yield entry
        if is_empty:
            raise ArchiveError(f"{source} holds no sound; expected audio files, or a tar, Parquet or CSV that has some")


def _entries_of(source: str, notes: list[str], is_beside_sounds: bool) -> Iterator[Entry]:
    """What one source names; whatever goes wrong on the way is one sentence."""
    try:
        yield from (_remote if is_url(source) else _local)(source, notes, is_beside_sounds)
    except AudioError as error:
        raise ArchiveError(str(error)) from error
    except IntonateError:
        raise
    except ImportError as error:
        raise ArchiveError(f"{source} cannot be reached: {first_line(error)}") from error
    except FileNotFoundError as error:
        raise ArchiveError(f"{error.filename or source} does not exist") from error
    except Exception as error:  # the libraries behind URLs have no common base but Exception
        raise ArchiveError(
            f"{source} cannot be listed ({type(error).__name__}: {first_line(error)}); check the address, the "
            "credentials and the rights"
        ) from error


def _local(source: str, notes: list[str], is_beside_sounds: bool) -> Iterator[Entry]:
    if os.path.isdir(source):
        try:
            found = listing(source)
        except AudioError as error:
            if isinstance(error.__cause__, OSError):  # it is not that there are none, but that a folder cannot be read
                raise
            raise ArchiveError(f"{error}; {_by_name(source, CONTAINERS)}") from error
        _note_left_out(source, found, notes)
        for path in found.files:
            yield file_entry(str(path))
    elif not os.path.exists(source) and glob.has_magic(source):
        paths = glob.glob(source, recursive=True)
        files = sorted(path for path in paths if os.path.isfile(path) or not os.path.exists(path))
        if not files:
            raise ArchiveError(f"nothing matches {source}")
        for name in files:
            yield from _file(file_entry(name), source)
    else:
        os.lstat(source)  # says whether it is there, be it as a link to nothing
        yield from _file(file_entry(source), is_beside_sounds=is_beside_sounds)


def _remote(source: str, notes: list[str], is_beside_sounds: bool) -> Iterator[Entry]:
    system, path = file_system(source)

    def url(name: str) -> str:
        return str(system.unstrip_protocol(name))

    def stored(name: str, info: Mapping[str, Any]) -> Entry:
        return Entry(url(name), url(name), size=info.get("size") or 0, modified_s=_modified_s(info))

    if isinstance(system, require("fsspec.implementations.local", "archive").LocalFileSystem):
        for entry in _local(path, notes, is_beside_sounds):
            own_place = entry.place if is_url(entry.place) else url(entry.place)
            own_file = entry.file if is_url(entry.file) else url(entry.file)
            yield entry._replace(file=own_file, place=own_place)
        return
    # In a web address, what stands behind the question mark is no pattern; and a name may have brackets in it.
    if glob.has_magic(path_of(path)) and not system.exists(path):
        matches = system.glob(path, detail=True)
        named = re.split(r"[*?[]", path)[0].rfind("/") + 1  # a folder that was named is not hidden
        takes_hidden = is_hidden(path[named:])
        info_by_name = {name: info for name, info in matches.items() if takes_hidden or not is_hidden(name[named:])}
        if not info_by_name:
            raise ArchiveError(f"nothing matches {source}")
    elif path == path_of(path) and system.isdir(path):
        infos = system.find(path, detail=True)
        found = {name: info for name, info in infos.items() if not is_hidden(name.removeprefix(path))}
        info_by_name = {name: info for name, info in found.items() if Path(name).suffix.lower() in AUDIO_SUFFIXES}
        left_out = Counter(Path(name).suffix.lower() for name in found.keys() - info_by_name.keys())
        _note_left_out(source, Listing((), left_out), notes)
    else:
        yield from _file(stored(path, system.info(path)), is_beside_sounds=is_beside_sounds)
        return
    for name, info in sorted(info_by_name.items()):
        if info["type"] == "file":
            yield from _file(stored(name, info), source)


def _modified_s(info: Mapping[str, Any]) -> float:
    """When a store says that a file was last changed, seconds since 1970; 0 where it does not."""
    value = next((info[name] for name in MODIFIED if info.get(name)), 0.0)
    if isinstance(value, str):  # Google's, in ISO 8601
        value = datetime.fromisoformat(value)
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()
    return float(value)


def _note_left_out(folder: str, found: Listing, notes: list[str]) -> None:
    """Say what a folder holds besides its sounds, and how to name those files that may hold some."""
    if sentence := found.left_out_sentence():
        containers = [suffix for suffix in CONTAINERS if found.left_out.get(suffix)]
        notes.append(f"{folder}: {sentence}{'; ' + _by_name(folder, containers) if containers else ''}")


def _by_name(folder: str, suffixes: Sequence[str]) -> str:
    patterns = " ".join(f"'{folder.rstrip('/')}/**/*{suffix}'" for suffix in suffixes)
    return f"for the sounds in {' and '.join(suffixes)} files, name these: {patterns}"


def _file(entry: Entry, pattern: str = "", is_beside_sounds: bool = False) -> Iterator[Entry]:
    """A file that was named, itself or by a pattern: what it holds if it is a container, else itself."""
    name = entry.place
    *_, inner_suffix, suffix = ["", "", *(suffix.lower() for suffix in Path(path_of(name)).suffixes)]
    # Beside sounds a .json tells most often of one of them.
    is_named = (pattern or name).lower().endswith(suffix) and not is_beside_sounds
    is_list = suffix in manifests.SUFFIXES and (suffix != ".json" or is_named)
    if suffix == ".tar":
        yield from tar_entries(name)
    elif suffix == ".tgz" or inner_suffix == ".tar":
        raise ArchiveError(f"{name} is compressed, so nothing in it has a place of its own; unpack it to a .tar first")
    elif suffix == ".parquet":
        yield from parquet_entries(name, entry.size)
    elif is_list:
        yield from manifests.manifest_entries(name)
    elif suffix in AUDIO_SUFFIXES or (is_beside_sounds and not pattern):
        yield entry
    elif not pattern:
        if suffix in COMPRESSED and inner_suffix in manifests.SUFFIXES:
            raise ArchiveError(f"{name} is a list that is compressed; unpack it first")
        _refuse_text(name)
        yield entry


def _refuse_text(name: str) -> None:
    """Whoever names a text means the sounds that it lists, and not a row that says that it is none.

    Raises:
        ArchiveError: it is text.
        Exception: whatever the library behind a URL raises.
    """
    try:
        with open_place(name) as stream:
            head = stream.read(kinds.HEAD_BYTES)
    except OSError:  # said in its row
        return
    if head and kinds.of(head) is None and kinds.is_text(head):
        raise ArchiveError(
            f"{name} {kinds.explanation(head) or 'is text, not a sound'}; a list of sounds has a name that ends in "
            f"{', '.join(manifests.TABLES)} (with a column of files) or {manifests.LINES} (a file on each line)"
        )
