"""Recordings that are one and the same: byte for byte under another name, or by their fingerprints."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from intonate.audio.decode import load
from intonate.corpora import fingerprints
from intonate.corpora.fingerprints import Fingerprint
from intonate.corpora.overlap import Indices, Split, first_few
from intonate.errors import AudioError, SplitError
from intonate.features.cache import keys_of
from intonate.processes import processor_count
from intonate.schema import Utterance

# Of the shorter sound, which two that are one recording have in common; with less, two overlap.
COPY_SHARE = 0.7
# Fingerprints kept in a process, of a kilobyte each: the runs of a suite ask for the same ones.
CACHED_FINGERPRINTS = 50_000


def same_recordings(utterances: Sequence[Utterance]) -> tuple[NDArray[np.int64], int]:
    """The first row that is the same recording as each row, (rows,); and how many are exact copies of an earlier one.

    Raises:
        AudioError: files cannot be read; all are named.
    """
    prints = _fingerprints(utterances)
    keys = keys_of(utterances, hashed=True)
    first: dict[str, int] = {}
    group = np.array([first.setdefault(key, place) for place, key in enumerate(keys)], np.int64)
    distinct = list(first.values())
    for match in fingerprints.matches([prints[row] for row in distinct]):
        if match.share >= COPY_SHARE:
            a, b = sorted((group[distinct[match.a]], group[distinct[match.b]]))
            group[group == b] = a
    return group, len(keys) - len(first)


def kept_apart(split: Split, group: NDArray[np.int64]) -> Split:
    """The split without copies across its parts: nothing that is tested is validated or trained on as well.

    What is left out is left out of the training part, or, of the test part's copies, of the validation part too.

    Args:
        split: of the rows that `same_recordings` was given.
        group: what it gave.

    Raises:
        SplitError: nothing would be left to train or validate on.
    """
    validation = _without(split.validation, group, split.test)
    train = _without(split.train, group, np.concatenate([validation, split.test]))
    for name, before, after in (("train", split.train, train), ("validate", split.validation, validation)):
        if len(before) and not len(after):
            raise SplitError(
                f"split {split.name!r}: all clips to {name} on are copies of clips that are tested; remove the copies, "
                "`intonate doctor` lists them"
            )
    return replace(split, train=train, validation=validation)


def left_out(before: Sequence[Split], after: Sequence[Split], utterances: Sequence[Utterance]) -> str:
    """A sentence on the copies that the splits are without; empty if there are none."""
    kept = [np.concatenate([split.train, split.validation]) for split in after]
    dropped = [
        np.setdiff1d(np.concatenate([split.train, split.validation]), rows)
        for split, rows in zip(before, kept, strict=True)
    ]
    rows = max(dropped, key=len, default=np.empty(0, np.int64))
    if not len(rows):
        return ""
    names = first_few([utterances[row].path for row in rows.tolist()], 3)
    return (
        f"{len(rows)} clips to train or validate on, for they are copies of clips that are validated or tested on: "
        f"{names}"
    )


def _without(rows: Indices, group: NDArray[np.int64], others: Indices) -> Indices:
    return rows[~np.isin(group[rows], group[others])]


def _fingerprints(utterances: Sequence[Utterance]) -> list[Fingerprint]:
    with ThreadPoolExecutor(processor_count()) as pool:
        found = list(pool.map(_fingerprint_or_error, utterances))
    if problems := [str(item) for item in found if isinstance(item, AudioError)]:
        more = f"; and {len(problems) - 10} more" if len(problems) > 10 else ""
        raise AudioError(f"{len(problems)} recordings cannot be read: {'; '.join(problems[:10])}{more}")
    return [item for item in found if isinstance(item, Fingerprint)]


def _fingerprint_or_error(utterance: Utterance) -> Fingerprint | AudioError:
    try:
        # What is not there is told by the decoder, as all that cannot be read.
        changed_ns = os.stat(utterance.path).st_mtime_ns if os.path.exists(utterance.path) else 0
        return _fingerprint_of_state(utterance.path, utterance.start_s, utterance.end_s, changed_ns)
    except AudioError as error:
        return error


@lru_cache(CACHED_FINGERPRINTS)
def _fingerprint_of_state(path: str, start_s: float, end_s: float | None, changed_ns: int) -> Fingerprint:
    """Computed once for as long as the file stays."""
    return fingerprints.fingerprint(load(path, fingerprints.RATE_HZ, start_s=start_s, end_s=end_s))
