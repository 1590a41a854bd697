"""Manifests: a corpus, or several, as one CSV that pandas, audformat and a spreadsheet can read.

Columns `file,start,end,emotion,speaker,…`; `file` is relative to the manifest's own folder, `start` and `end` are
seconds (`end` empty for the end of the file), `soft_labels` and `ratings` are JSON. Reading takes any CSV that has at
least a file and an emotion column, under the names that people give them. Ratings may also stand in columns of their
own (arousal, valence, dominance), and a row that has any needs no emotion. Nor does one with a cell in the column
`labels`, which has several at once: `happy; laughing`, `happy|laughing`, or a list; `[]` is a clip with none of them.
"""

from __future__ import annotations

import ast
import csv
import io
import json
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from intonate.audio import stretches
from intonate.corpora import table_notes
from intonate.corpora.overlap import first_few
from intonate.corpora.table_text import (
    cells_of,
    data_lines,
    file_in,
    json_rows,
    known,
    read_text,
    refuse_answers,
    refuse_faulty_rows,
)
from intonate.emotions import EMOTIONS, LABEL_SEPARATORS, canonical, canonical_or_same
from intonate.errors import CorpusError, LabelError
from intonate.schema import Utterance

COLUMNS = (
    "file",
    "start",
    "end",
    "emotion",
    "speaker",
    "corpus",
    "raw_label",
    "gender",
    "age",
    "language",
    "sentence",
    "intensity",
    "text",
    "soft_labels",
    "ratings",
    "labels",
)
# Column -> other names that it goes by, as `stretches.column_name` writes them.
ALIASES: dict[str, tuple[str, ...]] = {
    **{column: names[1:] for column, names in stretches.COLUMNS.items()},
    "emotion": ("label", "emotion_label", "target", "emoclass"),
    "speaker": ("speaker_id", "speaker_name", "spk", "spk_id", "spkrid", "actor", "client_id"),
    "gender": ("sex",),
    "text": ("transcript", "transcription"),
    "language": ("lang",),
    "labels": ("emotions",),
}
# Ratings that may have columns of their own, and other names of these; MSP-Podcast's are the last.
RATINGS: dict[str, tuple[str, ...]] = {
    "arousal": ("activation", "emoact"),
    "valence": ("emoval",),
    "dominance": ("emodom",),
}
# What the side of a split that a row belongs to is called; a table need not have one.
FOLD_NAMES = ("fold", "split", "partition", "subset", "set")
GENDERS = {"f": "female", "w": "female", "woman": "female", "m": "male", "man": "male"}
# The corpus of rows that name none.
OWN = "table"
# Of a header, in a message.
SHOWN_COLUMNS = 20


@dataclass(frozen=True)
class _Rows:
    """The rows that can be understood, of each its fold and the text of its columns; and what is wrong with others."""

    utterances: list[Utterance]
    folds: list[str]
    cells: list[Mapping[str, str]]
    problems: list[CorpusError | LabelError]
    unused_columns: list[str]


def write(path: str | os.PathLike[str], utterances: Iterable[Utterance]) -> None:
    """Write a manifest; files are named relative to its folder (absolutely on another drive).

    Raises:
        CorpusError: the folder of `path` does not exist, or a name is no text, so that no table can hold it.
    """
    path, utterances = Path(path), list(utterances)
    if not path.parent.is_dir():
        raise CorpusError(f"{path.parent} is not a folder; make it first, or write the manifest elsewhere")
    undecoded_paths = [row.path for row in utterances if row.path != row.path.encode(errors="ignore").decode()]
    if undecoded_paths:
        raise CorpusError(
            f"{first_few(undecoded_paths, 3)}: these names are not in UTF-8, and a table is; rename the files first"
        )
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        rows.writeheader()
        for utterance in utterances:
            rows.writerow(
                {
                    "file": relative(utterance.path, path.parent),
                    "start": number(utterance.start_s),
                    "end": number(utterance.end_s),
                    "age": number(utterance.age),
                    "soft_labels": json.dumps(dict(utterance.soft_labels)) if utterance.soft_labels else "",
                    "ratings": json.dumps(dict(utterance.ratings)) if utterance.ratings else "",
                    "labels": "" if utterance.labels is None else json.dumps(utterance.labels, ensure_ascii=False),
                    **{
                        column: getattr(utterance, column)
                        for column in COLUMNS
                        if column not in ("file", "start", "end", "age", "soft_labels", "ratings", "labels")
                    },
                }
            )


