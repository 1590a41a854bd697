"""Features computed once: of many clips, in parallel, kept on disk and read as memory.

    analysis = Analysis(16_000, [{"step": "trim"}], {"mel": ("log_mel", {"bands": 80})})
    clips = analyse(utterances, analysis, default_folder())
    clips[0].features["mel"]    # (frames, 80)

What is kept of a clip is found again by the bytes of its file and the stretch of it, whatever its name; by the sample
rate, the cleaning, the front end and its parameters; by the change that it went through before, if any (`Change`); and
by the code that made it (`code_version`). Change any of them and it is computed anew.

<folder>/log_mel-1f2e3d4c5b6a/    a front end with its parameters, after one change and one cleaning, by one code
    what.json                     those, for people to read
    ….pack                        the arrays (`packs.py`)

A folder that nobody has asked for in KEPT_DAYS is deleted. All of it may be deleted at any time.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import multiprocessing
import os
import shutil
import time
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from intonate import features
from intonate.audio.clean import clean
from intonate.audio.decode import load
from intonate.cache_folder import cache_folder
from intonate.errors import AudioError, IntonateError, RecipeError
from intonate.features import packs
from intonate.features.packs import Entry
from intonate.processes import leave_interrupts_to_the_parent, light_start, processor_count
from intonate.schema import Utterance

# What is computed goes to disk whenever this much has come together, or after this long: a process that is killed
# loses no more. Whoever stops it with Ctrl-C loses nothing.
PACK_BYTES, PACK_S = 128_000_000, 60.0
KEPT_DAYS = 60
# Starting a process takes as long as a few dozen clips.
WORTH_A_PROCESS = 64
# Clips that a process takes at a time.
CHUNK = 8
# Files whose bytes are read at once: a disk likes several questions.
READERS = 8


@dataclass(frozen=True)
class Analysis:
    """What is made of every clip.

    Attributes:
        sample_rate_hz: rate that clips are brought to.
        clean: cleaning steps (`intonate.audio.clean`).
        front_ends: {input: (front end, its parameters)}.
    """

    sample_rate_hz: int
    clean: Sequence[Mapping[str, Any]]
    front_ends: Mapping[str, tuple[str, Mapping[str, Any]]]


@dataclass(frozen=True, slots=True)
class ClipFeatures:
    """{input: array, in the front end's own dtype, read-only}, and the samples that were left after cleaning."""

    features: dict[str, NDArray[Any]]
    samples: int


class Change(NamedTuple):
    """What is done to every waveform before it is cleaned: noise, another tempo.

    Attributes:
        apply: `(waveform, sample_rate_hz, clip) -> waveform`, picklable. `clip` names the recording by its bytes and
            the stretch of it: whatever is drawn is drawn from that, so that it is the same wherever it is computed.
        key: tells this change, and the code that does it, from others.
    """

    apply: Callable[[NDArray[np.float32], int, str], NDArray[np.float32]]
    key: str


class _ClipTask(NamedTuple):
    """A stretch of a file, its change, and the front ends (folder name -> name, parameters) that it lacks."""

    path: str
    start_s: float
    end_s: float | None
    clip: str
    change: Change | None
    front_ends: dict[str, tuple[str, Mapping[str, Any]]]


# What a task gives: an entry per front end, or why there is none.
_TaskResult: TypeAlias = dict[str, Entry] | AudioError


def default_folder() -> Path:
    """`$XDG_CACHE_HOME/intonate/features`, or `~/.cache/intonate/features`."""
    return cache_folder("features")


def analyse(
    utterances: Sequence[Utterance],
    analysis: Analysis,
    folder: Path | None = None,
    bar: Callable[[Sequence[_ClipTask]], Iterable[object]] = iter,
    processes: int | None = None,
    changes: Sequence[Change | None] | None = None,
) -> list[ClipFeatures]:
    """The features of every utterance, those that were computed before from disk.

    Args:
        utterances: any number of clips.
        analysis: what to make of them.
        folder: where features are kept; None for nowhere.
        bar: wraps the sequence of what is to be computed in a progress bar.
        processes: how many compute; None for one per processor.
        changes: for each utterance, what is done to it first; None for nothing.

    Raises:
        AudioError: a file cannot be read; it is named. What was computed before it is kept.
        RecipeError: the folder cannot be written to.
    """
    if not analysis.front_ends:  # a model that only reads: no file is opened
        return [ClipFeatures({}, 0) for _ in utterances]
    clip_changes = [None] * len(utterances) if changes is None else list(changes)
    folders: dict[str, dict[str, str]] = {}
    stored: dict[str, dict[str, Entry]] = {}
    keys = keys_of(utterances, hashed=folder is not None or any(clip_changes))
    for change in {_change_key(change): change for change in clip_changes}.values():
        pairs = zip(keys, clip_changes, strict=True)
        change_keys = {key for key, clip_change in pairs if _change_key(clip_change) == _change_key(change)}
        folders[_change_key(change)] = {}
        for name, front_end in analysis.front_ends.items():
            description = _folder_description(analysis, front_end, change)
            folder_name = folders[_change_key(change)][name] = _folder_name(description)
            stored[folder_name] = {}
            if folder is not None:
                stored[folder_name] = _read_packs(_open_folder(folder, folder_name, description), change_keys)
    tasks = {}
    for key, row, change in zip(keys, utterances, clip_changes, strict=True):
        missing_front_ends = {
            folder_name: analysis.front_ends[name]
            for name, folder_name in folders[_change_key(change)].items()
            if key not in stored[folder_name]
        }
        if missing_front_ends and (key, _change_key(change)) not in tasks:
            tasks[key, _change_key(change)] = _ClipTask(
                row.path, row.start_s, row.end_s, key, change, missing_front_ends
            )
    if tasks:
        _compute_tasks(list(tasks.values()), analysis, folder, stored, bar, processes or processor_count())
    results = []
    for key, change in zip(keys, clip_changes, strict=True):
        entries = {name: stored[folder_name][key] for name, folder_name in folders[_change_key(change)].items()}
        samples = next((entry.samples for entry in entries.values()), 0)
        results.append(ClipFeatures({name: entry.array for name, entry in entries.items()}, samples))
    return results


def _change_key(change: Change | None) -> str:
    return "" if change is None else change.key


@cache
def code_version() -> str:
    """Changes with every line of `intonate.audio` and `intonate.features`, and with the libraries under them."""
    digest = hashlib.sha256()
    folder = Path(__file__).parent
    for path in sorted([*folder.glob("*.py"), *(folder.parent / "audio").glob("*.py")]):
        if path.name not in ("cache.py", "packs.py"):
            digest.update(path.read_bytes())
    for library in ("numpy", "soundfile", "soxr"):
        digest.update(importlib.metadata.version(library).encode())
    return digest.hexdigest()[:12]


def _folder_description(
    analysis: Analysis, front_end: tuple[str, Mapping[str, Any]], change: Change | None
) -> dict[str, Any]:
    name, params = front_end
    description = {
        "front_end": name,
        "params": dict(params),
        "clean": [dict(step) for step in analysis.clean],
        "sample_rate_hz": analysis.sample_rate_hz,
        "code": code_version(),
    }
    return description if change is None else description | {"change": change.key}


def _folder_name(description: Mapping[str, Any]) -> str:
    """The name of the folder that holds what this front end makes."""
    digest = hashlib.sha256(json.dumps(description, sort_keys=True).encode()).hexdigest()[:12]
    return f"{description['front_end']}-{digest}"


def keys_of(utterances: Sequence[Utterance], hashed: bool) -> list[str]:
    """What tells a clip from others: its file (by its bytes, where it is to be found again) and the stretch of it."""
    paths = sorted({row.path for row in utterances})
    files = dict(zip(paths, paths, strict=True))
    if hashed:
        with ThreadPoolExecutor(READERS) as pool:
            files = dict(zip(paths, pool.map(_file_digest, paths), strict=True))
    return [f"{files[row.path]} {row.start_s:g}-{'' if row.end_s is None else f'{row.end_s:g}'}" for row in utterances]


def _file_digest(path: str) -> str:
    try:
        status = os.stat(path)
        return _content_digest(path, status.st_size, status.st_mtime_ns)
    except OSError as error:
        raise AudioError(f"{path} cannot be read: {(error.strerror or str(error)).lower()}") from None


@cache
def _content_digest(path: str, size: int, changed_ns: int) -> str:
    """Read once for as long as the file stays: a run asks for copies, features and what it was trained on."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, partial(hashlib.blake2b, digest_size=16)).hexdigest()


def _open_folder(folder: Path, folder_name: str, description: Mapping[str, Any]) -> Path:
    """The folder of a front end, made where it is not there; those of others that have not been used for long go."""
    kind_folder = folder / folder_name
    try:
        kind_folder.mkdir(parents=True, exist_ok=True)
        # Written anew each time: its age is the time of last use.
        (kind_folder / "what.json").write_text(json.dumps(description, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise _folder_error(folder, error) from None
    long_ago = time.time() - KEPT_DAYS * 86_400
    for note in folder.glob("*/what.json"):
        if note.stat().st_mtime < long_ago:
            shutil.rmtree(note.parent, ignore_errors=True)
    for temporary in kind_folder.glob("*.tmp"):
        if temporary.stat().st_mtime < time.time() - 86_400:
            temporary.unlink(missing_ok=True)
    return kind_folder


def _read_packs(folder: Path, keys: set[str]) -> dict[str, Entry]:
    """What the packs of a folder hold of `keys`; a pack that is damaged as a whole is deleted."""
    stored: dict[str, Entry] = {}
    for path in sorted(folder.glob("*.pack")):
        entries = packs.read(path, keys)
        if entries is None:
            path.unlink(missing_ok=True)
        else:
            stored |= entries
    return stored


def _compute_tasks(
    tasks: Sequence[_ClipTask],
    analysis: Analysis,
    folder: Path | None,
    stored: dict[str, dict[str, Entry]],
    bar: Callable[[Sequence[_ClipTask]], Iterable[object]],
    processes: int,
) -> None:
    """Fill `stored` with what the tasks ask for, and keep it, whatever happens."""
    new_entries: dict[str, dict[str, Entry]] = {folder_name: {} for folder_name in stored}
    errors: list[str] = []
    size, last_write_s = 0, time.monotonic()
    results = _task_results(tasks, analysis, processes)
    try:
        for task, _, entries in zip(tasks, bar(tasks), results, strict=True):
            if isinstance(entries, AudioError):
                errors.append(str(entries))
                continue
            for folder_name, entry in entries.items():
                new_entries[folder_name][task.clip] = entry
                size += entry.array.nbytes
            if folder is not None and (size > PACK_BYTES or time.monotonic() - last_write_s > PACK_S):
                _write_packs(folder, new_entries, stored)
                size, last_write_s = 0, time.monotonic()
    finally:
        results.close()
        if folder is None:
            for folder_name, entries in new_entries.items():
                stored[folder_name] |= entries
        else:
            _write_packs(folder, new_entries, stored)
    _raise_errors(list(dict.fromkeys(errors)))


def _write_packs(folder: Path, new_entries: dict[str, dict[str, Entry]], stored: dict[str, dict[str, Entry]]) -> None:
    """Move what is fresh to disk, and from there, as memory, into `stored`."""
    for folder_name, entries in new_entries.items():
        if entries:
            try:
                pack = packs.write(folder / folder_name, entries)
            except OSError as error:
                raise _folder_error(folder, error) from None
            # What cannot be read back is used as it is.
            stored[folder_name] |= entries | (packs.read(pack, entries) or {})
            entries.clear()


def _task_results(tasks: Sequence[_ClipTask], analysis: Analysis, processes: int) -> Generator[_TaskResult, None, None]:
    """What comes of each task, in their order: by several processes, or by this one."""
    analyse_clip = partial(_task_result, analysis.sample_rate_hz, analysis.clean)
    count = 0
    if processes > 1 and len(tasks) >= WORTH_A_PROCESS:
        # A fork of a process that has threads (torch, BLAS) may hang: new ones are spawned.
        spawn = multiprocessing.get_context("spawn")
        pool = ProcessPoolExecutor(processes, spawn, initializer=leave_interrupts_to_the_parent)
        try:
            with light_start():
                results = pool.map(analyse_clip, tasks, chunksize=CHUNK)  # starts the processes
            for result in results:
                yield result
                count += 1
        except BrokenProcessPool:
            pass  # no process can be started here, or one was killed: the rest is done by this one
        finally:
            pool.shutdown(cancel_futures=True)
    yield from map(analyse_clip, tasks[count:])


def _raise_errors(errors: Sequence[str]) -> None:
    """One error about every file that could not be used: up to ten, then how many more."""
    if len(errors) > 1:
        ending = f"; and {len(errors) - 10} more" if len(errors) > 10 else ""
        raise AudioError(f"{len(errors)} clips cannot be used: {'; '.join(errors[:10])}{ending}")
    if errors:
        raise AudioError(errors[0])


def _task_result(sample_rate_hz: int, steps: Sequence[Mapping[str, Any]], task: _ClipTask) -> _TaskResult:
    """What a task gives: one broken file does not hide the others."""
    try:
        return _analyse_clip(sample_rate_hz, steps, task)
    except AudioError as error:
        return error


def _analyse_clip(sample_rate_hz: int, steps: Sequence[Mapping[str, Any]], task: _ClipTask) -> dict[str, Entry]:
    """Decode, change, clean, and ask every front end of a task."""
    waveform = load(task.path, sample_rate_hz, start_s=task.start_s, end_s=task.end_s)
    if task.change is not None:
        waveform = task.change.apply(waveform, sample_rate_hz, task.clip)
    waveform = clean(waveform, sample_rate_hz, steps)
    entries = {}
    for folder_name, (name, params) in task.front_ends.items():
        try:
            array = np.asarray(features.get(name)(waveform, sample_rate_hz, **params))
        except IntonateError:
            raise
        except ValueError as error:
            raise AudioError(f"the front end {name} failed on {task.path}: {error}") from error
        entries[folder_name] = Entry(array, len(waveform))
    return entries


def _folder_error(folder: Path, error: OSError) -> RecipeError:
    return RecipeError(
        f"features cannot be kept in {folder} ({(error.strerror or str(error)).lower()}); "
        "set data.cache to another folder, or to '' to keep none"
    )
