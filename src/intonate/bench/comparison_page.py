"""The comparison as one HTML page: everything inline, no script, nothing fetched, light and dark, down to a phone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape

from intonate.bench import comparison_plots
from intonate.bench.comparison_markdown import Reasons
from intonate.bench.comparison_rows import Row
from intonate.bench.comparison_tables import KINDS, Cell, Section
from intonate.errors import plural
from intonate.evaluation.html import document, glossary, header, html_table, panel

_PLOTS: dict[str, Callable[[Sequence[Row]], str]] = {
    "systems": comparison_plots.systems_plot,
    "corpora": comparison_plots.corpora_plot,
    "left_out": comparison_plots.left_out_plot,
    "noises": comparison_plots.noises_plot,
}
_GLOSSARY = {
    "random (speakers overlap)": "Clips were divided at random, so the same voices are in training and test. Many "
    "papers do this; expect less from a new voice.",
    "speaker-disjoint": "Nobody in the test was heard in training.",
    "UAR": "The share of each class that was recognised, averaged over the classes. Also called UA.",
    "WA": "The share of all clips that were recognised. Also called accuracy.",
    "95 % interval": "Drawn by resampling whole speakers: with other speakers of the same kind the figure would likely "
    "lie there.",
    "folds × seeds": "How many parts of the split were tested in turn, of how many there are, and how many times each "
    "was trained from another random start.",
    "train min": "Minutes of training, all folds and seeds of both splits together.",
    "core-hours": "The same in hours that a processor core was busy for it, the features of the clips not counted.",
    "ms per clip": "From the sound in memory to probabilities.",
    "tried": "Configurations that were compared on validation speakers to find this one.",
}


def render(sections: Sequence[Section], title: str, notes: Sequence[str] = ()) -> str:
    """The page; arguments as in `comparison.write`."""
    rows = [row for section in sections for row in section.rows]
    systems, corpora = len({row.system for row in rows}), len({row.corpus for row in rows})
    lead = f"{plural(systems, 'system')} on {plural(corpora, 'corpus', 'corpora')}. Figures are in %."
    body = [
        header(title, lead, [note for note in notes if note]),
        *(_kind_section(kind, [section for section in sections if section.kind == kind]) for kind in KINDS),
        glossary(_GLOSSARY),
        "<footer><p>A label says what an utterance sounds like, as learnt from the corpora; it is no knowledge of what "
        "a person feels.</p></footer>",
    ]
    return document(title, "".join(body))


def _kind_section(kind: str, sections: Sequence[Section]) -> str:
    """All pictures of one kind side by side, then the tables."""
    if not sections:
        return ""
    tables = "".join(map(_table, sections))
    if kind not in _PLOTS:
        return f"<details><summary>{KINDS[kind]}</summary>{tables}</details>"
    pictures = "".join(panel(section.heading, _PLOTS[kind](section.rows) + _lead_line(section)) for section in sections)
    return f'<h2>{KINDS[kind]}</h2><div class="panels">{pictures}</div>{tables}'


def _lead_line(section: Section) -> str:
    return f'<p class="small muted">{escape(section.lead)}</p>' if section.lead else ""


def _table(section: Section) -> str:
    reasons = Reasons()
    lines = [[_cell(cell, reasons) for cell in line] for line in section.cells]
    table = html_table(section.head, lines, section.text_columns)
    # A command may break anywhere; the many columns of the others stay together as well as they can.
    table = table.replace('<td class="left"><code>', '<td class="left file"><code>')
    reason_items = "".join(f"<li>{escape(reason)}</li>" for reason in reasons.reasons)
    return panel(section.heading, table, "wide" if section.kind == "commands" else "wide tight") + (
        f'<ol class="reasons">{reason_items}</ol>' if reason_items else ""
    )


def _cell(cell: Cell, reasons: Reasons) -> str:
    text = f"<code>{escape(cell.text)}</code>" if cell.code else escape(cell.text)
    small = f"<small>{escape(cell.small)}</small>" if cell.small else ""
    mark = f"<sup>{reasons.number(cell.reason)}</sup>" if cell.reason else ""
    return text + mark + small
