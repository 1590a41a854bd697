"""The tables of a comparison, as data: what stands in which cell, and why a cell is empty. And the same as Markdown."""

from __future__ import annotations

import statistics as averages
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from intonate.bench.comparison_rows import CLEAN, Figure, Row
from intonate.errors import CorpusError
from intonate.evaluation.page import percent
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
        left: so many columns, from the first, are words.
    """

    kind: Literal["systems", "corpora", "noises", "commands"]
    heading: str
    lead: str
    rows: tuple[Row, ...]
    head: tuple[str, ...]
    cells: tuple[tuple[Cell, ...], ...]
    left: int = 1


def sections(rows: Iterable[Row]) -> list[Section]:
    """The tables: systems on each corpus, corpora against each other, noises, and what to type for each row.

    Raises:
        CorpusError: there are no rows, or two of them are about the same thing.
    """
    rows = list(rows)
    if not rows:
        raise CorpusError("there is nothing to compare: no rows; expected at least one result")
    _refuse_twins(rows)
    disturbed = [row for row in rows if row.noise]
    crossed = [row for row in rows if row.trained_on and not row.noise]
    compared = [row for row in rows if not row.trained_on and not row.noise]
    return [
        *map(_systems, groups(compared, lambda row: row.corpus)),
        *map(_corpora, groups(crossed, lambda row: (row.system, row.statistics, row.protocol == RANDOM_SPLIT))),
        *map(_noises, groups(disturbed, _whose)),
        *([_commands(rows)] if any(row.command for row in rows) else []),
    ]


def groups(rows: Iterable[Row], key: Callable[[Row], Hashable]) -> list[list[Row]]:
    """Rows that have the same key, in the order in which the keys come."""
    found: dict[Hashable, list[Row]] = {}
    for row in rows:
        found.setdefault(key(row), []).append(row)
    return list(found.values())


def distinct(rows: Iterable[Row], value: Callable[[Row], str]) -> list[str]:
    """Values in the order in which they come."""
    return list(dict.fromkeys(map(value, rows)))


def name_of(row: Row) -> tuple[str, str]:
    """The system, and what else it must be told apart by: statistics and protocol where they are not the usual ones."""
    usual = (CLIP_ALONE, RANDOM_SPLIT, SPEAKER_DISJOINT, "")
    return row.system, ", ".join(part for part in (row.statistics, row.protocol) if part not in usual)


def pairs(rows: Sequence[Row]) -> list[tuple[Row | None, Row | None]]:
    """(random, speaker-disjoint) of each system on one corpus; any other split that overlaps stands for random."""
    found = []
    for group in groups(rows, lambda row: name_of(row)):
        apart = [row for row in group if row.protocol == SPEAKER_DISJOINT]
        overlap = [row for row in group if row.protocol != SPEAKER_DISJOINT]
        found.append((overlap[0] if overlap else None, apart[0] if apart else None))
    return found


def gaps(rows: Sequence[Row]) -> list[float]:
    """By how much the random split reads higher, UAR (0…1), of each system that has both."""
    return [
        overlap.uar.value - apart.uar.value
        for overlap, apart in pairs(rows)
        if overlap and apart and overlap.uar and apart.uar
        if overlap.uar.value is not None and apart.uar.value is not None
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


def _refuse_twins(rows: Sequence[Row]) -> None:
    seen = set()
    for row in rows:
        key = (*_whose(row), row.trained_on, row.noise, row.snr_db)
        if key in seen:
            raise CorpusError(f"two rows are about the same thing: {', '.join(str(part) for part in key if part)}")
        seen.add(key)


def _whose(row: Row) -> tuple[str, str, str, str]:
    return row.system, row.corpus, row.protocol, row.statistics


def _systems(rows: list[Row]) -> Section:
    """One line per system: published, random, speaker-disjoint, and what it costs."""
    cells = []
    for overlap, apart in pairs(rows):
        both = [row for row in (apart, overlap) if row]
        published = next((row.published for row in both if row.published), "")
        why_not = next((row.unpublished for row in both if row.unpublished), NO_REASON)
        tried = [row.configurations_tried for row in both if row.configurations_tried is not None]
        minutes = [row.train_minutes for row in both if row.train_minutes is not None]
        cells.append(
            (
                Cell(*name_of(both[0])),
                Cell(published) if published else Cell(DASH, reason=why_not),
                *_scores(overlap),
                *_scores(apart),
                _done(overlap),
                _done(apart),
                _cost(both, "{:,}", [row.parameters for row in both], "no network: it has no parameters to count"),
                _cost(both, "{:,.1f}", [sum(minutes)] if minutes else []),
                _cost(both, "{:,.1f}", [row.ms_per_clip for row in both]),
                _cost(both, "{:,.1f}", [row.megabytes for row in both]),
                _cost(both, "{:,}", [max(tried)] if tried else []),
            )
        )
    head = (
        *("system", "published", "random: WA", "random: UAR", "speaker-disjoint: WA", "speaker-disjoint: UAR"),
        *("random: folds × seeds", "disjoint: folds × seeds"),
        *("parameters", "train min", "ms per clip", "MB", "tried"),
    )
    return Section("systems", rows[0].corpus, _gap(gaps(rows)), tuple(rows), head, tuple(cells), left=2)


def _gap(found: Sequence[float]) -> str:
    if not found:
        return ""
    middle = f"{100 * averages.median(found):.1f} points"
    ends = f"{100 * min(found):.1f} to {100 * max(found):.1f}"
    of = "for the one system that has both" if len(found) == 1 else f"the median of {len(found)} systems; {ends}"
    return f"Where speakers overlap, UAR reads {middle} higher than where they do not ({of})."


def _scores(row: Row | None) -> tuple[Cell, Cell]:
    """WA and UAR."""
    if row is None:
        return (Cell(DASH, reason=NOT_RUN),) * 2
    return _figure(row.wa, row.note), _figure(row.uar, row.note)


def _done(row: Row | None) -> Cell:
    """Folds of how many, and seeds; with the note of the row, which may say why not all."""
    if row is None or not row.folds:
        return Cell(DASH, reason=NOT_RUN if row is None else row.note or NO_REASON)
    return Cell(f"{row.folds} of {row.of_folds} × {row.seeds}", reason=row.note)


def _figure(figure: Figure | None, note: str) -> Cell:
    if figure is None or figure.value is None:
        return Cell(DASH, reason=note or NO_REASON)
    return Cell(percent(figure.value), interval(figure))


def _cost(rows: Sequence[Row], form: str, values: Sequence[float | None], why_not: str = NOT_MEASURED) -> Cell:
    known = [value for value in values if value is not None]
    if known:
        return Cell(form.format(known[0]))
    done = any(row.uar for row in rows)
    return Cell(DASH, reason=why_not if done else rows[0].note or NO_REASON)


def _corpora(rows: list[Row]) -> Section:
    """A line for each corpus of the training, a column for each of the test."""
    trained, tested = distinct(rows, lambda row: row.trained_on), distinct(rows, lambda row: row.corpus)
    cells = []
    for source in trained:
        found = {row.corpus: row for row in rows if row.trained_on == source}
        line = [Cell(source)]
        for target in tested:
            row = found.get(target)
            line.append(Cell(DASH, reason=NOT_RUN) if row is None else _figure(row.uar, row.note))
        away = [
            row.uar.value for name, row in found.items() if name != source and row.uar and row.uar.value is not None
        ]
        line.append(Cell(percent(averages.mean(away))) if away else Cell(DASH, reason="not tested on any other corpus"))
        cells.append(tuple(line))
    own = SPEAKER_DISJOINT if any(row.protocol == SPEAKER_DISJOINT for row in rows) else rows[0].protocol
    return Section(
        "corpora",
        _title(rows[0]),
        f"UAR in %. Each line is a corpus of the training; on its own corpus the split is {own}.",
        tuple(rows),
        ("trained on", *(f"tested on {name}" for name in tested), "mean of the others"),
        tuple(cells),
    )


def _noises(rows: list[Row]) -> Section:
    """A line for each noise, a column for each signal-to-noise ratio."""
    ratios = snrs(rows)
    clean = next((row for row in rows if row.noise == CLEAN), None)
    cells = []
    for noise in distinct(rows, lambda row: row.noise):
        found = {row.snr_db: row for row in rows if row.noise == noise}
        whole = found.get(None)
        line = [Cell(shown_noise(noise))]
        if whole is None and clean is None:
            line.append(Cell(DASH, reason=NOT_RUN))
        else:
            line.append(_figure((whole or clean).uar, (whole or clean).note))  # type: ignore[union-attr]
        for ratio in ratios:
            row = found.get(ratio)
            reason = "nothing is added here, so there is no ratio" if set(found) == {None} else NOT_RUN
            line.append(Cell(DASH, reason=reason) if row is None else _figure(row.uar, row.note))
        cells.append(tuple(line))
    first = rows[0]
    return Section(
        "noises",
        f"{_title(first)} on {first.corpus}",
        f"UAR in %, {first.protocol or 'all clips'}. The ratio is that of the clip to the noise laid over it.",
        tuple(rows),
        ("laid over the test clips", "no noise", *(f"{ratio:g} dB" for ratio in ratios)),
        tuple(cells),
    )


def _title(row: Row) -> str:
    return f"{row.system}, {row.statistics}" if row.statistics not in (CLIP_ALONE, "") else row.system


def _commands(rows: Sequence[Row]) -> Section:
    """What to type for each row; rows that come of the same command share a line."""
    found = groups([row for row in rows if row.command], lambda row: row.command)
    cells = tuple(
        (
            Cell(", ".join(distinct(group, lambda row: row.system))),
            Cell(", ".join(distinct(group, lambda row: row.trained_on or row.corpus))),
            Cell(", ".join(distinct(group, lambda row: row.protocol))),
            Cell(group[0].command, code=True),
        )
        for group in found
    )
    head = ("system", "corpus", "protocol", "command")
    return Section("commands", "", "", tuple(rows), head, cells, left=4)


def markdown(found: Sequence[Section], title: str, notes: Sequence[str] = ()) -> str:
    """The tables as one Markdown file; see `comparison.write`."""
    parts = [f"# {_plain(title)}"]
    if listed := [f"- {_plain(note)}" for note in notes if note]:
        parts.append("\n".join(listed))
    parts.append(
        "In %, with 95 % intervals over speakers in brackets. UAR (also UA) is the mean of the classes' recalls, WA "
        "the accuracy. In a random split speakers overlap: the same voices are in training and test. *Folds × seeds*: "
        "folds tested, of how many there are, and how often each was trained. *Train min*: all of them together. "
        "*Tried*: configurations compared on validation speakers."
    )
    above = ""
    for section in found:
        parts += [f"## {KINDS[section.kind]}"] if section.kind != above else []
        parts += [f"### {_plain(section.heading)}"] if section.heading else []
        parts += [section.lead] if section.lead else []
        above = section.kind
        notes_of = Reasons()
        lines = [
            "| " + " | ".join(map(_plain, section.head)) + " |",
            "| " + " | ".join("---" if place < section.left else "---:" for place in range(len(section.head))) + " |",
            *("| " + " | ".join(_written(cell, notes_of) for cell in line) + " |" for line in section.cells),
        ]
        parts.append("\n".join(lines))
        if notes_of.listed:
            parts.append("\n".join(f"{number}. {_plain(said)}" for number, said in enumerate(notes_of.listed, 1)))
    return "\n\n".join(parts) + "\n"


@dataclass
class Reasons:
    """The reasons under a table, each once, numbered from 1 as they come."""

    listed: list[str] = field(default_factory=list)

    def number(self, reason: str) -> int:
        if reason not in self.listed:
            self.listed.append(reason)
        return self.listed.index(reason) + 1


def _written(cell: Cell, reasons: Reasons) -> str:
    text = f"`{_plain(cell.text, code=True)}`" if cell.code else _plain(cell.text)
    small = f" ({_plain(cell.small)})" if cell.small else ""
    mark = f" <sup>{reasons.number(cell.reason)}</sup>" if cell.reason else ""
    return text + small + mark


def _plain(text: str, code: bool = False) -> str:
    """Text that Markdown leaves as it is, on one line."""
    line = " ".join(text.split()).replace("|", "\\|")
    return line if code else line.replace("<", "&lt;").replace("*", "\\*").replace("_", "\\_").replace("`", "\\`")
