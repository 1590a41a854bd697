"""An archive from its sources to its table: planned, answered by an engine, written shard by shard, with a bar."""

from __future__ import annotations

import contextlib
import itertools
import math
import os
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from intonate.archive import cluster, folder, local, tables
from intonate.archive.job import Job, model_hash
from intonate.archive.places import Entry, Key, is_url
from intonate.archive.progress import Progress
from intonate.archive.shards import FILES, Shard, cut, shard_of
from intonate.archive.sources import entries
from intonate.emotions import merged_labels
from intonate.errors import ArchiveError, require
from intonate.onnx_session import ENVIRONMENT
from intonate.processes import processor_count
from intonate.recognizer import builtin
from intonate.recognizer.recognizer import load_model

ENGINES = ("local", "ray")


def archive(
    sources: Sequence[str],
    out: Path,
    *,
    model: str | None = None,
    workers: int | None = None,
    engine: str = "local",
    address: str | None = None,
    jsonl: bool = False,
    shard_files: int | None = None,
    again: bool = False,
    options: dict[str, Any] | None = None,
    show: Callable[[Progress], object] = lambda progress: None,
) -> Progress:
    """Answer every sound that the sources name, once, and write the table to `out`; goes on where a run stopped.

    Args:
        sources: files, folders, globs, manifests (`manifests.SUFFIXES`), .tar and .parquet files, here or as URLs.
        out: the folder to write to (`folder.py`).
        model: as in `load_model`.
        workers: processes, or Ray's actors; None for one per processor.
        engine: one of `ENGINES`.
        address: of a Ray cluster; None for this machine.
        jsonl: write JSON lines, too.
        shard_files: how many files a shard has at most; None for `shards.FILES`.
        again: answer anew, in the rows that they have, what has an error, and what has changed since it was answered.
        options: of `Recognizer.predict_many`: labels, timeline, transcribe, channels, speakers.
        show: called with how far it is, whenever it is farther.

    Returns:
        What was done, and how fast.

    Raises:
        ArchiveError: a source or the folder cannot be used, or the disk is full. What was answered is kept.
        ModelError: there is no such model.
    """
    require("pyarrow", "archive")
    if engine not in ENGINES:
        raise ArchiveError(f"engine {engine!r} is not known; expected {' or '.join(ENGINES)}")
    if address is not None and engine != "ray":
        raise ArchiveError("an address is that of a Ray cluster; it goes with --engine ray")
    kept_options = {name: value for name, value in (options or {}).items() if value not in (None, False)}
    if in_memory := [source for source in sources if source.startswith("memory://")]:
        raise ArchiveError(f"{in_memory[0]} is in the memory of this process alone, which the workers do not see")
    # As Ray's workers see them, too, and a later run from another folder.
    sources = [source if is_url(source) else os.path.abspath(source) for source in sources]
    about = _about(sources, model, kept_options, shard_files, jsonl)
    job = Job(str(about["model"]), str(about["model_hash"]), kept_options, os.environ.get(ENVIRONMENT))
    with folder.open_folder(out, about):
        notes: list[str] = []
        changed_entries = _plan(sources, out, shard_files or FILES, notes)
        shards_done = folder.finished_shards(out)
        progress = _progress(out, shards_done)
        progress.notes = notes
        finished = (shard for shard in folder.planned_shards(out) if shard.name in shards_done)
        repeats: dict[str, _Repeat] = {}
        if again:
            repeats = {repeat.part.name: repeat for repeat in _repeats(out, finished, changed_entries)}
            progress.files -= sum(len(repeat.places) for repeat in repeats.values())
            progress.size -= sum(repeat.part.size for repeat in repeats.values())
        elif changed_entries:
            touched = (shard for shard in finished if any(entry.key in changed_entries for entry in shard.entries))
            progress.changed = sum(repeat.changed for repeat in _repeats(out, touched, changed_entries))
        unanswered = (shard for shard in folder.planned_shards(out) if shard.name not in shards_done)
        pending = itertools.chain(unanswered, (repeat.part for repeat in repeats.values()))
        show(progress)

        def count_begun(files: int) -> None:
            progress.begun += files
            show(progress)

        if progress.files == progress.total_files:
            return progress
        if engine == "ray":
            answers = cluster.run(pending, job, workers, address)
        else:
            answers = local.run(pending, job, workers or processor_count(), count_begun)
        with contextlib.closing(answers):  # the workers end, whatever happens here
            for shard, rows in answers:
                repeat = repeats.get(shard.name)
                if repeat is None:
                    folder.write_rows(out, shard, rows, about)
                else:
                    folder.write_rows(out, repeat.shard, repeat.merge(folder.read_rows(out, repeat.shard), rows), about)
                progress.add(shard, rows)
                folder.write(out / folder.PROGRESS, progress.to_json().encode())
                show(progress)
    return progress


