"""`intonate evaluate --predictions CSV MANIFEST`: answers of another program, with the report of our own."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from intonate.corpora import manifest
from intonate.evaluation import outside
from intonate.evaluation.bootstrap import units
from intonate.evaluation.protocol import scores
from intonate.evaluation.report import to_text, write_report


def evaluate(
    predictions: str | os.PathLike[str],
    manifest_path: str | os.PathLike[str],
    report: str | os.PathLike[str],
    mapping: Mapping[str, str] | None = None,
    merge_name: str | None = None,
) -> str:
    """Score the answers in a CSV, write the report, and give its figures as text.

    Args:
        predictions: see `outside.read`, as for `mapping` and `merge_name`.
        manifest_path: a CSV with the truth.
        report: the folder to write to.

    Raises:
        CorpusError, LabelError
    """
    root = Path(manifest_path).parent
    utterances, table_notes = manifest.read_with_notes(manifest_path)
    reading = outside.read(Path(predictions), utterances, root, mapping, merge_name)
    notes = [*table_notes, *reading.notes]
    if units(reading.table)[0] == "utterance":
        notes.append(
            "Fewer than three speakers are known, so intervals come from resampling clips: they say nothing about "
            "other speakers."
        )
    page = write_report(
        Path(report), reading.table, f"{Path(predictions).name} on {Path(manifest_path).name}", notes=notes
    )
    return "\n".join([*notes, "", to_text(scores(reading.table)), "", str(page)])
