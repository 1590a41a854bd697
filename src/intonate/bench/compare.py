"""`intonate compare A B… [MANIFEST]`: systems on the same clips, and which difference is more than chance.

A system is a model (a built-in name, a file, `hf:…`), a finished run, or a CSV of predictions, ours or anybody's.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from intonate.audio.stretches import column_name
from intonate.bench.compare_page import render, to_text
from intonate.corpora import manifest as manifests
from intonate.corpora import own
from intonate.emotions import MERGES, merge, merge_with_labels
from intonate.errors import CorpusError
from intonate.evaluation import curves, outside, outside_columns, paired
from intonate.evaluation import table as tables
from intonate.evaluation.matching import match
from intonate.evaluation.protocol import counts_of, sorted_names
from intonate.evaluation.report import check_folder, writing_to
from intonate.evaluation.table import CLIP_ALONE, PredictionTable
from intonate.recognizer import late_fusion
from intonate.schema import Utterance
from intonate.training import data
from intonate.training.evaluate import answers, has_own_labels, merge_of, read_rows
from intonate.training.evaluated_rows import trained_on


def command(
    systems: Sequence[str],
    report: str | os.PathLike[str],
    mapping: Mapping[str, str] | None = None,
    repeats: int = 2000,
) -> str:
    """Compare systems, write the report, and give its text.

    Args:
        systems: A, B…, and at the end a manifest if any of them needs one.
        report: the folder that `compare.html`, `compare.json` and each system's aligned predictions are written to.
        mapping: names in CSVs of others, as in `outside.read`.
        repeats: bootstrap resamples.

    Raises:
        CorpusError, LabelError, ModelError, AudioError
    """
    *names, manifest_path = systems if _is_manifest(systems[-1]) else (*systems, "")
    if len(names) < 2:
        manifest_note = f", with {manifest_path} for the truth" if manifest_path else ""
        raise CorpusError(
            f"compare takes two systems or more, and was given {', '.join(names) or 'none'}{manifest_note}"
        )
    check_folder(Path(report))
    # Before anything is listened to; one at a time is held, for they may be large.
    specs = [late_fusion.open_model(name).spec for name in names if not _is_table(name) and not _held_out(name)]
    for spec in specs:
        merge_of(spec)
    tables_by_title: dict[str, PredictionTable] = {}
    rows: list[Utterance] | None = None
    notes: list[str] = []
    if manifest_path:
        rows, notes = manifests.read_with_notes(manifest_path, any_label=any(map(has_own_labels, specs)))
        notes.insert(0, f"The truth is that of {Path(manifest_path).name}.")
    for name in names:
        title = _title(name, tables_by_title)
        tables_by_title[title], system_notes = _open(name, rows, Path(manifest_path), mapping or {})
        notes += [f"{title}: {note}" for note in system_notes]
    aligned_tables, align_notes = align(tables_by_title)
    results = compare(aligned_tables, repeats)
    results["notes"] = [*notes, *align_notes]
    target = Path(report)
    with writing_to(target):
        for number, (_, table) in enumerate(aligned_tables.items(), 1):
            tables.write(table, target / f"predictions-{number}.csv")
        (target / "compare.json").write_text(
            json.dumps(results, ensure_ascii=False, indent=1, allow_nan=False) + "\n", encoding="utf-8"
        )
        (target / "compare.html").write_text(render(results, aligned_tables), encoding="utf-8")
    return f"{to_text(results)}\n\n{target / 'compare.html'}"


def compare(systems: Mapping[str, PredictionTable], repeats: int = 2000) -> dict[str, Any]:
    """All pairs of systems whose tables are aligned: `{"systems", "clips", "speakers", "labels", "pairs": [{"a", "b",
    **paired.compare, "p_holm"}], "fairness": {system: paired.fairness}, "eer": {system: share}}`."""
    first = next(iter(systems.values()))
    pairs = [
        {"a": a, "b": b, **paired.compare(systems[a], systems[b], repeats=repeats)}
        for a, b in itertools.combinations(systems, 2)
    ]
    p_values = [pair["metrics"]["uar"]["p"] for pair in pairs]
    for pair, p in zip(pairs, paired.holm([1.0 if p is None else p for p in p_values]), strict=True):
        pair["p_holm"] = p
    return {
        "systems": list(systems),
        "clips": len(first),
        "speakers": counts_of(first)["speakers"],
        "labels": list(first.labels),
        "pairs": pairs,
        "fairness": {name: paired.fairness(table, repeats) for name, table in systems.items()},
        "eer": {name: curves.equal_error_rate(table) for name, table in systems.items()},
    }


def align(systems: Mapping[str, PredictionTable]) -> tuple[dict[str, PredictionTable], list[str]]:
    """The clips that all systems answered, in one order, with one set of labels, each under one condition.

    Where one system's labels are a merge of another's (`calm` counted as `neutral`), both are counted in the merge.

    Raises:
        CorpusError: they have no clip in common.
    """
    notes: list[str] = []
    comparable = _one_condition(systems, notes)
    comparable = _one_label_set(comparable, notes)
    names = list(comparable)
    base = comparable[names[0]]
    rows_of: list[dict[int, int]] = []
    for name in names[1:]:
        other_table = comparable[name]
        row_of: dict[int, int] = {}
        for seed in sorted(set(base.seed.tolist())):
            base_rows, rows = np.flatnonzero(base.seed == seed), np.flatnonzero(other_table.seed == seed)
            matches, _ = match(
                other_table.file[rows].tolist(), other_table.start[rows].tolist(),
                base.file[base_rows].tolist(), base.start[base_rows].tolist(),
            )  # fmt: skip
            row_of |= {int(base_rows[base_row]): int(rows[row]) for base_row, row in matches.items()}
        rows_of.append(row_of)
    common_rows = [
        row
        for row in range(len(base))
        if all(
            row in row_of and comparable[name].emotion[row_of[row]] == base.emotion[row]
            for name, row_of in zip(names[1:], rows_of, strict=True)
        )
    ]
    if not common_rows:
        raise CorpusError(
            f"{', '.join(names)} have no clip in common, e.g. {base.file[0]} beside "
            f"{comparable[names[1]].file[0]}; files are matched by the end of their path, "
            "and the truth must be the same"
        )
    aligned_tables = {names[0]: base.take(common_rows)}
    for name, row_of in zip(names[1:], rows_of, strict=True):
        aligned_tables[name] = comparable[name].take([row_of[row] for row in common_rows])
    for name, table in comparable.items():
        if left_out := len(table) - len(common_rows):
            notes.append(
                f"{name}: {left_out:,} answers to clips that others did not answer, or have another truth for."
            )
    return aligned_tables, notes


def _is_table(name: str) -> bool:
    return Path(name).suffix.lower() in own.TABLES


def _is_manifest(name: str) -> bool:
    """A table with truth and no predictions, as `evaluate` takes it."""
    if not _is_table(name) or not Path(name).is_file():
        return False
    header, *rows = _rows(Path(name)) or [[]]
    body = [row for row in rows if len(row) == len(header)]
    columns = {column_name(name) for name in header}
    ratings = itertools.chain(("ratings",), *([name, *others] for name, others in manifests.RATINGS.items()))
    has_truth = not columns.isdisjoint((*own.COLUMNS["label"], "labels", *manifests.ALIASES["labels"], *ratings))
    is_answered = outside_columns.answer_columns(header, body) or len(outside_columns.score_columns(header)) > 1
    return has_truth and not is_answered


def _title(name: str, titles: Mapping[str, Any]) -> str:
    path = Path(name)
    file_name = path.stem if path.suffix in (".csv", ".onnx") else path.name or name
    return file_name if file_name not in titles else name if name not in titles else f"{name} ({len(titles) + 1})"


def _held_out(name: str) -> Path | None:
    """The table of a finished run's answers to its test clips."""
    files = (Path(name) / "report" / "predictions.csv", Path(name) / "predictions.csv")
    return next((file for file in files if file.is_file()), None)


