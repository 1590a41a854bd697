"""The folder of an archive: what it is, what is planned, and what is answered.

    archive.json              the sources, the model and its hash, the options, the columns: what a later run must share
    plan/0001.jsonl           a line of entries per shard; a later run that finds new files adds 0002.jsonl
    answers/SHARD.parquet     the table, a file per shard; whatever is here is whole
    jsonl/SHARD.jsonl         the same as JSON lines, where that was asked for
    progress.json             how fast the run is that is under way, or was
    lock                      held by the run that is under way

Everything is written aside and renamed.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import json
import math
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from intonate.archive import tables
from intonate.archive.shards import Shard
from intonate.errors import ArchiveError, require

ABOUT, PLAN, ANSWERS, PROGRESS, LOCK = "archive.json", "plan", "answers", "progress.json", "lock"
# Beside the table and not in it: a reader of Parquet takes a folder for a table, and all files in it for its parts.
JSON_LINES = "jsonl"
# What people call the entries of archive.json that a run may not change.
WORDS = {
    "version": "another version of the table",
    "sources": "other sources",
    "model": "another model",
    "model_hash": "another file of the model",
    "options": "other options",
    "columns": "other columns",
    "cut": "another size of shards",
    "jsonl": "another choice of --jsonl",
}


def read_about(out: Path) -> dict[str, Any]:
    """What an archive says of itself.

    Raises:
        ArchiveError: the folder is none, or holds something else.
    """
    try:
        about = json.loads((out / ABOUT).read_text(encoding="utf-8", errors="surrogatepass"))
        return dict(about)
    except FileNotFoundError:
        state = "holds something else" if out.exists() else "does not exist"
        raise ArchiveError(f"{out} is no archive of intonate: it {state}") from None
    except (OSError, ValueError, TypeError) as error:
        raise ArchiveError(f"{out / ABOUT} is damaged, so nothing can be added; give another --out") from error


@contextlib.contextmanager
def open_folder(out: Path, about: Mapping[str, Any]) -> Iterator[None]:
    """Make the folder, or see that it is this very archive's; no other run may use it meanwhile.

    Raises:
        ArchiveError: it is a file, holds something else, belongs to another archive, or another run uses it.
    """
    filelock = require("filelock", "archive")
    try:
        if out.is_dir() and not (out / ABOUT).exists() and set(os.listdir(out)) - {LOCK, PLAN, ANSWERS, JSON_LINES}:
            raise ArchiveError(f"{out} is a folder with other things in it; give one that is new or empty as --out")
        if out.exists() and not out.is_dir():
            raise ArchiveError(f"{out} is a file; give a folder as --out")
        out.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(out / LOCK)
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout:
            raise ArchiveError(f"{out} is being written by another run; wait for it, or give another --out") from None
        try:
            # Where nothing is planned, a source was mistyped: another one may stand in its place.
            is_begun = any((out / PLAN).glob("*.jsonl"))
            if (out / ABOUT).exists():
                _check_same(out, read_about(out), about, WORDS if is_begun else ["version"])
            for folder in [PLAN, ANSWERS, JSON_LINES] if about["jsonl"] else [PLAN, ANSWERS]:
                (out / folder).mkdir(exist_ok=True)
                for part_file in (out / folder).glob(".*.part"):  # of a run that was killed
                    part_file.unlink()
            if about["jsonl"]:
                for lines_file in (out / ANSWERS).glob("*.jsonl"):  # where an earlier version wrote them
                    lines_file.rename(out / JSON_LINES / lines_file.name)
            if not is_begun or not (out / ABOUT).exists():
                write(out / ABOUT, json.dumps(about, ensure_ascii=False, indent=2).encode("utf-8", "surrogatepass"))
            yield
        finally:
            lock.release()
    except OSError as error:
        raise unwritable(out, error) from error


def _check_same(out: Path, kept: Mapping[str, Any], wanted: Mapping[str, Any], keys: Iterable[str]) -> None:
    for key in keys:
        if kept.get(key) != wanted.get(key):
            kept_text, wanted_text = (json.dumps(about.get(key), ensure_ascii=False) for about in (kept, wanted))
            detail = "" if max(len(kept_text), len(wanted_text)) > 200 else f": {kept_text} then, {wanted_text} now"
            raise ArchiveError(
                f"{out} was begun with {WORDS[key]}{detail}; give the same again to go on, or another --out"
            )


def write(path: Path, content: bytes) -> None:
    """Write a file aside, make sure that it is on the disk, and give it its name: it is there whole or not at all.

    Raises:
        OSError: there is no room or no right to.
    """
    descriptor, aside = tempfile.mkstemp(prefix=".", suffix=".part", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(aside, 0o644)
        os.replace(aside, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(aside)
        raise


def unwritable(out: Path, error: OSError) -> ArchiveError:
    reason = (error.strerror or str(error)).lower()
    remedy = "make room" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "mend that"
    return ArchiveError(f"{out} cannot be written: {reason}; what is answered is kept: {remedy} and run the same again")


def planned_shards(out: Path) -> Iterator[Shard]:
    """Every shard, in the order in which they were planned.

    Raises:
        ArchiveError: a plan is damaged.
    """
    for plan in sorted((out / PLAN).glob("*.jsonl")):
        with plan.open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                try:
                    shard = Shard.from_json(line.decode("utf-8", "surrogatepass"))
                except (ValueError, TypeError) as error:
                    raise ArchiveError(
                        f"{plan}, line {number} is damaged, so what is planned is not known any more; put back a copy "
                        "of it, or give another --out"
                    ) from error
                yield shard


def add_plan(out: Path, shards: Iterable[Shard]) -> None:
    """Plan further shards; nothing is written where there are none."""
    lines = "".join(f"{shard.to_json()}\n" for shard in shards)
    if lines:
        names = (f"{number:04d}.jsonl" for number in itertools.count(1))
        name = next(name for name in names if not (out / PLAN / name).exists())
        write(out / PLAN / name, lines.encode("utf-8", "surrogatepass"))


def finished_shards(out: Path) -> set[str]:
    """The names of the shards whose rows are there. A file that somebody has cut off since has none any more."""
    return {path.stem for path in (out / ANSWERS).glob("*.parquet") if _is_whole(path)}


def _is_whole(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - len(tables.MAGIC)))
            return file.read() == tables.MAGIC
    except OSError:  # what is wrong with it is told where it is read
        return True


def rows_of(out: Path, shard: str) -> Path:
    """Where the rows of a shard are, or will be."""
    return out / ANSWERS / f"{shard}.parquet"


def answered_at(out: Path, shard: str) -> float:
    """When the rows of a shard were written, seconds since 1970; infinity where there are none yet."""
    try:
        return rows_of(out, shard).stat().st_mtime
    except OSError:
        return math.inf


def read_table(out: Path, shard: Shard, columns: Sequence[str] | None = None) -> Any:
    """The `pyarrow.Table` of a shard that is finished, in the order of its sounds; only these columns, if given.

    Raises:
        ArchiveError: the file is damaged.
    """
    path = rows_of(out, shard.name)
    try:
        return require("pyarrow.parquet", "archive").read_table(path, columns=columns)
    except (OSError, ValueError) as error:  # pyarrow's own are both
        raise ArchiveError(f"{path} cannot be read; remove it, and the same command answers its sounds anew") from error


def read_rows(out: Path, shard: Shard, columns: Sequence[str] | None = None) -> list[dict[str, Any]]:
    """The same as a list of rows."""
    return list(read_table(out, shard, columns).to_pylist())


def write_rows(out: Path, shard: Shard, rows: Sequence[Mapping[str, Any]], about: Mapping[str, Any]) -> None:
    """The rows of a shard, which count as answered when the Parquet file has its name: it comes last."""
    table = tables.as_table(rows, about["columns"])
    if about["jsonl"]:
        lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in table.to_pylist())
        write(out / JSON_LINES / f"{shard.name}.jsonl", lines.encode())
    write(rows_of(out, shard.name), tables.as_parquet(table))
