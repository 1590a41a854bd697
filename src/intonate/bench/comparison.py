"""What a benchmark found, as one Markdown file and one HTML page: every system beside every other, and nothing hidden.

    write(rows, "benchmarks/RESULTS.md", "benchmarks/results.html", title="The published systems, rebuilt")

A figure of a random split, in which speakers overlap, stands beside the speaker-disjoint one, always. A cell without a
figure is a dash with its reason under the table. What a row (`comparison_rows`) is decides where it stands: with
`noise` in a table of noises, with `trained_on` in a matrix of corpora, otherwise in the comparison of the systems on
its corpus.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from intonate.bench.comparison_markdown import markdown
from intonate.bench.comparison_page import render
from intonate.bench.comparison_rows import Row
from intonate.bench.comparison_tables import sections
from intonate.errors import CorpusError


def write(
    rows: Iterable[Row], markdown_path: Path | str, html_path: Path | str, title: str, notes: Sequence[str] = ()
) -> None:
    """Write the tables as Markdown, and with pictures as one HTML page that fetches nothing.

    Args:
        rows: in the order in which they shall stand. Compared, crossed and disturbed ones may be mixed.
        markdown_path: where the Markdown goes; folders are made.
        html_path: where the page goes.
        title: heading of both.
        notes: sentences under it.

    Raises:
        CorpusError: there are no rows, two of them are about the same thing, or a file cannot be written.
    """
    tables = sections(rows)
    for path, content in ((markdown_path, markdown(tables, title, notes)), (html_path, render(tables, title, notes))):
        try:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            Path(path).write_text(content, encoding="utf-8")
        except OSError as error:
            raise CorpusError(f"the comparison cannot be written to {path} ({error}); give another place") from error
