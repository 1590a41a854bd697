"""What the pages of figures are made of: the frame, panels, tables, and figures as text.

Everything is inline, without a script, and nothing is fetched; `report.css` has the look, light and dark.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from importlib.resources import files
from typing import Any

from intonate.errors import plural

# Figures that are no shares, printed as they are.
NO_SHARES = ("brier", "nll", "kappa", "ccc", "rmse")


def document(title: str, body: str) -> str:
    """A whole page around its ready-made body, with the look of the house inside it."""
    style = files("intonate.evaluation").joinpath("report.css").read_text(encoding="utf-8")
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>\n{style}</style>\n</head>\n"
        f"<body>\n<main>\n{body}\n</main>\n</body>\n</html>\n"
    )


def header(title: str, lead: str, notes: Sequence[str] = ()) -> str:
    """The head of a page: its title, what it is about in a line, and remarks."""
    items = "".join(f"<li>{escape(note)}</li>" for note in notes)
    notes_html = f'<ul class="notes">{items}</ul>' if items else ""
    return f'<header><h1>{escape(title)}</h1><p class="lead">{escape(lead)}</p>{notes_html}</header>'


def footer(table_file: str, caution: str, times: str = "") -> str:
    """The foot of a page: where its figures come from, and what they are not."""
    times_html = f"<p>Time: {escape(times)}.</p>" if times else ""
    return (
        f'<footer>{times_html}<p>Every figure is computed from <a href="{table_file}">{table_file}</a>; all of them '
        f'are in <a href="metrics.json">metrics.json</a>. {escape(caution)}</p></footer>'
    )


def panel(name: str, content: str, kind: str = "") -> str:
    """A framed part of the page with a heading; what is too wide for it scrolls. `kind="wide"` stands alone."""
    heading = f"<h3>{escape(name)}</h3>" if name else ""
    return f'<section class="panel {kind}">{heading}<div class="scroll">{content}</div></section>'


def html_table(head: Sequence[str], rows: Sequence[Sequence[str]], text_columns: int = 1) -> str:
    """An HTML table of ready-made cells; the first `text_columns` columns are words, the others figures."""
    # A cell that begins with a coloured dot is a word as well.
    is_text = [
        place < text_columns or all(row[place].startswith("<span") for row in rows) for place in range(len(head))
    ]
    alignments = [' class="left"' if word else "" for word in is_text]
    head_html = "".join(f"<th{align}>{escape(name)}</th>" for name, align in zip(head, alignments, strict=True))
    body_html = "".join(
        f"<tr>{''.join(f'<td{align}>{cell}</td>' for cell, align in zip(row, alignments, strict=True))}</tr>"
        for row in rows
    )
    return f"<table><thead><tr>{head_html}</tr></thead><tbody>{body_html}</tbody></table>"


def glossary(meanings: Mapping[str, str]) -> str:
    """The words of a page and what they mean, for its end."""
    words = "".join(f"<dt>{escape(word)}</dt><dd>{escape(meaning)}</dd>" for word, meaning in meanings.items())
    return f'<h2>The words</h2><dl class="words">{words}</dl>'


def clips_of(clips: int, speakers: int, corpora: Sequence[str]) -> str:
    """`240 clips of 4 speakers from ravdess`."""
    names = ", ".join(sorted(set(corpora) - {""}))
    return f"{plural(clips, 'clip')} of {speakers_of(speakers)}{f' from {names}' if names else ''}"


def speakers_of(count: int) -> str:
    """`4 speakers`; those of a table that names none are not known, and not none."""
    return plural(count, "speaker") if count else "unknown speakers"


def percent(value: float | None) -> str:
    """`58.2`, or a dash."""
    return "–" if value is None else f"{100 * value:.1f}"


def shown(metric: str, value: float | None) -> str:
    """A figure as it is printed: a share in percent, another as it is, or a dash.

    >>> shown("uar", 0.58234), shown("kappa", 0.58234)
    ('58.2', '0.582')
    """
    return percent(value) if value is None or metric not in NO_SHARES else f"{value:.3f}"


def limits(figure: Mapping[str, Any], metric: str = "") -> str:
    """`54.1–61.9`, or nothing."""
    return "" if figure["low"] is None else f"{shown(metric, figure['low'])}–{shown(metric, figure['high'])}"
