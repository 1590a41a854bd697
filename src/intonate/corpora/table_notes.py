"""What is odd about the rows of a table that can be read all the same, a sentence each."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from intonate.audio.decode import duration_s
from intonate.corpora.overlap import alike, first_few
from intonate.corpora.table_text import known
from intonate.errors import AudioError
from intonate.schema import Utterance

# How far a row may reach beyond the end of its file: ends are rounded, and some formats tell their length roughly.
LATE_S = 0.5
# Of an end that does not fit its file.
LATE = "milliseconds or samples in place of seconds, or a file that is cut off?"


def parse_age(text: str) -> float | None:
    """Years; None for what is no number, such as `twenties`."""
    try:
        age = float(text)
    except ValueError:
        return None
    return age if 0 <= age < float("inf") else None


def notes_on(cells: Sequence[Mapping[str, str]], utterances: Sequence[Utterance]) -> list[str]:
    """Sentences on rows whose speaker or age is not known, whose speakers have two spellings, and that end too late.

    Args:
        cells: the text of each row's columns, empty where a program wrote that it is.
        utterances: what was made of them.
    """
    nameless = [row["speaker"] for row in cells if row.get("speaker") and not known(row["speaker"])]
    ages = [row["age"] for row in cells if row.get("age") and parse_age(row["age"]) is None]
    return [
        *_of_values("speakers", nameless),
        *_of_values("ages", ages),
        *spelling_notes(row.speaker for row in utterances),
        *_late_notes(utterances),
    ]


def spelling_notes(speakers: Iterable[str]) -> list[str]:
    """A sentence on speakers who may be one person, if there are any."""
    groups = [" and ".join(name.partition("/")[2] or name for name in group) for group in alike(speakers)]
    if not groups:
        return []
    return [f"speakers who may be one person, and count as several: {first_few(groups)}; write each name in one way"]


def _of_values(what: str, values: Sequence[str]) -> list[str]:
    if not values:
        return []
    return [f"{what} taken for not known: {len(values):,} rows say {first_few(list(dict.fromkeys(values)))}"]


def _late_notes(utterances: Sequence[Utterance]) -> list[str]:
    length_of = functools.cache(_length_s)
    late = [row for row in utterances if row.end_s is not None and row.end_s > length_of(row.path) + LATE_S]
    if not late:
        return []
    return [
        f"{len(late):,} rows end after their files do, as at {late[0].end_s:g} s of {Path(late[0].path).name}, which "
        f"is {length_of(late[0].path):.1f} s long ({LATE}); the end of the file counts"
    ]


def _length_s(path: str) -> float:
    try:
        return duration_s(path)
    except AudioError:
        return float("inf")
