"""The prediction table: one row per clip and run, kept as CSV. Every figure of a report is computed from it alone.

    file,start,end,corpus,speaker,gender,age,language,emotion,label,abstained,statistics,protocol,fold,seed,p:angry,…

`emotion` is the truth as merged for the task, `label` what the model said, `p:<label>` its probabilities. `statistics`
says whose clips the features were normalised by, `protocol` how training and test were kept apart. Numbers are written
in full, so that the figures computed from the file are the very ones computed in memory.
"""

from __future__ import annotations

import csv
import dataclasses
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from intonate.corpora.overlap import RANDOM
from intonate.errors import CorpusError, did_you_mean
from intonate.schema import Utterance

# What `statistics` usually says: which clips of the speaker the features were normalised by.
CLIP_ALONE = "clip alone"
SPEAKER_NORMALISED = "speaker-normalised"
CLIP_AND_5 = "clip + 5"

# What `protocol` usually says. The second is how the papers' tables were made, and is never printed without the first.
SPEAKER_DISJOINT = "speaker-disjoint"
RANDOM_SPLIT = RANDOM

_PREFIX = "p:"
# Probabilities may be written with few digits by others; two per cent off is no rounding any more.
_SUM_TOLERANCE = 0.02

Strings = NDArray[np.str_]
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class PredictionTable:
    """N predictions over C classes, column by column. Build one with `tabulate` or `read`.

    Attributes:
        file: the audio file of each clip, (N,).
        start: where the clip starts in the file, seconds, (N,).
        end: where it ends, seconds; NaN for the end of the file.
        corpus: catalogue name.
        speaker: unique across corpora; empty where it is not known.
        gender: `female`, `male` or empty.
        age: years; NaN where it is not known.
        language: ISO 639-1 code.
        emotion: the truth, one of `labels`.
        label: the prediction, one of `labels`.
        abstained: whether the model would have said `unsure`.
        statistics: which clips of the speaker the features were normalised by.
        protocol: how training and test were kept apart.
        fold: name of the fold that the row was tested in.
        seed: seed of the training run.
        labels: the C classes, in the order of the columns of `probabilities`.
        probabilities: (N, C), each row summing to one.

    Raises:
        CorpusError: columns of different lengths, an unknown label, a probability that is none, or a row of
            probabilities that does not sum to one.
    """

    file: Strings
    start: Floats
    end: Floats
    corpus: Strings
    speaker: Strings
    gender: Strings
    age: Floats
    language: Strings
    emotion: Strings
    label: Strings
    abstained: NDArray[np.bool_]
    statistics: Strings
    protocol: Strings
    fold: Strings
    seed: NDArray[np.int64]
    labels: tuple[str, ...]
    probabilities: Floats

    def __post_init__(self) -> None:
        count, classes = len(self.file), len(self.labels)
        if self.probabilities.shape != (count, classes):
            raise CorpusError(
                f"a prediction table of {count} rows and {classes} labels needs probabilities of shape "
                f"({count}, {classes}), but they are {self.probabilities.shape}"
            )
        for name in COLUMNS:
            if len(getattr(self, name)) != count:
                raise CorpusError(
                    f"column {name!r} of the prediction table has {len(getattr(self, name))} rows, expected {count}"
                )
        for name in ("emotion", "label"):
            column = getattr(self, name)
            is_unknown = ~np.isin(column, self.labels)
            if is_unknown.any():
                row = int(np.argmax(is_unknown))
                raise CorpusError(
                    f"row {row + 1} of the prediction table has {name} {str(column[row])!r}, which is not among its "
                    f"labels; {did_you_mean(str(column[row]), self.labels)}"
                )
        _check_probabilities(self.probabilities, self.file)

    def __len__(self) -> int:
        return len(self.file)

    @property
    def truth(self) -> NDArray[np.int64]:
        """Index of `emotion` in `labels`, (N,)."""
        return _label_index(self.emotion, self.labels)

    @property
    def predicted(self) -> NDArray[np.int64]:
        """Index of `label` in `labels`, (N,)."""
        return _label_index(self.label, self.labels)

    @property
    def has_scores(self) -> bool:
        """Whether it holds probabilities, and not labels alone (ones and zeros)."""
        return bool(((self.probabilities > 0) & (self.probabilities < 1)).any())

    def take(self, rows: ArrayLike) -> PredictionTable:
        """The rows of a boolean mask or of indices."""
        indices = np.asarray(rows)
        return dataclasses.replace(
            self,
            **{name: getattr(self, name)[indices] for name in COLUMNS},
            probabilities=self.probabilities[indices],
        )

    def where(self, **conditions: Any) -> PredictionTable:
        """The rows in which every named column has the given value, or one of the given values.

        >>> table.where(corpus="ravdess", statistics=("clip alone", "speaker-normalised"))  # doctest: +SKIP

        Raises:
            CorpusError: there is no such column.
        """
        mask = np.ones(len(self), dtype=bool)
        for name, value in conditions.items():
            if name not in COLUMNS:
                raise CorpusError(f"the prediction table has no column {name!r}; {did_you_mean(name, COLUMNS)}")
            is_several = isinstance(value, Collection) and not isinstance(value, str)
            mask &= np.isin(getattr(self, name), list(value) if is_several else [value])
        return self.take(mask)

    def label_sets(self) -> dict[str, tuple[str, ...]]:
        """{corpus: the classes that occur in it as truth}, in the order of `labels`."""
        return {
            str(corpus): tuple(name for name in self.labels if name in set(self.emotion[self.corpus == corpus]))
            for corpus in np.unique(self.corpus)
        }

    def restricted(self, label_sets: Mapping[str, Collection[str]] | None = None) -> PredictionTable:
        """The same predictions, had the model been told which classes each row's corpus has.

        Probabilities of the others become zero, the rest is scaled to a sum of one (uniform if nothing is left), and a
        label that is one of the others is chosen again, from what is left. `abstained` stays as it was: the threshold
        belongs to the open probabilities.

        Args:
            label_sets: {corpus: its classes}; default, the classes that occur in the table. A corpus that is not a
                key keeps all classes.
        """
        sets = self.label_sets() if label_sets is None else label_sets
        is_allowed = np.ones((len(self), len(self.labels)), dtype=bool)
        for corpus, names in sets.items():
            is_allowed[self.corpus == corpus] = np.isin(self.labels, list(names))
        allowed_probabilities = np.where(is_allowed, self.probabilities, 0.0)
        total = allowed_probabilities.sum(axis=1, keepdims=True)
        uniform = is_allowed / np.maximum(is_allowed.sum(axis=1, keepdims=True), 1)
        probabilities = np.where(total > 0, allowed_probabilities / np.where(total > 0, total, 1.0), uniform)
        # Where nothing is left to choose from, the label was wrong, and stays so.
        is_kept = is_allowed[np.arange(len(self)), self.predicted] | (total[:, 0] == 0)
        label_index = np.where(is_kept, self.predicted, probabilities.argmax(axis=1))
        return dataclasses.replace(self, label=np.array(self.labels)[label_index], probabilities=probabilities)


