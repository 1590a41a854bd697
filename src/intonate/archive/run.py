"""An archive from its sources to its table: planned, answered by an engine, written shard by shard, with a bar."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

from intonate.archive import cluster, folder, local, tables
from intonate.archive.job import Job, model_hash
from intonate.archive.progress import Progress
from intonate.archive.shards import FILES, cut
from intonate.archive.sources import Entry, entries, is_url
from intonate.emotions import merged_labels
from intonate.errors import ArchiveError, require
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
    options: dict[str, Any] | None = None,
    show: Callable[[Progress], object] = lambda progress: None,
) -> Progress:
    """Answer every sound that the sources name, once, and write the table to `out`; goes on where a run stopped.

    Args:
        sources: files, folders, globs, manifests (.csv, .tsv, .txt), .tar and .parquet files, here or as URLs.
        out: the folder to write to (`folder.py`).
        model: as in `load_model`.
        workers: processes, or Ray's actors; None for one per processor.
        engine: one of `ENGINES`.
        address: of a Ray cluster; None for this machine.
        jsonl: write JSON lines, too.
        shard_files: how many files a shard has at most; None for `shards.FILES`.
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
    # As Ray's workers see them, too, and a later run from another folder.
    sources = [source if is_url(source) else str(Path(source).absolute()) for source in sources]
    about = _about(sources, model, kept_options, shard_files, jsonl)
    job = Job(str(about["model"]), str(about["model_hash"]), kept_options)
    with folder.open_folder(out, about):
        changed = _plan(sources, out, shard_files or FILES)
        shards_done = folder.finished_shards(out)
        progress = _progress(out, shards_done)
        progress.changed = changed
        pending = (shard for shard in folder.planned_shards(out) if shard.name not in shards_done)
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
                folder.write_rows(out, shard, rows, about)
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


def _plan(sources: Sequence[str], out: Path, shard_files: int) -> int:
    """Plan what is not planned yet: all of it at first, later what is new in the sources.

    Returns:
        How many were planned before with another size.
    """
    planned_sizes = {
        (entry.file, entry.start_s, entry.end_s): entry.size
        for shard in folder.planned_shards(out)
        for entry in shard.entries
    }
    changed = 0

    def new_entries() -> Iterator[Entry]:
        nonlocal changed
        for entry in entries(sources):
            size = planned_sizes.get((entry.file, entry.start_s, entry.end_s))
            if size is None:
                yield entry
            elif size != entry.size:
                changed += 1

    folder.add_plan(out, cut(new_entries(), shard_files))
    return changed
