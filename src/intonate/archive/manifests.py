"""Lists of sounds: a table with a column of files, JSON objects (NeMo's manifests), or a file on each line.

They may have millions of rows, so they are read row by row, all but a JSON array.
"""

from __future__ import annotations

import csv
import itertools
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from intonate.archive.places import Entry, beside, file_entry, is_url, open_place, path_of
from intonate.audio import stretches
from intonate.errors import ArchiveError, first_line

JSON = (".json", ".jsonl", ".ndjson")
TABLES, LINES = (".csv", ".tsv", *JSON), ".txt"
SUFFIXES = (*TABLES, LINES)
# Rows that tell whether a `start_time` is one in the sound or a date: enough for a look, few enough to keep.
LOOKED_AT = 1000
EXPECTED = "expected a file, and start and end (or a duration) in seconds"


def manifest_entries(name: str) -> Iterator[Entry]:
    """What a manifest names: `file`, and `start` and `end` (or a `duration` from the start on) in seconds.

    A path is relative to the manifest's folder. A file that is not there is an answer of its own, later; so is a row
    with a time that is no number, or without a file.

    Raises:
        ArchiveError: it is no such table, no row is one, or it is not text in UTF-8 or UTF-16.
    """
    suffix = Path(path_of(name)).suffix.lower()
    with open_place(name) as stream:
        lines = _lines(stream, name)
        if suffix == LINES:
            for line in lines:
                if line.strip():
                    yield _listed(name, line.strip(), 0.0, None)
            return
        wrong_place, has_right_rows = "", False
        for place, cells in _json_rows(lines, name) if suffix in JSON else _rows(lines, name):
            texts = {column: cell.strip() for column, cell in cells.items()}
            if texts and not any(texts.values()):
                continue
            entry = _entry_of_row(name, place, texts)
            has_right_rows |= not entry.problem
            wrong_place = wrong_place or place * bool(entry.problem)
            yield entry
    if wrong_place and not has_right_rows:
        raise ArchiveError(
            f"{name}, {wrong_place}: {EXPECTED}, and no row has them; mend the table, or give a column that is of "
            "something else another name"
        )


def _lines(stream: BinaryIO, name: str) -> Iterator[str]:
    """The lines of a text, with their ends."""
    for number, line in enumerate(stream):
        if number == 0 and line.startswith((b"\xff\xfe", b"\xfe\xff")):
            yield from (line + stream.read()).decode("utf-16").splitlines(keepends=True)
            return
        try:
            yield line.decode("utf-8-sig" if number == 0 else "utf-8")
        except UnicodeDecodeError as error:
            raise ArchiveError(
                f"{name}, line {number + 1} is not text in UTF-8 ({error.reason}); save the table as CSV UTF-8 (in "
                "Excel: Save as, 'CSV UTF-8')"
            ) from error


def _rows(lines: Iterator[str], name: str) -> Iterator[tuple[str, Mapping[str, str]]]:
    """Where each row of a CSV (comma, semicolon or tab) ends, and its cells by what they are."""
    header = next(lines, "")
    delimiter = max("\t;,", key=header.count)
    names = [cell.strip().lower() for cell in next(csv.reader([header], delimiter=delimiter), [])]
    if "file" not in stretches.places(names):
        raise ArchiveError(f"{name} has no column named file; it has {', '.join(names)}")
    rows = csv.reader(lines, delimiter=delimiter)
    try:
        numbered = ((rows.line_num + 1, row) for row in rows if row)
        first = list(itertools.islice(numbered, LOOKED_AT))
        places = stretches.places(names, rows=[row for _, row in first])
        for number, row in itertools.chain(first, numbered):
            yield f"row {number}", {column: row[at] for column, at in places.items() if at < len(row)}
    except csv.Error as error:
        raise ArchiveError(f"{name}, row {rows.line_num + 1} cannot be read as CSV: {first_line(error)}") from error


def _json_rows(lines: Iterator[str], name: str) -> Iterator[tuple[str, Mapping[str, str]]]:
    """Which line or item each JSON object is, and its values by what they are."""
    objects = _json_objects(lines, name)
    first = list(itertools.islice(objects, LOOKED_AT))
    names = list(dict.fromkeys(key for _, row in first for key in row))
    unused = stretches.no_times(names, [[row.get(key, "") for key in names] for _, row in first])
    for place, row in itertools.chain(first, objects):
        values = {key: text for key, text in row.items() if key not in unused}
        texts = list(values.values())
        yield place, {column: texts[at] for column, at in stretches.places(list(values)).items()}


def _json_objects(lines: Iterator[str], name: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Which line or item each JSON object is, and its values as texts."""
    for place, row in _json_values(lines):
        if not isinstance(row, dict):
            raise ArchiveError(
                f'{name}, {place} is no JSON object like {{"audio_filepath": "a.wav", "offset": 0.5, "duration": 2}}; '
                "write one on each line, or an array of them"
            )
        yield place, {key: str(value) for key, value in row.items() if value is not None}


def _json_values(lines: Iterator[str]) -> Iterator[tuple[str, Any]]:
    """The value on each line, or the items of one array; None for what is no JSON."""
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        is_array = number == 1 and line.lstrip().startswith("[")
        text = line + "".join(lines) if is_array else line
        try:
            value: Any = json.loads(text)
        except ValueError:
            value, is_array = None, False
        if is_array:
            yield from ((f"item {item_number}", item) for item_number, item in enumerate(value, start=1))
        else:
            yield f"line {number}", value


def _entry_of_row(manifest: str, place: str, texts: Mapping[str, str]) -> Entry:
    """What a row of a manifest names; where it has no file, or a time that is no number, that is its problem."""
    if not texts.get("file"):
        return Entry(f"{manifest}, {place}", manifest, problem=f"{manifest}, {place}: {EXPECTED}")
    try:
        return _listed(manifest, texts["file"], *stretches.stretch(texts))
    except ValueError as error:
        problem = f"{manifest}, {place}: {error}"
        return _listed(manifest, texts["file"], 0.0, None)._replace(problem=problem, size=0)


def _listed(manifest: str, path: str, start_s: float, end_s: float | None) -> Entry:
    path = beside(manifest, path)
    entry = Entry(path, path) if is_url(path) else file_entry(path)
    return entry._replace(start_s=start_s, end_s=end_s)