def read(path: str | os.PathLike[str], any_label: bool = False) -> list[Utterance]:
    """Read a manifest, or any CSV (comma, semicolon or tab) with a file and an emotion column.

    Args:
        path: the table.
        any_label: take labels that are no emotion as they are, and rows and tables without one.

    Files are looked for beside the manifest. A row that names no corpus belongs to `table`, and a speaker is put
    under its corpus (`table/anna`) unless its name has a slash already.

    Raises:
        CorpusError: the file is missing or no such table, or names audio files that do not exist (listed at once).
        LabelError: an emotion is not known; the message names file, line and the nearest one. Of several faulty rows
            all are named.
    """
    return _read_sound(path, any_label).utterances


def read_with_notes(path: str | os.PathLike[str], any_label: bool = False) -> tuple[list[Utterance], list[str]]:
    """`read`, and sentences on what was not used, or is odd (`table_notes`); it looks at how long the files are.

    Raises:
        CorpusError, LabelError: as in `read`.
    """
    rows = _read_sound(path, any_label)
    notes = table_notes.notes_on(rows.cells, rows.utterances)
    if rows.unused_columns:
        notes.insert(0, f"columns not used: {first_few(rows.unused_columns, SHOWN_COLUMNS)}")
    return rows.utterances, [f"{Path(path).name}: {note}." for note in notes]


def _read_sound(path: str | os.PathLike[str], any_label: bool) -> _Rows:
    rows = _read(Path(path), any_label)
    refuse_faulty_rows(Path(path), rows.problems)
    _refuse_missing_files([utterance.path for utterance in rows.utterances], Path(path))
    return rows


def read_all(path: str | os.PathLike[str]) -> tuple[list[Utterance], list[CorpusError | LabelError]]:
    """The rows of a manifest that can be understood, whether their files exist or not, and what is wrong with the rest.

    Raises:
        CorpusError: the file is missing or is no such table.
    """
    rows = _read(Path(path))
    return rows.utterances, rows.problems


def read_with_folds(
    path: str | os.PathLike[str], any_label: bool = False
) -> tuple[list[Utterance], list[str], list[CorpusError | LabelError]]:
    """`read_all`, with the fold of each row between: train, test, a number…; empty where the table names none.

    Args:
        path: the table.
        any_label: as in `read`.

    Raises:
        CorpusError: as in `read_all`.
    """
    rows = _read(Path(path), any_label)
    return rows.utterances, rows.folds, rows.problems


def _read(path: Path, any_label: bool = False) -> _Rows:
    if not path.is_file():
        problem = "is a folder" if path.is_dir() else "does not exist"
        raise CorpusError(f"{path} {problem}; expected a CSV with the columns file and emotion")
    rows = read_rows(path)
    header = rows[0][1] if rows else []
    columns = _column_positions(header, [row for _, row in rows[1:]], path, any_label)
    if not any(any(row) for _, row in rows[1:]):
        raise CorpusError(f"{path} has a header and no rows; expected a row for each recording")
    fold_place = stretches.places(header, {"fold": FOLD_NAMES})
    unused = [name.strip() for place, name in enumerate(header) if place not in columns.values() and name.strip()]
    found = _Rows([], [], [], [], unused)
    for line, row in rows[1:]:
        if any(row):
            cells = cells_of(row, columns, header)
            try:
                found.utterances.append(_parse_row(cells, path, line, any_label))
            except (CorpusError, LabelError) as error:
                found.problems.append(error)
            else:
                found.cells.append(cells)
                found.folds.append(cells_of(row, fold_place, header).get("fold", ""))
    return found


