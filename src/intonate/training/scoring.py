"""Answers of a finished model file to clips that are already analysed, and the report of a whole run.

The figures come from the exported file through the recognizer's own code, so that what is reported is what is used.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intonate.evaluation import metrics, table
from intonate.evaluation.table import CLIP_ALONE, CLIP_AND_5, SPEAKER_NORMALISED, PredictionTable
from intonate.features.normalise import Moments, normalise
from intonate.recognizer.late_fusion import LateFusion
from intonate.recognizer.model_file import ModelFile
from intonate.recognizer.recognizer import Recognizer
from intonate.schema import ModelSpec
from intonate.training.data import Clip, Examples
from intonate.training.recipe import Recipe


def statistics_of(spec: ModelSpec) -> tuple[str, ...]:
    """The statistics of the speaker that a model can make use of."""
    kinds = {item.normalisation.kind for item in spec.inputs if item.normalisation}
    return (CLIP_ALONE, CLIP_AND_5, SPEAKER_NORMALISED) if "speaker" in kinds else (CLIP_ALONE,)


class Scorer:
    """A model file, and the analysed clips that it answers."""

    def __init__(self, model: ModelFile | LateFusion, examples: Examples) -> None:
        self.model, self.examples = model, examples

    def probabilities(self, rows: NDArray[np.int64], statistics: str, seed: int = 0) -> NDArray[np.float64]:
        """Calibrated probabilities (rows, labels).

        Args:
            rows: which clips.
            statistics: `clip alone`; `clip + 5`, with five random others of the same speaker among `rows`;
                `speaker-normalised`, with all of them. Labels of the others are never used.
            seed: of the random five.
        """
        rng = np.random.default_rng(seed)
        within = {who: mates[np.isin(mates, rows)] for who, mates in self.examples.mates.items()}
        clips = []
        for row in rows:
            mates = within[self.examples.utterances[row].speaker]
            others = mates[mates != row]
            if statistics == CLIP_ALONE:
                others = others[:0]
            elif statistics == CLIP_AND_5:
                others = rng.choice(others, min(5, len(others)), replace=False)
            clips.append(self._ready(int(row), others))
        return Recognizer(self.model).probabilities(clips, batch_size=32)

    def _ready(self, row: int, others: NDArray[np.int64]) -> Clip:
        ready: Clip = {}
        for item in self.model.spec.inputs:
            heard: Moments | None = None
            if item.normalisation is not None and item.normalisation.kind == "speaker":
                heard = self.examples.moments_of([row, *others], item.name)
            ready[item.name] = normalise(self.examples.clips[row][item.name], item.normalisation, heard)
        return ready


def uar_by_statistics(predictions: PredictionTable) -> dict[str, float]:
    """UAR over all clips of each statistics of the speaker."""
    found: dict[str, float] = {}
    for statistics in dict.fromkeys(predictions.statistics.tolist()):
        part = predictions.where(statistics=statistics)
        truth = np.array([part.labels.index(name) for name in part.emotion])
        guess = np.array([part.labels.index(name) for name in part.label])
        found[statistics] = float(metrics.uar(metrics.confusion_matrix(truth, guess, len(part.labels))))
    return found


def _searched(done: Sequence[Path], records: Sequence[Mapping[str, Any]]) -> list[str]:
    """What the search of each fit has chosen, in words for the report."""
    chosen: dict[str, list[str]] = defaultdict(list)
    for path, record in zip(done, records, strict=True):
        if search := record.get("search"):
            values = ", ".join(f"{key} = {value}" for key, value in search["best"].items())
            chosen[f"{values} (of {search['trials']}, {search['sampler']}, on {search['scored_on']})"].append(path.name)
    return [f"Chosen for {', '.join(names)}: {values}" for values, names in chosen.items()]


def report(folder: Path, recipe: Recipe, done: Sequence[Path]) -> None:
    """`report/` of all finished fits of a run together: metrics.json, predictions.csv, report.html."""
    from intonate.evaluation.report import write_report

    tables = [table.read(path / "predictions.csv") for path in done]
    records = [json.loads((path / "run.json").read_text(encoding="utf-8")) for path in done]
    tried = max(record["configurations_tried"] for record in records)
    notes = [f"{len(done)} fits; configurations compared on validation speakers: {tried}", *_searched(done, records)]
    if short := max((record.get("too_short_clips", 0) for record in records), default=0):
        notes.append(f"Left out, shorter than {recipe.data.shortest_s:g} s after cleaning: {short:,} clips.")
    write_report(
        folder / "report",
        table.concatenate(tables),
        title=recipe.name,
        times={
            "train_s": sum(record["train_s"] for record in records),
            "test_s": sum(record["test_s"] for record in records),
        },
        notes=notes,
    )
