"""How tables say where a sound lies: a column of files, and from when to when in them, as people call and write these.

Manifests of labelled clips and lists of an archive are read by the same names.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

# What is told -> the names that its column goes by, as `column_name` writes them; the first one that is there counts.
COLUMNS: dict[str, tuple[str, ...]] = {
    "file": ("file", "path", "audio_filepath", "filepath", "file_path", "filename", "file_name", "audio", "wav"),
    "start": ("start", "start_s", "begin", "onset", "offset"),
    "end": ("end", "end_s", "offset"),
    "duration": ("duration", "duration_s"),
}
# What begins where an `offset` ends; beside any other start an offset is something else.
_BEFORE_OFFSET = ("begin", "onset")
# Names that are said of other things as well, e.g. of a byte in a file.
_AMBIGUOUS = (*_BEFORE_OFFSET, "offset", "duration", "duration_s")
# What an empty cell is when a program that writes tables has made text of it.
EMPTY = frozenset(("", "nan", "NaN", "NaT", "None", "<NA>"))


def column_name(name: str) -> str:
    """The name of a column however it is written.

    >>> column_name(" Speaker ID")
    'speaker_id'
    """
    return re.sub(r"[\s-]+", "_", name.strip().lower())


def places(
    header: Sequence[str], columns: Mapping[str, Sequence[str]] = COLUMNS, rows: Sequence[Sequence[str]] = ()
) -> dict[str, int]:
    """Where in a row each column stands that is there; a column is one thing only, and none that tells nothing.

    Args:
        header: the names, as they are written: case aside, just so goes first.
        columns: what is told -> the names that it goes by; its first name goes first in its very case.
        rows: the table's; a `begin`, `onset`, `offset` or `duration` that is no time in any of them is not used.

    >>> places(["Onset", "Offset", "Path"])
    {'file': 2, 'start': 0, 'end': 1}
    """
    names = ["" if rows and not _may_tell_times(name, place, rows) else name for place, name in enumerate(header)]
    ways = [
        {spelled(name): place for place, name in reversed(list(enumerate(names)))}
        for spelled in (str.strip, lambda name: name.strip().lower(), column_name)
    ]
    found: dict[str, int] = {}
    for column, aliases in columns.items():
        if column == "end" and ("start" not in found or column_name(names[found["start"]]) not in _BEFORE_OFFSET):
            aliases = [name for name in aliases if name != "offset"]
        for place_of, written in zip(ways, (aliases[:1], aliases, aliases), strict=True):
            here = [place_of[name] for name in written if place_of.get(name, -1) not in (-1, *found.values())]
            if here:
                found[column] = here[0]
                break
    if "start" not in found:
        found.pop("duration", None)  # that of the file
    return found


def _may_tell_times(name: str, place: int, rows: Sequence[Sequence[str]]) -> bool:
    if column_name(name) not in _AMBIGUOUS:
        return True
    times = [_seconds_or_none(row[place].strip()) for row in rows if place < len(row)]
    # Whatever lasts no time in any row is not told.
    return any(times) or ("duration" not in column_name(name) and 0.0 in times)


def _seconds_or_none(text: str) -> float | None:
    try:
        return seconds(text, "")
    except ValueError:
        return None


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
    start_s, end_s = (seconds(cells.get(column, ""), column) for column in ("start", "end"))
    if end_s is None and start_s is not None:
        duration_s = seconds(cells.get("duration", ""), "duration")
        end_s = None if duration_s is None else start_s + duration_s
    return start_s or 0.0, end_s