def _open(
    name: str, rows: Sequence[Utterance] | None, manifest_path: Path, mapping: Mapping[str, str]
) -> tuple[PredictionTable, list[str]]:
    path, root = Path(name), manifest_path.parent
    if file := _held_out(name):
        return tables.read(file), [f"its own held-out answers, {file.as_posix()}."]
    if _is_table(name):
        if path.is_file() and _is_ours(path):
            return tables.read(path), []
        reading = outside.read_with_truth(path, mapping) if rows is None else outside.read(path, rows, root, mapping)
        return reading.table, list(reading.notes)
    if rows is None:
        raise CorpusError(f"{name} is a model, and there is nothing to try it on; end the command with a MANIFEST.csv")
    model = late_fusion.open_model(name)
    utterances = data.with_labels(read_rows(model.spec, manifest_path)[0], merge_of(model.spec))
    bar = data.bar(Console(stderr=True), f"listening, {model.spec.name}")
    notes = []
    if trained_speakers := trained_on(model.spec, utterances):
        notes.append(f"{len(trained_speakers)} of the speakers may have been trained on; figures on them flatter it.")
    return answers(model, utterances, "as given in the manifest", bar, root=root), notes


def _is_ours(path: Path) -> bool:
    return set(tables.COLUMNS) <= set(next(iter(_rows(path)), []))


