"""What is kept of a suite: its rows, and the predictions that they were computed from; and the tables of all suites."""

from __future__ import annotations

import dataclasses
import gzip
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from intonate.bench import comparison
from intonate.bench.comparison_rows import Figure, Row
from intonate.bench.suite import Suite
from intonate.evaluation import table
from intonate.evaluation.table import PredictionTable


def kept_rows(results: Path) -> list[Row]:
    """The rows of a suite that were measured before; none where there is no such file."""
    if not results.is_file():
        return []
    rows = [_read_row(fields) for fields in json.loads(results.read_text(encoding="utf-8"))["rows"]]
    return [row for row in rows if row.recipe and row.uar]


def write(name: str, suite: Suite, rows: Sequence[Row], tables: dict[str, PredictionTable], out: Path) -> Path:
    """Keep the rows and predictions of a suite, and write the tables of all suites that have any."""
    folder = out / "results" / "suites"
    folder.mkdir(parents=True, exist_ok=True)
    for run, predictions in tables.items():
        _write_predictions(predictions, folder / name / f"{run}.csv.gz")
    record = {"title": suite.title, "about": suite.about, "rows": [dataclasses.asdict(row) for row in rows]}
    text = json.dumps(record, indent=1, ensure_ascii=False)
    # The tables first: rows that they refuse would stand in the way of every later suite.
    page = write_tables(folder, out, {name: record})
    (folder / f"{name}.json").write_text(text + "\n", encoding="utf-8")
    return page


def write_tables(results: Path, out: Path, fresh: Mapping[str, Any] | None = None) -> Path:
    """RESULTS.md and results.html from the rows of every suite in a folder of results; the Markdown file.

    `fresh` are records of suites, by name, that count in place of what the folder has of them.
    """
    records = {file.stem: json.loads(file.read_text(encoding="utf-8")) for file in results.glob("*.json")}
    rows: list[Row] = []
    notes: list[str] = []
    for name, record in sorted((records | dict(fresh or {})).items()):
        notes += record["about"]
        rows += _told_apart([_read_row(fields) for fields in record["rows"]], name, rows)
    comparison.write(rows, out / "RESULTS.md", out / "results.html", "What was measured", notes)
    return out / "RESULTS.md"


def _told_apart(rows: Sequence[Row], suite: str, earlier: Sequence[Row]) -> list[Row]:
    """The rows of a suite; a system bears the suite's name where another suite has one called so on the same corpus."""
    taken = {(row.system, row.corpus) for row in earlier}
    shared = {row.system for row in rows if (row.system, row.corpus) in taken}
    return [replace(row, system=f"{row.system}, suite {suite}") if row.system in shared else row for row in rows]


def _write_predictions(predictions: PredictionTable, path: Path) -> None:
    """A compressed table; probabilities to five places, which changes no label."""
    path.parent.mkdir(parents=True, exist_ok=True)
    plain = path.with_suffix("")
    table.write(replace(predictions, probabilities=predictions.probabilities.round(5)), plain)
    # Without the time in it, so that the same predictions are the same file.
    path.write_bytes(gzip.compress(plain.read_bytes(), mtime=0))
    plain.unlink()


def _read_row(fields: dict[str, Any]) -> Row:
    figures = {key: Figure(**fields[key]) if fields[key] else None for key in ("uar", "wa")}
    return Row(**fields | figures)
