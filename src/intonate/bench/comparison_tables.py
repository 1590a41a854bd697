"""The tables of a comparison, as data: what stands in which cell, and why a cell is empty."""

from __future__ import annotations

import statistics as averages
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from intonate.bench.comparison_rows import CLEAN, THE_OTHERS, Figure, Row
from intonate.errors import CorpusError
from intonate.evaluation.html import percent
from intonate.evaluation.table import CLIP_ALONE, RANDOM_SPLIT, SPEAKER_DISJOINT

DASH = "–"
NO_REASON = "no reason was given"
NOT_RUN = "not part of this benchmark"
NOT_MEASURED = "not measured"


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of a table.

    Attributes:
        text: what it says.
        small: what it says more quietly: an interval.
        reason: why it says nothing, or what must be known; a number beside it leads to it.
        code: whether `text` is something to type.
    """

    text: str
    small: str = ""
    reason: str = ""
    code: bool = False


# What each kind of table is about, in the order in which they stand.
KINDS = {
    "systems": "The systems: random split beside speaker-disjoint",
    "corpora": "Trained on one corpus, tested on another",
    "left_out": "Tested on a corpus that was left out",
    "noises": "What noise does",
    "commands": "What to type",
}


@dataclass(frozen=True, slots=True)
class Section:
    """A table with its heading, and the rows that its picture is drawn from.

    Attributes:
        kind: what it compares: a key of `KINDS`.
        heading: what tells it from others of its kind.
        lead: a sentence or two under it.
        rows: what it is made of.
        head: names of the columns.
        cells: the table.
        text_columns: so many columns, from the first, are words.
    """

    kind: Literal["systems", "corpora", "left_out", "noises", "commands"]
    heading: str
    lead: str
    rows: tuple[Row, ...]
    head: tuple[str, ...]
    cells: tuple[tuple[Cell, ...], ...]
    text_columns: int = 1


def sections(rows: Iterable[Row]) -> list[Section]:
    """The tables: systems on each corpus, corpora against each other, noises, and what to type for each row.

    Raises:
        CorpusError: there are no rows, or two of them are about the same thing.
    """
    rows = list(rows)
    if not rows:
        raise CorpusError("there is nothing to compare: no rows; expected at least one result")
    _refuse_duplicates(rows)
    noise_rows = [row for row in rows if row.noise]
    left_out_rows = [row for row in rows if row.trained_on == THE_OTHERS]
    cross_rows = [row for row in rows if row.trained_on and row.trained_on != THE_OTHERS and not row.noise]
    system_rows = [row for row in rows if not row.trained_on and not row.noise]
    cross_groups = groups(cross_rows, lambda row: (row.system, row.statistics, row.protocol == RANDOM_SPLIT))
    return [
        *map(_systems_section, groups(system_rows, lambda row: row.corpus)),
        *map(_corpora_section, cross_groups),
        *([_left_out_section(left_out_rows)] if left_out_rows else []),
        *map(_noises_section, groups(noise_rows, _row_identity)),
        *([_commands_section(rows)] if any(row.command for row in rows) else []),
    ]


def groups(rows: Iterable[Row], key: Callable[[Row], Hashable]) -> list[list[Row]]:
    """Rows that have the same key, in the order in which the keys come."""
    rows_of: dict[Hashable, list[Row]] = {}
    for row in rows:
        rows_of.setdefault(key(row), []).append(row)
    return list(rows_of.values())


def distinct(rows: Iterable[Row], value: Callable[[Row], str]) -> list[str]:
    """Values in the order in which they come."""
    return list(dict.fromkeys(map(value, rows)))


def name_of(row: Row) -> tuple[str, str]:
    """The system, and what else it must be told apart by: statistics and protocol where they are not the usual ones."""
    usual = (CLIP_ALONE, RANDOM_SPLIT, SPEAKER_DISJOINT, "")
    return row.system, ", ".join(part for part in (row.statistics, row.protocol) if part not in usual)


def pairs(rows: Sequence[Row]) -> list[tuple[Row | None, Row | None]]:
    """(random, speaker-disjoint) of each system on one corpus; any other split that overlaps stands for random."""
    row_pairs = []
    for group in groups(rows, lambda row: name_of(row)):
        disjoint = [row for row in group if row.protocol == SPEAKER_DISJOINT]
        overlapping = [row for row in group if row.protocol != SPEAKER_DISJOINT]
        row_pairs.append((overlapping[0] if overlapping else None, disjoint[0] if disjoint else None))
    return row_pairs


def gaps(rows: Sequence[Row]) -> list[float]:
    """By how much the random split reads higher, UAR (0…1), of each system that has both: each clip alone."""
    return [
        overlapping.uar.value - disjoint.uar.value
        for overlapping, disjoint in pairs([row for row in rows if row.statistics == CLIP_ALONE])
        if overlapping and disjoint and overlapping.uar and disjoint.uar
        if overlapping.uar.value is not None and disjoint.uar.value is not None
    ]


def snrs(rows: Iterable[Row]) -> list[float]:
    """Signal-to-noise ratios, dB, from quiet noise to loud."""
    return sorted({row.snr_db for row in rows if row.snr_db is not None}, reverse=True)


def shown_noise(name: str) -> str:
    """A noise as readers call it; its name is often that of a file."""
    return "clean clips" if name == CLEAN else name.replace("_", " ")


def interval(figure: Figure) -> str:
    """`54.1–61.9`, or nothing."""
    return "" if figure.low is None or figure.high is None else f"{percent(figure.low)}–{percent(figure.high)}"


def _refuse_duplicates(rows: Sequence[Row]) -> None:
    keys = set()
    for row in rows:
        key = (*_row_identity(row), row.trained_on, row.noise, row.snr_db)
        if key in keys:
            raise CorpusError(f"two rows are about the same thing: {', '.join(str(part) for part in key if part)}")
        keys.add(key)


def _row_identity(row: Row) -> tuple[str, str, str, str]:
    return row.system, row.corpus, row.protocol, row.statistics


def _systems_section(rows: list[Row]) -> Section:
    """One line per system: published, random, speaker-disjoint, and what it costs."""
    cells = []
    for overlapping, disjoint in pairs(rows):
        pair = [row for row in (disjoint, overlapping) if row]
        published_figure = next((row.published for row in pair if row.published), "")
        reason = next((row.unpublished for row in pair if row.unpublished), NO_REASON)
        configurations = [row.configurations_tried for row in pair if row.configurations_tried is not None]
        minutes = [row.train_minutes for row in pair if row.train_minutes is not None]
        core_hours = [row.core_hours for row in pair if row.core_hours is not None]
        cells.append(
            (
                Cell(*name_of(pair[0])),
                Cell(published_figure) if published_figure else Cell(DASH, reason=reason),
                *_score_cells(overlapping),
                *_score_cells(disjoint),
                _fold_cell(overlapping),
                _fold_cell(disjoint),
                _cost_cell(pair, "{:,}", [row.parameters for row in pair], "no network: it has no parameters to count"),
                _cost_cell(pair, "{:,.1f}", [sum(minutes)] if minutes else []),
                _cost_cell(pair, "{:,.2f}", [sum(core_hours)] if core_hours else []),
                _cost_cell(pair, "{:,.1f}", [row.ms_per_clip for row in pair]),
                _cost_cell(pair, "{:,.1f}", [row.megabytes for row in pair]),
                _cost_cell(pair, "{:,}", [max(configurations)] if configurations else []),
            )
        )
    head = (
        *("system", "published", "random: WA", "random: UAR", "speaker-disjoint: WA", "speaker-disjoint: UAR"),
        *("random: folds × seeds", "disjoint: folds × seeds"),
        *("parameters", "train min", "core-hours", "ms per clip", "MB", "tried"),
    )
    return Section(
        "systems", rows[0].corpus, _gap_sentence(gaps(rows)), tuple(rows), head, tuple(cells), text_columns=2
    )


def _gap_sentence(differences: Sequence[float]) -> str:
    if not differences:
        return ""
    median = f"{100 * averages.median(differences):.1f} points"
    range_text = f"{100 * min(differences):.1f} to {100 * max(differences):.1f}"
    systems_text = (
        "for the one system that has both"
        if len(differences) == 1
        else f"the median of {len(differences)} systems; {range_text}"
    )
    return f"Where speakers overlap, UAR reads {median} higher than where they do not ({systems_text})."


def _score_cells(row: Row | None) -> tuple[Cell, Cell]:
    """WA and UAR."""
    if row is None:
        return (Cell(DASH, reason=NOT_RUN),) * 2
    return _figure_cell(row.wa, row.note), _figure_cell(row.uar, row.note)


def _fold_cell(row: Row | None) -> Cell:
    """Folds of how many, and seeds; with the note of the row, which may say why not all."""
    if row is None or not row.folds:
        return Cell(DASH, reason=NOT_RUN if row is None else row.note or NO_REASON)
    return Cell(f"{row.folds} of {row.of_folds} × {row.seeds}", reason=row.note)


def _figure_cell(figure: Figure | None, note: str) -> Cell:
    if figure is None or figure.value is None:
        return Cell(DASH, reason=note or NO_REASON)
    return Cell(percent(figure.value), interval(figure))


def _cost_cell(rows: Sequence[Row], form: str, values: Sequence[float | None], reason: str = NOT_MEASURED) -> Cell:
    measured_values = [value for value in values if value is not None]
    if measured_values:
        return Cell(form.format(measured_values[0]))
    was_run = any(row.uar for row in rows)
    return Cell(DASH, reason=reason if was_run else rows[0].note or NO_REASON)


def _corpora_section(rows: list[Row]) -> Section:
    """A line for each corpus of the training, a column for each of the test."""
    sources, targets = distinct(rows, lambda row: row.trained_on), distinct(rows, lambda row: row.corpus)
    cells = []
    for source in sources:
        row_of = {row.corpus: row for row in rows if row.trained_on == source}
        line = [Cell(source)]
        for target in targets:
            row = row_of.get(target)
            line.append(Cell(DASH, reason=NOT_RUN) if row is None else _figure_cell(row.uar, row.note))
        other_values = [
            row.uar.value for name, row in row_of.items() if name != source and row.uar and row.uar.value is not None
        ]
        line.append(
            Cell(percent(averages.mean(other_values)))
            if other_values
            else Cell(DASH, reason="not tested on any other corpus")
        )
        cells.append(tuple(line))
    own_protocol = SPEAKER_DISJOINT if any(row.protocol == SPEAKER_DISJOINT for row in rows) else rows[0].protocol
    return Section(
        "corpora",
        _system_title(rows[0]),
        f"UAR in %. Each line is a corpus of the training; on its own corpus the split is {own_protocol}.",
        tuple(rows),
        ("trained on", *(f"tested on {name}" for name in targets), "mean of the others"),
        tuple(cells),
    )


def _left_out_section(rows: list[Row]) -> Section:
    """A line for each system, a column for each corpus that it was tested on and not trained on."""
    corpora, cells = distinct(rows, lambda row: row.corpus), []
    for group in groups(rows, name_of):
        row_of = {row.corpus: row for row in group}
        values = [row.uar.value for row in group if row.uar and row.uar.value is not None]
        first, is_whole = group[0], len(values) == len(corpora)
        figures = (
            _figure_cell(row_of[name].uar, row_of[name].note) if name in row_of else Cell(DASH, reason=NOT_RUN)
            for name in corpora
        )
        cells.append(
            (
                Cell(*name_of(first), reason=first.note if values else ""),
                *figures,
                Cell(percent(averages.mean(values))) if is_whole else Cell(DASH, reason=first.note or NOT_RUN),
                _fold_cell(first),
                _cost_cell(group, "{:,.1f}", [first.train_minutes]),
            )
        )
    return Section(
        "left_out",
        "",
        "UAR in %. Each line is trained on all corpora but the one that it is tested on.",
        tuple(rows),
        ("system", *corpora, "mean", "folds × seeds", "train min"),
        tuple(cells),
    )


def _noises_section(rows: list[Row]) -> Section:
    """A line for each noise, a column for each signal-to-noise ratio."""
    ratios = snrs(rows)
    clean = next((row for row in rows if row.noise == CLEAN), None)
    cells = []
    for noise in distinct(rows, lambda row: row.noise):
        row_at = {row.snr_db: row for row in rows if row.noise == noise}
        clean_row = row_at.get(None)
        line = [Cell(shown_noise(noise))]
        if clean_row is None and clean is None:
            line.append(Cell(DASH, reason=NOT_RUN))
        else:
            line.append(_figure_cell((clean_row or clean).uar, (clean_row or clean).note))  # type: ignore[union-attr]
        for ratio in ratios:
            row = row_at.get(ratio)
            reason = "nothing is added here, so there is no ratio" if set(row_at) == {None} else NOT_RUN
            line.append(Cell(DASH, reason=reason) if row is None else _figure_cell(row.uar, row.note))
        cells.append(tuple(line))
    first = rows[0]
    return Section(
        "noises",
        f"{_system_title(first)} on {first.corpus}",
        f"UAR in %, {first.protocol or 'all clips'}. The ratio is that of the clip to the noise laid over it.",
        tuple(rows),
        ("laid over the test clips", "no noise", *(f"{ratio:g} dB" for ratio in ratios)),
        tuple(cells),
    )


def _system_title(row: Row) -> str:
    return f"{row.system}, {row.statistics}" if row.statistics not in (CLIP_ALONE, "") else row.system


def _commands_section(rows: Sequence[Row]) -> Section:
    """What to type for each row; rows that come of the same command share a line."""
    command_groups = groups([row for row in rows if row.command], lambda row: row.command)
    cells = tuple(
        (
            Cell(", ".join(distinct(group, lambda row: row.system))),
            Cell(", ".join(distinct(group, lambda row: row.trained_on or row.corpus))),
            Cell(", ".join(distinct(group, lambda row: row.protocol))),
            Cell(group[0].command, code=True),
        )
        for group in command_groups
    )
    head = ("system", "corpus", "protocol", "command")
    return Section("commands", "", "", tuple(rows), head, cells, text_columns=4)