def _about(
    sources: Sequence[str], model: str | None, options: dict[str, Any], shard_files: int | None, jsonl: bool
) -> dict[str, Any]:
    """What an archive says of itself: all that must be the same for a run to go on with it.

    Raises:
        ModelError: there is no such model, or an option cannot be asked of it.
    """
    recognizer = load_model(model)
    recognizer.predict_many([], **options)  # said before any file is listed
    spec = recognizer.spec
    labels = merged_labels(options["labels"]) if "labels" in options else spec.labels
    return {
        "version": tables.VERSION,
        "sources": sources,
        "model": model or builtin.DEFAULT,
        "model_hash": model_hash(model),
        "options": options,
        "columns": tables.columns(labels, spec.dimensions, spec.events, spec.multi_label),
        "cut": shard_files or FILES,
        "jsonl": jsonl,
    }


def _progress(out: Path, shards_done: Collection[str]) -> Progress:
    """How far an archive is before this run."""
    sizes = [(len(shard.entries), shard.size, shard.name in shards_done) for shard in folder.planned_shards(out)]
    return Progress(
        files=sum(files for files, _, is_done in sizes if is_done),
        total_files=sum(files for files, _, _ in sizes),
        size=sum(size for _, size, is_done in sizes if is_done),
        total_size=sum(size for _, size, _ in sizes),
    )


def _plan(sources: Sequence[str], out: Path, shard_files: int, notes: list[str]) -> dict[Key, Entry]:
    """Plan what is not planned yet: all of it at first, later what is new in the sources; `notes` as in `entries`.

    Returns:
        What was planned before with another size, or has rows from before its last change, as it is listed now.
    """
    planned = {
        entry.key: (entry.size, answered_at)
        for shard in folder.planned_shards(out)
        for answered_at in [folder.answered_at(out, shard.name)]
        for entry in shard.entries
    }
    changed_entries: dict[Key, Entry] = {}

    def new_entries() -> Iterator[Entry]:
        for entry in entries(sources, notes):
            size, answered_at = planned.get(entry.key, (None, math.inf))
            if size is None:
                yield entry
            elif size != entry.size or _is_newer(entry, answered_at):
                changed_entries[entry.key] = entry

    folder.add_plan(out, cut(new_entries(), shard_files))
    return changed_entries


@dataclass(frozen=True, slots=True)
class _Repeat:
    """Some sounds of a shard that has its rows, to be answered anew: their places in it, and how many have changed."""

    shard: Shard
    part: Shard
    places: tuple[int, ...]
    changed: int

    def merge(self, rows: list[dict[str, Any]], part_rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        """The rows of the shard with the new ones in their places."""
        anew = dict(zip(self.places, part_rows, strict=True))
        return [anew.get(place, row) for place, row in enumerate(rows)]


def _is_newer(entry: Entry, answered_at: float) -> bool:
    """Whether a sound was changed after its row was written; a time that is still to come tells nothing."""
    return answered_at < entry.modified_s <= time.time()


def _repeats(out: Path, finished: Iterable[Shard], changed_entries: Mapping[Key, Entry]) -> Iterator[_Repeat]:
    """What has an error, or has changed since its row was written, in shards that have their rows."""
    for shard in finished:
        rows, answered_at = folder.read_rows(out, shard, ["error", "bytes"]), folder.answered_at(out, shard.name)
        listed = [changed_entries.get(entry.key, entry) for entry in shard.entries]
        changed = {
            place
            for place, (entry, row) in enumerate(zip(listed, rows, strict=True))
            if entry.key in changed_entries
            and row["bytes"] is not None
            and (entry.size != row["bytes"] or _is_newer(entry, answered_at))
        }
        failed = {place for place, row in enumerate(rows) if row["error"] is not None}
        if places := tuple(sorted(changed | failed)):
            part = shard_of(tuple(listed[place] for place in places))
            yield _Repeat(shard, part, places, len(changed))
