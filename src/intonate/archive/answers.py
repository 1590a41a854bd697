"""The one shard function: sounds in, a row each out. Both engines call it, and nothing else answers.

The same shard gives the same rows, to the last bit, wherever and however often it is answered: the batches that the
model sees follow from the shard alone.
"""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any, BinaryIO

import numpy as np

from intonate.archive import tables
from intonate.archive.containers import audio_column, open_parquet
from intonate.archive.job import Job, model_hash
from intonate.archive.places import Entry, beside, is_url, open_place, path_of
from intonate.archive.shards import Shard
from intonate.audio import decode
from intonate.audio.decode import Source
from intonate.errors import ArchiveError, AudioError, IntonateError, first_line
from intonate.recognizer import builtin
from intonate.recognizer.conversation import with_channel
from intonate.recognizer.recognizer import Failure, Recognizer, load_model

Row = dict[str, Any]
# What is not a file of this machine is kept in memory while it is answered, up to this; beyond, in a temporary file.
MEMORY_BYTES, BLOCK_BYTES = 16_000_000, 2**20
# A store that does not answer is asked again after these, seconds.
PATIENCE_S = (1.0, 4.0, 16.0)
BATCH = 16


def open_job(job: Job) -> Callable[..., list[Row]]:
    """Load the model; `answer(shard, faults, begin)` for as many shards as there are.

    Raises:
        ModelError: the model cannot be loaded.
        ArchiveError: it is another one than the archive was begun with.
    """
    if model_hash(job.model) != job.model_hash:
        raise ArchiveError(f"model {job.model or builtin.DEFAULT} is another one here than where the archive was begun")
    recognizer = load_model(job.model, device=job.device)

    def answer(
        shard: Shard, faults: Mapping[int, str] | None = None, on_begin: Callable[[int], object] = lambda index: None
    ) -> list[Row]:
        return answer_shard(recognizer, job, shard, faults or {}, on_begin)

    return answer


def answer_shard(
    recognizer: Recognizer, job: Job, shard: Shard, faults: Mapping[int, str], on_begin: Callable[[int], object]
) -> list[Row]:
    """A row for each sound of a shard, in its order.

    Args:
        recognizer: the loaded model.
        job: how to answer.
        shard: the sounds.
        faults: {index: why} of those that are not to be touched again: they ended a worker before.
        on_begin: called with the index of each sound before it is opened.

    Raises:
        ArchiveError: not one sound could be fetched from where it lies: credentials ran out, a store is gone. Nothing
            is known of the sounds then, so there are no rows.
    """
    faults = {index: entry.problem for index, entry in enumerate(shard.entries) if entry.problem} | dict(faults)
    while True:
        last_index = [-1]

        def note(index: int, last_index: list[int] = last_index) -> None:
            last_index[0] = index
            on_begin(index)

        try:
            return _answer(recognizer, job, shard, faults, note)
        except IntonateError:
            raise
        except Exception as error:  # a fault of a decoder that it should have told of: a bad file is never an end
            if last_index[0] in faults or last_index[0] < 0:
                raise
            # Again from the start without it, so that the batches are those of the others alone, whoever answers.
            faults[last_index[0]] = (
                f"{shard.entries[last_index[0]].file} cannot be answered: {type(error).__name__}: {error}"
            )


def _answer(
    recognizer: Recognizer, job: Job, shard: Shard, faults: Mapping[int, str], on_begin: Callable[[int], object]
) -> list[Row]:
    rows: dict[int, Row] = {}
    opened_sounds: list[tuple[int, str, int, list[str]]] = []  # in the order of the answers
    unreachable_reasons: list[str] = []

    def sources() -> Iterator[Source]:
        for index, entry in enumerate(shard.entries):
            if index in faults:
                rows[index] = tables.failure(entry, job, faults[index])
                continue
            on_begin(index)
            warnings: list[str] = []
            try:
                source, digest, size = fetch_sound(entry)
                if entry.start_s or entry.end_s is not None:
                    source = _stretch(source, entry, recognizer.spec.sample_rate_hz, job, warnings)
            except AudioError as error:
                rows[index] = tables.failure(entry, job, _with_name(str(error), entry))
                continue
            except ArchiveError as error:
                unreachable_reasons.append(str(error))
                rows[index] = tables.failure(entry, job, str(error))
                continue
            opened_sounds.append((index, digest, size, warnings))
            yield source

    if job.options.get("speakers") is None:
        answers = recognizer.predict_many(sources(), batch_size=BATCH, **job.options)
    else:  # one by one: who else is in the shard must not change an answer
        answers = itertools.chain.from_iterable(
            recognizer.predict_many([one_source], **job.options) for one_source in sources()
        )
    for place, answer in enumerate(answers):
        index, digest, size, warnings = opened_sounds[place]
        entry = shard.entries[index]
        if isinstance(answer, Failure):
            rows[index] = tables.failure(entry, job, _with_name(answer.error, entry), digest, size)
        else:
            # What is told of an array was told of the sound that it is a stretch of.
            own_warnings = (warning for warning in answer.warnings if not warning.startswith("<array>"))
            named = [_with_name(warning, entry) for warning in (*warnings, *own_warnings)]
            rows[index] = tables.row(entry, job, dataclasses.replace(answer, warnings=tuple(named)), digest, size)
    if unreachable_reasons and len(unreachable_reasons) == len(shard.entries) - len(faults):
        raise ArchiveError(f"nothing can be fetched any more: {unreachable_reasons[0]}")
    return [rows[index] for index in range(len(shard.entries))]