COLUMNS: tuple[str, ...] = tuple(
    entry.name for entry in dataclasses.fields(PredictionTable) if entry.name not in ("labels", "probabilities")
)
# `threshold` is of tables of several labels at once (`multi_label.py`).
_FLOATS = ("start", "end", "age", "threshold")


def tabulate(
    utterances: Sequence[Utterance],
    emotions: Sequence[str],
    labels: Sequence[str],
    probabilities: ArrayLike,
    *,
    statistics: str = CLIP_ALONE,
    protocol: str = SPEAKER_DISJOINT,
    fold: str | int = "",
    seed: int = 0,
    abstain_below: ArrayLike = 0.0,
    root: Path | str | None = None,
) -> PredictionTable:
    """A table from the rows of a manifest and what a model said about them.

    Args:
        utterances: N rows.
        emotions: their true labels as merged for the task, N of `labels`.
        labels: the model's C outputs.
        probabilities: (N, C).
        abstain_below: a best probability under this counts as abstained; one number, or one for each row.
        root: files under this folder are written relative to it.
    """
    scores = np.asarray(probabilities, dtype=np.float64).reshape(len(utterances), len(labels))
    _check_probabilities(scores, np.array([row.path for row in utterances], dtype=np.str_))

    return PredictionTable(
        **conditions(utterances, statistics=statistics, protocol=protocol, fold=fold, seed=seed, root=root),
        emotion=np.array(emotions, dtype=np.str_),
        label=np.array(labels, dtype=np.str_)[scores.argmax(axis=1)],
        abstained=scores.max(axis=1, initial=0.0) < np.asarray(abstain_below),
        labels=tuple(labels),
        probabilities=scores,
    )


def conditions(
    utterances: Sequence[Utterance],
    *,
    statistics: str = CLIP_ALONE,
    protocol: str = SPEAKER_DISJOINT,
    fold: str | int = "",
    seed: int = 0,
    root: Path | str | None = None,
) -> dict[str, Any]:
    """The columns of a table that say what a row is of and how it was made, whatever was predicted."""

    def same(value: str) -> Strings:
        return np.array([value] * len(utterances), dtype=np.str_)

    def column(name: str) -> Strings:
        return np.array([getattr(row, name) for row in utterances], dtype=np.str_)

    def numbers(name: str) -> Floats:
        values = [getattr(row, name) for row in utterances]
        return np.array([np.nan if value is None else value for value in values], dtype=np.float64)

    return {
        "file": np.array([_relative_path(row.path, root) for row in utterances], dtype=np.str_),
        "start": numbers("start_s"),
        "end": numbers("end_s"),
        "corpus": column("corpus"),
        "speaker": column("speaker"),
        "gender": column("gender"),
        "age": numbers("age"),
        "language": column("language"),
        "statistics": same(statistics),
        "protocol": same(protocol),
        "fold": same(str(fold)),
        "seed": np.full(len(utterances), seed, dtype=np.int64),
    }