def read_rows(path: Path) -> list[tuple[int, list[str]]]:
    """The line at which each row of a CSV (comma, semicolon or tab) ends, and its cells; empty rows are rows, too.

    A table with a JSON object on each line is read as well: its first row, of line 0, has the names of the columns.

    Raises:
        CorpusError: it is no such file.
    """
    text = read_text(path)
    if (rows_of_json := json_rows(text, path)) is not None:
        return rows_of_json
    try:
        skipped, text = data_lines(text)
        header = io.StringIO(text).readline()
        rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter(header))
        return [(rows.line_num + skipped, row) for row in rows]
    except csv.Error as error:
        raise CorpusError(f"{path} cannot be read as a CSV in UTF-8 ({error})") from error


def delimiter(header: str) -> str:
    """What separates the columns of a table, by its first line."""
    return max("\t;,", key=header.count)


def _column_positions(
    header: list[str], rows: Sequence[list[str]], path: Path, any_label: bool = False
) -> dict[str, int]:
    """Column -> its place in a row."""
    other_names = ALIASES | RATINGS
    aliases = {column: (column, *other_names.get(column, ())) for column in (*stretches.COLUMNS, *COLUMNS, *RATINGS)}
    columns = stretches.places(header, aliases, rows)
    names = {stretches.column_name(name) for name in header}
    if "labels" in columns and "emotion" in columns and "emotion" not in names:
        columns["best"] = columns.pop("emotion")
    needs_no_emotion = any_label or not columns.keys().isdisjoint(("labels", "ratings", *RATINGS))
    for required_column in ("file",) if needs_no_emotion else ("file", "emotion"):
        if required_column not in columns:
            names_text = ", ".join((required_column, *ALIASES[required_column]))
            raise CorpusError(
                f"{path} has no column {required_column!r}: it has {first_few(header, SHOWN_COLUMNS) or 'none'}; "
                f"expected {names_text}"
            )
    if "emotion" in columns and not any_label:
        refuse_answers(path, header, columns["emotion"])
    return columns


def _parse_row(cells: Mapping[str, str], path: Path, line: int, any_label: bool = False) -> Utterance:
    cell = dict(cells)
    location = f"{path}, line {line}"
    if not cell["file"]:
        raise CorpusError(f"{location}: the file column is empty")
    ratings = _parse_json_numbers(cell.get("ratings", ""), "ratings", '{"valence": 2.5, "arousal": 3}', location)
    ratings |= {name: _parse_number(cell[name], name, location) for name in RATINGS if cell.get(name)}
    labels = parse_labels(cell.get("labels", ""), location)
    # What stands beside labels as `label` is the best of them, in answers of a model, or none (`unsure`).
    cell["emotion"] = cell.get("emotion", cell.get("best", "") if labels is None else "")
    canonical_name = canonical_or_same if any_label else canonical
    try:
        emotion = cell["emotion"]
        if not emotion and "emotion" in cells and not ratings and labels is None and not any_label:
            raise LabelError("the emotion is empty; fill it or drop the row")
        if emotion:
            emotion = canonical_name(emotion)
        elif labels and len(labels) == 1 and labels[0] in EMOTIONS:
            emotion = labels[0]
        shares = _parse_json_numbers(
            cell.get("soft_labels", ""), "soft_labels", '{"happy": 0.7, "neutral": 0.3}', location
        )
        soft_labels = {canonical_name(name): share for name, share in shares.items()}
    except LabelError as error:
        raise LabelError(f"{location}: {error}") from None
    corpus = cell.get("corpus", "") or OWN
    speaker = known(cell.get("speaker", ""))
    gender = known(cell.get("gender", "")).lower()
    start_s, end_s = parse_stretch(cell, location)
    return Utterance(
        path=file_in(path.parent, cell["file"]),
        emotion=emotion,
        raw_label=cell.get("raw_label", "") or cell["emotion"],
        speaker=speaker if "/" in speaker or not speaker else f"{corpus}/{speaker}",
        corpus=corpus,
        start_s=start_s,
        end_s=end_s,
        gender=GENDERS.get(gender, gender),
        age=table_notes.parse_age(cell.get("age", "")),
        language=cell.get("language", ""),
        sentence=cell.get("sentence", ""),
        intensity=cell.get("intensity", ""),
        text=cell.get("text", ""),
        soft_labels=soft_labels,
        ratings=ratings,
        labels=labels,
    )


