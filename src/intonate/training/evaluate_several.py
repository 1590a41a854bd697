"""`intonate evaluate` of a model that may give several labels at once."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from intonate.corpora import manifest
from intonate.corpora.overlap import first_few
from intonate.emotions import MERGES, merge, merge_with_labels
from intonate.errors import CorpusError
from intonate.evaluation import multi_label as label_tables
from intonate.evaluation import multi_label_page
from intonate.evaluation import ratings as rating_tables
from intonate.recognizer import late_fusion
from intonate.recognizer.model_file import ModelFile
from intonate.training import data
from intonate.training.evaluated_rows import notes_on, outputs_by_statistics


def report_of_several(
    model: ModelFile | late_fusion.LateFusion,
    manifest_path: str | os.PathLike[str],
    report: Path,
    title: str,
    protocol: str,
    bar: Callable[[Sequence[Any]], Iterable[Any]],
    whole: bool,
) -> Path:
    """Write the report of a model that may give several labels at once; arguments as of `evaluate` and `answers`.

    It is judged by the rows with labels; where none has any, by the emotion of each row as its only label.

    Raises:
        CorpusError: the manifest cannot be read, or has no label that the model knows.
    """
    spec = model.spec
    rows = manifest.read(manifest_path)
    utterances, notes = [row for row in rows if row.labels is not None], []
    if not utterances:
        utterances = rows
        notes.append("The manifest gives each clip one emotion, and no column labels: any other label counts as wrong.")
    elif len(utterances) < len(rows):
        notes.append(f"Left out, for nobody labelled them: {len(rows) - len(utterances):,} clips.")
    merge_name = spec.merge if spec.merge in MERGES else merge_with_labels(spec.labels)
    names = {name for row in utterances for name in row.all_labels}
    if unknown_names := sorted(names - merge(merge_name).keys()):
        if len(unknown_names) == len(names):
            raise CorpusError(
                f"{manifest_path} has no label that {spec.name!r} knows: it has {first_few(unknown_names, 5)}, the "
                f"model {', '.join(spec.labels)}"
            )
        notes.append(
            f"Labels that the model does not know, and that count for nothing: {first_few(unknown_names, 10)}."
        )
    examples = data.prepare(utterances, merge_name, data.by_spec(spec), bar, several=True)
    present = examples.present[:, [examples.labels.index(label) for label in spec.labels]]
    made: dict[str, Any] = {"protocol": protocol, "root": Path(manifest_path).parent}
    thresholds, tables = examples.thresholds(spec), []
    for statistics, output in outputs_by_statistics(model, examples, whole=whole).items():
        scores, made["statistics"] = output[:, : len(spec.labels)], statistics
        tables.append(label_tables.tabulate(utterances, spec.labels, present, scores, thresholds, **made))
    notes += notes_on(spec, utterances, (), whole)
    return multi_label_page.write_report(report, rating_tables.concatenate(tables), title, notes=notes)
