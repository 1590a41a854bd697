"""What a fit keeps of its answers to the test clips: a table of labels or of numbers, and the first figures of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intonate.corpora import manifest
from intonate.corpora.splits import Split
from intonate.evaluation import metrics, table
from intonate.evaluation import multi_label as label_tables
from intonate.evaluation import ratings as rating_tables
from intonate.evaluation.bootstrap import measure
from intonate.schema import ModelSpec
from intonate.training import data
from intonate.training.recipe import Recipe


def write_tables(
    recipe: Recipe,
    examples: data.Examples,
    split: Split,
    fold: int,
    seed: int,
    spec: ModelSpec,
    answers: Mapping[str, NDArray[np.float64]],
    folder: Path,
    facts: dict[str, Any],
) -> str:
    """The tables, and their figures in `facts` and in words: predictions.csv, labels.csv of several, dimensions.csv."""
    rows = [
        replace(examples.utterances[row], path=_portable_path(examples.utterances[row].path, recipe))
        for row in split.test
    ]
    protocol = split.name if split.speakers_overlap else f"speaker-disjoint ({recipe.data.split})"
    made: dict[str, Any] = {"protocol": protocol, "fold": fold, "seed": seed}
    words, count, thresholds = [], len(spec.labels), examples.thresholds(spec)[split.test]
    if spec.multi_label:
        present = examples.present[split.test]
        parts = {
            statistics: label_tables.tabulate(
                rows, spec.labels, present, output[:, :count], thresholds, statistics=statistics, **made
            )
            for statistics, output in answers.items()
        }
        rating_tables.write(rating_tables.concatenate(parts.values()), folder / "labels.csv")
        facts["test_macro_f1"] = {
            statistics: float(metrics.macro_f1_of_hits(metrics.hits(part.present, part.chosen).sum(axis=0)))
            for statistics, part in parts.items()
        }
        figures_text = ", ".join(f"{name} {100 * value:.1f}" for name, value in facts["test_macro_f1"].items())
        words.append(f"macro-F1: {figures_text}")
    elif spec.labels:
        emotions = [examples.labels[target] for target in examples.targets[split.test]]
        predictions = table.concatenate(
            table.tabulate(
                rows,
                emotions,
                examples.labels,
                output[:, :count],
                statistics=statistics,
                abstain_below=thresholds,
                **made,
            )
            for statistics, output in answers.items()
        )
        table.write(predictions, folder / "predictions.csv")
        facts["test_uar"] = {
            statistics: measure(predictions.where(statistics=statistics), "uar") for statistics in answers
        }
        words.append("UAR: " + ", ".join(f"{name} {100 * value:.1f}" for name, value in facts["test_uar"].items()))
    if spec.dimensions:
        truth = examples.ratings[split.test].astype(np.float64)
        numbers = [
            rating_tables.tabulate(rows, spec.dimensions, truth, output[:, count:], statistics=statistics, **made)
            for statistics, output in answers.items()
        ]
        rating_tables.write(rating_tables.concatenate(numbers), folder / "dimensions.csv")
        facts["test_ccc"] = {
            statistics: dict(zip(spec.dimensions, metrics.concordance(truth, output[:, count:]).tolist(), strict=True))
            for statistics, output in answers.items()
        }
        for statistics, figures in facts["test_ccc"].items():
            words.append(f"CCC, {statistics}: " + ", ".join(f"{name} {value:.3f}" for name, value in figures.items()))
    return "; ".join(words)


def _portable_path(path: str, recipe: Recipe) -> str:
    """The path below its corpus's folder, with the corpus's name in front: the same on every machine."""
    for name, root in recipe.data.corpora.items():
        if Path(path).is_relative_to(root):
            return f"{name}/{Path(path).relative_to(root).as_posix()}"
    return manifest.relative(path, Path(recipe.data.manifest).parent)