def parse_labels(text: str, location: str) -> tuple[str, ...] | None:
    """Several labels at once, in their order, emotions under their canonical names; None for an empty cell.

    >>> parse_labels("joy; laughing", "")
    ('happy', 'laughing')

    Raises:
        CorpusError: it begins like a list and is none.
    """
    if not text:
        return None
    names = LABEL_SEPARATORS.split(text)
    if text.startswith("["):
        try:
            names = ast.literal_eval(text)  # as JSON and as pandas write lists of texts
        except (ValueError, SyntaxError):
            names = [None]
    if not all(isinstance(name, str) and "|" not in name for name in names):
        raise CorpusError(
            f'{location}: labels is {text!r}; expected happy; laughing, or a list like ["happy", "laughing"]'
        )
    return tuple(dict.fromkeys(canonical_or_same(name.strip()) for name in names if name.strip()))


def _parse_number(text: str, column: str, location: str) -> float:
    try:
        number_or_nan = float(text)
    except ValueError:
        number_or_nan = math.nan
    if not math.isfinite(number_or_nan):
        raise CorpusError(f"{location}: {column} is {text!r}; expected a number, the mean of its ratings")
    return number_or_nan


def _parse_json_numbers(text: str, column: str, example: str, location: str) -> dict[str, float]:
    try:
        return {name: float(value) for name, value in json.loads(text or "{}").items()}
    except (ValueError, TypeError, AttributeError):
        raise CorpusError(f"{location}: {column} is not JSON like {example}") from None


def parse_stretch(cells: Mapping[str, str], location: str) -> tuple[float, float | None]:
    """From when to when an utterance goes, seconds (`stretches.stretch`).

    Raises:
        CorpusError: these are no numbers, or it ends before it starts.
    """
    try:
        start_s, end_s = stretches.stretch(cells)
    except ValueError as error:
        raise CorpusError(f"{location}: {error}") from None
    if end_s is not None and end_s <= start_s:
        raise CorpusError(f"{location}: the utterance ends at {end_s:g} s, not after its start at {start_s:g} s")
    return start_s, end_s


def _refuse_missing_files(paths: list[str], manifest: Path) -> None:
    """Name every file that is not there: up to ten, then how many more."""
    # Text without a sound is a line of a file, `test.tsv#edcu99z`.
    files = dict.fromkeys(path if os.path.isfile(path) else path.partition("#")[0] for path in paths)
    missing_files = [path for path in files if not os.path.isfile(path)]
    if missing_files:
        raise CorpusError(
            f"{manifest} names {len(missing_files)} files that do not exist: {first_few(missing_files, 10)}; "
            "paths are relative to the manifest's own folder"
        )


def relative(path: str, folder: Path) -> str:
    """A file as a table in `folder` names it."""
    try:
        return Path(os.path.relpath(path, folder)).as_posix()
    except ValueError:  # another drive
        return Path(path).absolute().as_posix()


def number(value: float | None) -> str:
    """The shortest text that reads back as the same number."""
    return "" if value is None else str(int(value)) if value == int(value) else repr(float(value))