def _rows(path: Path) -> list[list[str]]:
    """The cells of a table's rows, its header first."""
    return [[cell.strip() for cell in row] for _, row in manifests.read_rows(path) if any(row)]


def _one_condition(systems: Mapping[str, PredictionTable], notes: list[str]) -> dict[str, PredictionTable]:
    """Of each system the answers under one protocol, one statistics of the speaker, and the seeds that all have."""
    shared_statistics = set.intersection(*({*map(str, table.statistics)} for table in systems.values()))
    shared_seeds = set.intersection(*({*map(int, table.seed)} for table in systems.values()))
    parts = {}
    for name, table in systems.items():
        conditions = sorted_names(table.statistics)
        statistics = next((value for value in conditions if value in shared_statistics), conditions[0])
        protocol = sorted_names(table.where(statistics=statistics).protocol)[0]
        part = table.where(statistics=statistics, protocol=protocol)
        seeds = sorted(shared_seeds) if shared_seeds else [int(part.seed.min())]
        part = part.where(seed=seeds)
        if len(part) < len(table):
            seed_note = f", seed {', '.join(map(str, seeds))}" if len(set(table.seed.tolist())) > 1 else ""
            notes.append(f"{name}: {', '.join(filter(None, (protocol, statistics)))}{seed_note}.")
        elif statistics not in ("", CLIP_ALONE):
            notes.append(f"{name}: {statistics}.")
        if not shared_seeds:
            part = dataclasses.replace(part, seed=np.zeros(len(part), np.int64))
        parts[name] = part
    return parts


def _one_label_set(systems: Mapping[str, PredictionTable], notes: list[str]) -> dict[str, PredictionTable]:
    label_sets = {tuple(sorted(table.labels)) for table in systems.values()}
    if len(label_sets) > 1:
        # The fewest labels first: what is coarse cannot be told apart again.
        for labels in sorted(label_sets, key=lambda labels: (len(labels), labels)):
            name = merge_with_labels(labels)
            if name in MERGES and all(set(merge(name)) & set(table.labels) for table in systems.values()):
                merged_tables = {system: _merge_labels(table, name) for system, table in systems.items()}
                if all(len(table) for table in merged_tables.values()):
                    notes.append(f"Labels are counted as in the merge {name!r}: {', '.join(labels)}.")
                    systems = merged_tables
                    break
        else:
            notes.append("The systems have different labels, and each may answer with any of its own.")
    union = tuple(sorted({label for table in systems.values() for label in table.labels}))
    return {name: _with_labels(table, union) for name, table in systems.items()}


def _merge_labels(table: PredictionTable, name: str) -> PredictionTable:
    """The table with its labels merged; clips whose truth has no place in the merge are left out.

    An answer that has none stays what it is, where nothing is left of its scores to choose from: it is wrong in any
    merge, and not given to the first of the targets.
    """
    targets = tuple(sorted(set(merge(name).values())))
    target_of = {label: merge(name).get(label, label if label in targets else None) for label in table.labels}
    kept_rows = table.take([target_of[label] is not None for label in table.emotion.tolist()])
    matrix = np.array([[target_of[label] == target for target in targets] for label in table.labels], dtype=np.float64)
    target_scores = kept_rows.probabilities @ matrix
    totals = target_scores.sum(axis=1, keepdims=True)
    answers = np.array([target_of[label] or label for label in kept_rows.label.tolist()], dtype=np.str_)
    # Labels alone keep what they said; scores are asked again.
    if kept_rows.has_scores:
        answers = np.where(totals[:, 0] > 0, np.array(targets)[target_scores.argmax(axis=1)], answers)
    others = sorted(set(answers.tolist()) - set(targets))
    labels = (*targets, *others)
    shares = np.pad(target_scores / np.where(totals > 0, totals, 1), ((0, 0), (0, len(others))))
    return dataclasses.replace(
        kept_rows,
        emotion=np.array([target_of[label] for label in kept_rows.emotion.tolist()], dtype=np.str_),
        label=answers,
        labels=labels,
        probabilities=np.where(totals > 0, shares, answers[:, None] == np.array(labels)),
    )


def _with_labels(table: PredictionTable, labels: tuple[str, ...]) -> PredictionTable:
    scores = np.zeros((len(table), len(labels)))
    scores[:, [labels.index(label) for label in table.labels]] = table.probabilities
    return dataclasses.replace(table, labels=labels, probabilities=scores)
