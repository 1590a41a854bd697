"""`intonate corpora` and `intonate manifest`, behind the options."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import typer

from intonate import corpora
from intonate.corpora import describe, manifest


def print_corpora() -> None:
    """Print what can be read."""
    rows = [("name", "corpus", "language", "clips", "speakers", "licence")]
    for row in describe.overview():
        clips, speakers = (f"{number:,}" if number else "" for number in (row.clips, row.speakers))
        rows.append((row.name, row.title, row.language, clips, speakers, row.licence))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for cells in rows:
        padded_cells = (
            cell.rjust(width) if column in (3, 4) else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
        )
        print("  ".join(padded_cells).rstrip())


def write_manifest(out: Path, roots: Sequence[str]) -> None:
    """Write one table of corpora, given as NAME=ROOT each, and print what is in it and what was left out.

    Raises:
        CorpusError: a root cannot be read.
        typer.BadParameter: one is not NAME=ROOT.
    """
    pairs = [root.partition("=")[::2] for root in roots]
    if malformed := [root for root, (name, folder) in zip(roots, pairs, strict=True) if not name or not folder]:
        raise typer.BadParameter(f"{malformed[0]!r} is not NAME=ROOT, e.g. ravdess=data/ravdess")
    readings = [corpora.read(name, folder) for name, folder in pairs]
    manifest.write(out, [utterance for reading in readings for utterance in reading.utterances])
    for problem in (problem for reading in readings for problem in reading.problems):
        print(f"intonate: left out {problem}", file=sys.stderr)
    for reading in readings:
        print(f"{reading.corpus}: {len(reading.utterances):,} utterances")
    print(f"written to {out}")
