"""Dimensions beside their ratings: a table that is kept as CSV, and every figure of it.

    file,start,end,corpus,speaker,gender,age,language,statistics,protocol,fold,seed,t:arousal,…,d:arousal,…

`t:` is the truth and `d:` the answer, both from 0 to 1. CCC (Lin 1989) is the figure of the field: it asks that
answers go along with the ratings and lie where they lie. RMSE says how far off an answer is. Rows that were made under
different conditions are never mixed, and intervals come from resampling whole speakers, as for labels.
"""

from __future__ import annotations

import csv
import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from intonate.errors import CorpusError
from intonate.evaluation import metrics
from intonate.evaluation.bootstrap import draws, percentiles, units
from intonate.evaluation.protocol import GROUPS, NOT_KNOWN, counts_of, figure, group_of, sorted_names
from intonate.evaluation.table import Floats, Strings, cell_texts, conditions, parse_cells
from intonate.schema import Utterance

TRUTH, ANSWER = "t:", "d:"
FIGURES: dict[str, Callable[[Floats], Floats]] = {"ccc": metrics.concordance_of_sums, "rmse": metrics.error_of_sums}


@dataclass(frozen=True, eq=False)
class RatingTable:
    """N answers in D dimensions, column by column; the first columns are as in `table.PredictionTable`.

    Attributes:
        dimensions: the D names, in the order of the columns of `truth` and `answer`.
        truth: (N, D) ratings from 0 to 1; NaN where nobody rated.
        answer: (N, D) what the model said, from 0 to 1.

    Raises:
        CorpusError: columns of different lengths, or an answer that is no number.
    """

    file: Strings
    start: Floats
    end: Floats
    corpus: Strings
    speaker: Strings
    gender: Strings
    age: Floats
    language: Strings
    statistics: Strings
    protocol: Strings
    fold: Strings
    seed: NDArray[np.int64]
    dimensions: tuple[str, ...]
    truth: Floats
    answer: Floats

    def __post_init__(self) -> None:
        shape = (len(self.file), len(self.dimensions))
        if any(len(getattr(self, name)) != len(self) for name in columns_of(type(self))) or {
            self.truth.shape,
            self.answer.shape,
        } != {shape}:
            raise CorpusError(f"a table of ratings of {shape[0]} rows needs {shape[0]} of everything, in every column")
        if not np.isfinite(self.answer).all():
            row = int(np.argmax(~np.isfinite(self.answer).all(axis=1)))
            raise CorpusError(f"the answer to row {row + 1} ({self.file[row]}) is no number")

    def __len__(self) -> int:
        return len(self.file)

    def take(self: Table, rows: ArrayLike) -> Table:
        """The rows of a boolean mask or of indices."""
        indices = np.asarray(rows)
        taken = {name: getattr(self, name)[indices] for name in (*columns_of(type(self)), "truth", "answer")}
        return dataclasses.replace(self, **taken)


Table = TypeVar("Table", bound=RatingTable)


def columns_of(kind: type[RatingTable]) -> tuple[str, ...]:
    """The columns of a kind of table with one value to a row."""
    names = (entry.name for entry in dataclasses.fields(kind))
    return tuple(name for name in names if name not in ("dimensions", "truth", "answer"))


def tabulate(
    utterances: Sequence[Utterance], dimensions: Sequence[str], truth: ArrayLike, answer: ArrayLike, **made: Any
) -> RatingTable:
    """A table from the rows of a manifest, their ratings (N, D) and what a model said of them (N, D).

    Args:
        made: how: `statistics`, `protocol`, `fold`, `seed` and `root`, as in `table.tabulate`.
    """
    shape = (len(utterances), len(dimensions))
    numbers = [np.asarray(values, np.float64).reshape(shape) for values in (truth, answer)]
    return RatingTable(
        **conditions(utterances, **made), dimensions=tuple(dimensions), truth=numbers[0], answer=numbers[1]
    )


def concatenate(tables: Iterable[Table]) -> Table:
    """One table of several with the same dimensions (folds, seeds, statistics)."""
    parts = list(tables)
    if len({part.dimensions for part in parts}) != 1:
        raise CorpusError("tables of ratings with different dimensions cannot be joined; score them one by one")
    names = (*columns_of(type(parts[0])), "truth", "answer")
    joined: dict[str, Any] = {name: np.concatenate([getattr(part, name) for part in parts]) for name in names}
    return dataclasses.replace(parts[0], **joined)


