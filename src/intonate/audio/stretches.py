"""How tables say where a sound lies: a column of files, and from when to when in them, as people call and write these.

Manifests of labelled clips and lists of an archive are read by the same names.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

# What is told -> the names that its column goes by, as `column_name` writes them; the first one that is there counts.
COLUMNS: dict[str, tuple[str, ...]] = {
    "file": ("file", "path", "audio_filepath", "filepath", "file_path", "filename", "file_name", "audio", "wav"),
    "start": (
        *("start", "start_s", "start_sec", "start_seconds", "start_time", "start_time_s", "begin", "begin_s"),
        *("begin_time", "begin_time_ss.msec", "begin_time_hh:mm:ss.ms", "onset", "onset_s", "tmin", "xmin"),
        *("offset", "offset_s"),
    ),
    "start_ms": ("start_ms", "start_msec", "start_time_ms", "begin_ms", "begin_time_msec", "onset_ms", "offset_ms"),
    "end": (
        *("end", "end_s", "end_sec", "end_seconds", "end_time", "end_time_s"),
        *("end_time_ss.msec", "end_time_hh:mm:ss.ms", "tmax", "xmax", "offset", "offset_s"),
    ),
    "end_ms": ("end_ms", "end_msec", "end_time_ms", "end_time_msec", "offset_ms"),
    "duration": ("duration", "duration_s", "duration_sec", "duration_seconds"),
    "duration_ms": ("duration_ms", "duration_msec"),
}
MILLISECONDS = "_ms"
# Names that are said of one thing only; the others also of e.g. a byte in a file.
_CERTAIN = frozenset(("start", "start_s", "start_ms", "end", "end_s", "end_ms"))
_AMBIGUOUS = frozenset(name for column in COLUMNS if column != "file" for name in COLUMNS[column]) - _CERTAIN
# No recording lasts half a year: more is a date.
LONGEST_S = 180 * 86_400
# What an empty cell is when a program that writes tables has made text of it.
EMPTY = frozenset(("", "nan", "NaN", "NaT", "None", "<NA>"))


def column_name(name: str) -> str:
    """The name of a column however it is written.

    >>> column_name(" Speaker ID"), column_name("Start (s)")
    ('speaker_id', 'start_s')
    """
    return re.sub(r"[\s-]+", "_", re.sub(r"[()\[\]]", " ", name).strip().lower())


def places(
    header: Sequence[str], columns: Mapping[str, Sequence[str]] = COLUMNS, rows: Sequence[Sequence[str]] = ()
) -> dict[str, int]:
    """Where in a row each column stands that is there; a column is one thing only, and none that tells nothing.

    Args:
        header: the names, as they are written: case aside, just so goes first.
        columns: what is told -> the names that it goes by; its first name goes first in its very case.
        rows: the table's; a `begin_time`, `onset`, `duration`… that is no time in any of them is not used.

    >>> places(["Onset", "Offset", "Path"])
    {'file': 2, 'start': 0, 'end': 1}
    """
    untold = no_times(header, rows) if rows else set()
    names = ["" if name in untold else name for name in header]
    ways = [
        {spelled(name): place for place, name in reversed(list(enumerate(names)))}
        for spelled in (str.strip, lambda name: name.strip().lower(), column_name)
    ]
    found: dict[str, int] = {}
    for column, aliases in columns.items():
        if column.startswith("end") and not _begins(names, found, ("begin", "onset")):
            # Beside any other start an offset is something else.
            aliases = [name for name in aliases if not name.startswith("offset")]
        for place_of, written in zip(ways, (aliases[:1], aliases, aliases), strict=True):
            here = [place_of[name] for name in written if place_of.get(name, -1) not in (-1, *found.values())]
            if here:
                found[column] = here[0]
                break
    for column in ("start", "end", "duration"):
        if column in found:
            found.pop(column + MILLISECONDS, None)
    if found.keys().isdisjoint(("start", "start_ms")):
        for column in ("duration", "duration_ms"):
            found.pop(column, None)  # that of the file
    return found


def _begins(names: Sequence[str], found: Mapping[str, int], words: tuple[str, ...]) -> bool:
    """Whether the column of starts that was found is called by one of these words."""
    return any(column_name(names[found[key]]).startswith(words) for key in ("start", "start_ms") if key in found)


def no_times(header: Sequence[str], rows: Sequence[Sequence[str]]) -> set[str]:
    """The columns that go by the name of a time and tell none in any of these rows."""
    return {name for place, name in enumerate(header) if not _may_tell_times(name, place, rows)}


def _may_tell_times(name: str, place: int, rows: Sequence[Sequence[str]]) -> bool:
    if column_name(name) not in _AMBIGUOUS:
        return True
    times = [_seconds_or_none(row[place].strip()) for row in rows if place < len(row)]
    # Whatever lasts no time in any row is not told.
    return any(times) or ("duration" not in column_name(name) and 0.0 in times)


def _seconds_or_none(text: str) -> float | None:
    try:
        value = seconds(text, "")
    except ValueError:
        return None
    # A clock that counts from 1970 tells no place in a recording.
    return None if value is not None and value >= LONGEST_S else value


def seconds(text: str, column: str) -> float | None:
    """Seconds, also as pandas and audformat write them, `0 days 00:00:01.500000` or `00:00:01.5`; None for none.

    Raises:
        ValueError: it is no such number, or below zero; the message names the column.
    """
    if text in EMPTY:
        return None
    try:
        days, _, clock = text.rpartition("days")
        # pandas leaves the clock out where every time of a column is midnight: `0 days`.
        clock = clock.strip() or ("0" if days else "")
        parts = [float(part) for part in clock.removesuffix("s").split(":")]
        value = sum(part * 60.0**power for power, part in enumerate(reversed(parts))) + 86_400 * float(days or 0)
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise ValueError(f"{column} is {text!r}; expected a number, zero or more")
    return value


def stretch(cells: Mapping[str, str]) -> tuple[float, float | None]:
    """From when to when a row goes, seconds; None for the end of the file.

    A duration counts from a start on; without one it is that of the file.

    Raises:
        ValueError: as in `seconds`.
    """
    start_s, end_s, duration_s = (_time(cells, column) for column in ("start", "end", "duration"))
    if end_s is None and start_s is not None:
        end_s = None if duration_s is None else start_s + duration_s
    return start_s or 0.0, end_s


def _time(cells: Mapping[str, str], column: str) -> float | None:
    """Seconds, from a column of these or of milliseconds."""
    if (milliseconds := seconds(cells.get(column + MILLISECONDS, ""), column + MILLISECONDS)) is not None:
        return milliseconds / 1000
    return seconds(cells.get(column, ""), column)