def concatenate(tables: Iterable[PredictionTable]) -> PredictionTable:
    """One table of several with the same labels (folds, seeds, corpora); their order may differ.

    Raises:
        CorpusError: nothing was given, or the sets of labels differ.
    """
    parts = list(tables)
    if not parts:
        raise CorpusError("no prediction tables were given to concatenate; expected at least one")
    first = parts[0]
    for part in parts:
        if set(part.labels) != set(first.labels):
            raise CorpusError(
                f"prediction tables with different labels cannot be joined: {', '.join(first.labels)} and "
                f"{', '.join(part.labels)}; score them one by one"
            )
    probabilities = [part.probabilities[:, [part.labels.index(name) for name in first.labels]] for part in parts]
    columns: dict[str, Any] = {name: np.concatenate([getattr(part, name) for part in parts]) for name in COLUMNS}
    return dataclasses.replace(first, **columns, probabilities=np.concatenate(probabilities))


def write(table: PredictionTable, path: Path | str) -> Path:
    """Write the table as CSV (UTF-8, a header, empty fields where nothing is known)."""
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    columns = [cell_texts(name, getattr(table, name)) for name in COLUMNS]
    with target.open("w", encoding="utf-8", errors="backslashreplace", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow([*COLUMNS, *(_PREFIX + name for name in table.labels)])
        for fields, scores in zip(zip(*columns, strict=True), table.probabilities.tolist(), strict=True):
            writer.writerow([*fields, *map(repr, scores)])
    return target


def read(path: Path | str) -> PredictionTable:
    """Read a table back.

    Raises:
        CorpusError: the file is missing or is not a prediction table, or a row cannot be used.
    """
    source = Path(path)
    try:
        with source.open(encoding="utf-8-sig", newline="") as stream:
            rows = csv.reader(stream)
            header = next(rows, [])
            body = [row for row in rows if row]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CorpusError(f"prediction table {source} cannot be read ({error}); expected a CSV file") from error
    labels = tuple(name[len(_PREFIX) :] for name in header if name.startswith(_PREFIX))
    missing_columns = [name for name in COLUMNS if name not in header] + ([] if labels else [_PREFIX + "<label>"])
    if missing_columns:
        raise CorpusError(
            f"prediction table {source} lacks the column{'s' * (len(missing_columns) > 1)} "
            f"{', '.join(missing_columns)}; expected {', '.join(COLUMNS)} and one {_PREFIX}<label> per class"
        )
    for number, row in enumerate(body, start=2):
        if len(row) != len(header):
            raise CorpusError(f"line {number} of {source} has {len(row)} fields, expected {len(header)}")
    cells = {name: [row[place] for row in body] for place, name in enumerate(header)}
    try:
        return PredictionTable(
            **{name: parse_cells(name, cells[name]) for name in COLUMNS},
            labels=labels,
            probabilities=np.array([cells[_PREFIX + name] for name in labels], dtype=np.float64)
            .reshape(len(labels), len(body))
            .T.copy(),
        )
    except CorpusError as error:
        raise CorpusError(f"{source}: {error}") from None
    except ValueError as error:
        raise CorpusError(f"prediction table {source} has a field that is not a number ({error})") from None


def _label_index(names: Strings, labels: tuple[str, ...]) -> NDArray[np.int64]:
    order = np.argsort(labels)
    return np.asarray(order[np.searchsorted(np.array(labels)[order], names)], dtype=np.int64)


def _check_probabilities(probabilities: Floats, files: Strings) -> None:
    bad = ~np.isfinite(probabilities).all(axis=1) | (probabilities < 0).any(axis=1)
    bad |= np.abs(probabilities.sum(axis=1) - 1.0) > _SUM_TOLERANCE
    if bad.any():
        row = int(np.argmax(bad))
        raise CorpusError(
            f"the probabilities of row {row + 1} ({files[row]}) must be finite, not negative and sum to one, but are "
            f"{', '.join(f'{value:.4g}' for value in probabilities[row])} (sum {probabilities[row].sum():.4g})"
        )


def _relative_path(path: str, root: Path | str | None) -> str:
    if root is not None and Path(path).is_relative_to(root):
        return Path(path).relative_to(root).as_posix()
    return path


def cell_texts(name: str, column: NDArray[Any]) -> list[Any]:
    """The cells of a column of `COLUMNS`, as they stand in a file."""
    values = column.tolist()
    if name in _FLOATS:
        return ["" if value != value else repr(value).removesuffix(".0") for value in values]
    return ["true" if value else "false" for value in values] if name == "abstained" else values


def parse_cells(name: str, cells: list[str]) -> Any:
    """A column of `COLUMNS` from its cells."""
    if name in _FLOATS:
        return np.array([cell or "nan" for cell in cells], dtype=np.float64)
    if name == "seed":
        return np.array([cell or "0" for cell in cells], dtype=np.int64)
    if name == "abstained":
        # pandas writes True and False.
        return np.array([cell.strip().lower() in ("true", "1") for cell in cells], dtype=np.bool_)
    return np.array(cells, dtype=np.str_)