def write(table: RatingTable, path: Path | str) -> Path:
    """Write the table as CSV (UTF-8, a header, empty fields where nothing is known)."""
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    names = columns_of(type(table))
    columns = [cell_texts(name, getattr(table, name)) for name in names]
    numbers = np.hstack([table.truth, table.answer]).tolist()
    with target.open("w", encoding="utf-8", errors="backslashreplace", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow([*names, *(mark + name for mark in (TRUTH, ANSWER) for name in table.dimensions)])
        for fields, row in zip(zip(*columns, strict=True), numbers, strict=True):
            writer.writerow([*fields, *("" if value != value else repr(value) for value in row)])
    return target


def read(path: Path | str) -> RatingTable:
    """Read a table of ratings back; errors as of `read_as`."""
    return read_as(path, RatingTable)


def read_as(path: Path | str, kind: type[Table]) -> Table:
    """Read a table of a kind back.

    Raises:
        CorpusError: the file is missing or is no such table.
    """
    try:
        with Path(path).open(encoding="utf-8-sig", newline="") as stream:
            rows = csv.DictReader(stream)
            body, header = list(rows), rows.fieldnames or []
        dimensions = tuple(name.removeprefix(TRUTH) for name in header if name.startswith(TRUTH))

        def numbers(mark: str) -> Floats:
            values = [[row[mark + name] or "nan" for name in dimensions] for row in body]
            return np.array(values, np.float64).reshape(len(body), len(dimensions))

        columns = {name: parse_cells(name, [row[name] for row in body]) for name in columns_of(kind)}
        return kind(**columns, dimensions=dimensions, truth=numbers(TRUTH), answer=numbers(ANSWER))
    except (OSError, UnicodeDecodeError, csv.Error, KeyError, TypeError, ValueError) as error:
        raise CorpusError(f"{path} is no table of such answers that intonate wrote ({error})") from error


def scores(table: RatingTable, repeats: int = 1000, times: Mapping[str, float] | None = None) -> dict[str, Any]:
    """All figures of a table.

    Args:
        table: the answers; several corpora, folds, seeds, statistics and protocols may be in it.
        repeats: bootstrap resamples per interval.
        times: what the run took; copied as it is.

    Returns:
        `{"dimensions", "conditions": [{"protocol", "statistics", "utterances", "speakers", "unit", "overall":
        {dimension: {figure: {value, low, high}}}, "groups": {corpus, language, gender, age: {name: {"utterances",
        "speakers", "unit", "overall"}}}}], "times"}`; what is not defined is None.
    """
    found = by_condition(table, lambda part: view(part, repeats))
    return {"dimensions": list(table.dimensions), "conditions": found, "times": dict(times or {})}


def by_condition(table: Table, view_of: Callable[[Table], dict[str, Any]]) -> list[dict[str, Any]]:
    """What `view_of` tells of each pair of protocol and statistics, and in `groups` of each group of rows in it."""
    made = dict.fromkeys(zip(table.protocol.tolist(), table.statistics.tolist(), strict=True))
    protocols, statistics = sorted_names(table.protocol), sorted_names(table.statistics)
    order = sorted(made, key=lambda pair: (protocols.index(pair[0]), statistics.index(pair[1])))
    found = []
    for protocol, statistic in order:
        part = table.take((table.protocol == protocol) & (table.statistics == statistic))
        groups = {
            kind: {
                name: view_of(part.take(group_of(part, kind) == name)) for name in sorted_names(group_of(part, kind))
            }
            for kind in GROUPS
        }
        found.append({"protocol": protocol, "statistics": statistic, **view_of(part), "groups": groups})
    return found


def view(table: RatingTable, repeats: int = 1000) -> dict[str, Any]:
    """CCC and RMSE of each dimension with 95 % intervals over speakers, and of how many clips and speakers."""
    unit, index, count = units(table)
    sums = np.zeros((count, len(table.dimensions), 6))
    np.add.at(sums, index, metrics.moments(table.truth, table.answer))
    resampled = np.tensordot(draws(count, repeats), sums, axes=1)
    whole = sums.sum(axis=0)
    overall = {}
    for place, name in enumerate(table.dimensions):
        overall[name] = {
            key: figure(float(of(whole[place])), *percentiles(of(resampled[:, place]))) for key, of in FIGURES.items()
        }
    return {**counts_of(table), "unit": unit, "overall": overall}


def is_group_of_interest(groups: Mapping[str, Any]) -> bool:
    """Whether there is something to compare: two groups of which anything is known."""
    return len(groups.keys() - {NOT_KNOWN}) > 1
