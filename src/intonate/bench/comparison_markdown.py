"""The comparison as one Markdown file: tables with the reasons for their gaps under them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from intonate.bench.comparison_tables import KINDS, Cell, Section


def markdown(tables: Sequence[Section], title: str, notes: Sequence[str] = ()) -> str:
    """The tables as one Markdown file; see `comparison.write`."""
    parts = [f"# {_escaped(title)}"]
    if note_lines := [f"- {_escaped(note)}" for note in notes if note]:
        parts.append("\n".join(note_lines))
    parts.append(
        "In %, with 95 % intervals over speakers in brackets. UAR (also UA) is the mean of the classes' recalls, WA "
        "the accuracy, both among the classes that the corpus has (own classes). In a random split speakers overlap: "
        "the same voices are in training and test. *Folds × seeds*: "
        "folds tested, of how many there are, and how often each was trained. *Train min* and "
        "*core-hours*: all of them together, by the clock and of the processor. "
        "*Tried*: configurations compared on validation speakers."
    )
    last_kind = ""
    for section in tables:
        parts += [f"## {KINDS[section.kind]}"] if section.kind != last_kind else []
        parts += [f"### {_escaped(section.heading)}"] if section.heading else []
        parts += [section.lead] if section.lead else []
        last_kind = section.kind
        reasons = Reasons()
        lines = [
            "| " + " | ".join(map(_escaped, section.head)) + " |",
            "| "
            + " | ".join("---" if column < section.text_columns else "---:" for column in range(len(section.head)))
            + " |",
            *("| " + " | ".join(_markdown_cell(cell, reasons) for cell in line) + " |" for line in section.cells),
        ]
        parts.append("\n".join(lines))
        if reasons.reasons:
            parts.append("\n".join(f"{number}. {_escaped(reason)}" for number, reason in enumerate(reasons.reasons, 1)))
    return "\n\n".join(parts) + "\n"


@dataclass
class Reasons:
    """The reasons under a table, each once, numbered from 1 as they come."""

    reasons: list[str] = field(default_factory=list)

    def number(self, reason: str) -> int:
        if reason not in self.reasons:
            self.reasons.append(reason)
        return self.reasons.index(reason) + 1


def _markdown_cell(cell: Cell, reasons: Reasons) -> str:
    text = f"`{_escaped(cell.text, code=True)}`" if cell.code else _escaped(cell.text)
    small = f" ({_escaped(cell.small)})" if cell.small else ""
    mark = f" <sup>{reasons.number(cell.reason)}</sup>" if cell.reason else ""
    return text + small + mark


def _escaped(text: str, code: bool = False) -> str:
    """Text that Markdown leaves as it is, on one line."""
    line = " ".join(text.split()).replace("|", "\\|")
    return line if code else line.replace("<", "&lt;").replace("*", "\\*").replace("_", "\\_").replace("`", "\\`")