def _stretch(source: Source, entry: Entry, rate_hz: int, job: Job, warnings: list[str]) -> Source:
    """The stretch of a sound that an entry is of, at `rate_hz`, with its channels where the job asks for some of them.

    Raises:
        AudioError: as in `decode.load`.
    """
    sounds: list[Source] = [source]
    if "channels" in job.options:
        sounds = [with_channel(source, channel) for channel in range(1, decode.info(source).channels + 1)]
    columns = [decode.load(sound, rate_hz, entry.start_s, entry.end_s, warnings=warnings) for sound in sounds]
    return np.stack(columns, axis=1), rate_hz


def fetch_sound(entry: Entry) -> tuple[Source, str, int]:
    """What the recognizer reads, SHA-256 of its bytes, and how many they are.

    Raises:
        AudioError: it is not there, or cannot be read.
        ArchiveError: a store that is not this machine does not give it out, though it was asked again.
    """
    if not is_url(entry.place):
        try:
            return _fetch_sound(entry)
        except OSError as error:
            reason = f"cannot be read: {error.strerror}"
            if isinstance(error, FileNotFoundError | NotADirectoryError):  # the latter: within a tar
                is_link = os.path.islink(entry.place)
                reason = "is a link to a file that is not there" if is_link else "does not exist"
            raise AudioError(f"{entry.file} {reason}") from error
    waits_s = iter(PATIENCE_S)
    while True:
        try:
            return _fetch_sound(entry)
        except FileNotFoundError as error:
            raise AudioError(f"{entry.file} does not exist") from error
        except IntonateError:
            raise
        except Exception as error:  # as in sources.py
            wait_s = next(waits_s, None)
            if wait_s is None or isinstance(error, PermissionError):
                raise ArchiveError(
                    f"{entry.file} cannot be fetched ({type(error).__name__}: {first_line(error)}); check the "
                    "credentials and the rights, and run the same command again"
                ) from error
            time.sleep(wait_s)


def _fetch_sound(entry: Entry) -> tuple[Source, str, int]:
    digest = hashlib.sha256()
    if entry.offset >= 0 and path_of(entry.place).lower().endswith(".parquet"):
        content = _parquet_value(entry)
        if isinstance(content, str):
            try:
                return fetch_sound(Entry(content, content))
            except AudioError as error:
                raise AudioError(f"{entry.file} holds no bytes but a path, and {error}; put the file there") from error
        return content, hashlib.sha256(content).hexdigest(), len(content)
    with open_place(entry.place) as stream:
        if entry.offset < 0 and not is_url(entry.place):
            return entry.place, *_hash_and_size(stream, digest)
        if entry.offset >= 0:
            stream.seek(entry.offset)
        # Closed, and gone, with its last user.
        memory = tempfile.SpooledTemporaryFile(MEMORY_BYTES)  # noqa: SIM115

        def keep(block: bytes) -> None:
            digest.update(block)
            memory.write(block)

        size = _copy(stream, keep, entry.size if entry.offset >= 0 else None)
        memory.seek(0)
        return memory, digest.hexdigest(), size


def _hash_and_size(stream: BinaryIO, digest: Any) -> tuple[str, int]:
    size = _copy(stream, digest.update)
    return digest.hexdigest(), size


def _copy(stream: BinaryIO, write: Callable[[bytes], object], limit: int | None = None) -> int:
    """Bytes from one place to another, to the end or `limit` of them; how many there were."""
    size = 0
    while block := stream.read(BLOCK_BYTES if limit is None else min(BLOCK_BYTES, limit - size)):
        write(block)
        size += len(block)
    return size


def _parquet_value(entry: Entry) -> bytes | str:
    """The bytes of a sound; where there are none but a path, as of a data set of local files, the place of its file."""
    first_row, column, is_struct = _row_group(entry.place, *_group_of(entry.place, entry.offset))
    value = column[entry.offset - first_row]
    content = (value["bytes"] if is_struct else value).as_py()
    if content is None and is_struct and "path" in value and (path := value["path"].as_py()):
        return beside(entry.place, path)
    if not content:
        raise AudioError(f"{entry.file} holds no bytes")
    return bytes(content)


@lru_cache(maxsize=1)
def _group_sizes(place: str) -> tuple[int, ...]:
    """The rows of each row group."""
    with open_parquet(place) as table:
        return tuple(table.metadata.row_group(group).num_rows for group in range(table.num_row_groups))


def _group_of(place: str, row: int) -> tuple[int, int]:
    """The row group that holds a row, and its first row."""
    first_row = 0
    for group, rows in enumerate(_group_sizes(place)):
        if row < first_row + rows:
            return group, first_row
        first_row += rows
    raise AudioError(f"{place} has no row {row} any more")


@lru_cache(maxsize=1)
def _row_group(place: str, group: int, first_row: int) -> tuple[int, Any, bool]:
    """Its first row, its column of sounds, and whether that is of structs: one group is in memory at a time."""
    with open_parquet(place) as table:
        column, fields = audio_column(table.schema_arrow, place)
        names = [f"{column}.{field}" for field in fields] or [column]
        return first_row, table.read_row_group(group, columns=names)[column], bool(fields)


def _with_name(sentence: str, entry: Entry) -> str:
    """The sentence under the name that the archive has for the sound, where it was read from memory."""
    for name in ("<file>", "<bytes>", "<array>"):
        sentence = sentence.replace(name, entry.file)
    return sentence
