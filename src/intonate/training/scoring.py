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

from intonate.evaluation import multi_label, ratings, table
from intonate.evaluation.table import CLIP_ALONE, CLIP_AND_5, SPEAKER_NORMALISED
from intonate.features.normalise import Moments, normalise
from intonate.recognizer.late_fusion import LateFusion
from intonate.recognizer.model_file import ModelFile
from intonate.recognizer.recognizer import Recognizer
from intonate.schema import ModelSpec
from intonate.training import translation_report
from intonate.training.data import Clip, Examples
from intonate.training.recipe import Recipe


def statistics_of(spec: ModelSpec) -> tuple[str, ...]:
    """The statistics of the speaker that a model can make use of."""
    kinds = {item.normalisation.kind for item in spec.inputs if item.normalisation}
    return (CLIP_ALONE, CLIP_AND_5, SPEAKER_NORMALISED) if "speaker" in kinds else (CLIP_ALONE,)


def answers(
    model: ModelFile | LateFusion, examples: Examples, rows: NDArray[np.int64], statistics: str, seed: int = 0
) -> NDArray[np.float64]:
    """Calibrated probabilities of analysed clips, and the model's other outputs behind the labels, (rows, outputs).

    Args:
        model: an opened model file.
        examples: the analysed clips.
        rows: which of them.
        statistics: `clip alone`; `clip + 5`, with five random others of the same speaker among `rows`;
            `speaker-normalised`, with all of them. Labels of the others are never used.
        seed: of the random five.
    """
    rng = np.random.default_rng(seed)
    mates_within = {speaker: mates[np.isin(mates, rows)] for speaker, mates in examples.mates.items()}
    clips = []
    for row in rows:
        mates = mates_within[examples.utterances[row].speaker]
        other_rows = mates[mates != row]
        if statistics == CLIP_ALONE:
            other_rows = other_rows[:0]
        elif statistics == CLIP_AND_5:
            other_rows = rng.choice(other_rows, min(5, len(other_rows)), replace=False)
        clips.append(_normalised_clip(model.spec, examples, int(row), other_rows))
    return Recognizer(model).answers(clips, batch_size=32)


def _normalised_clip(spec: ModelSpec, examples: Examples, row: int, other_rows: NDArray[np.int64]) -> Clip:
    clip: Clip = {}
    for item in spec.inputs:
        moments: Moments | None = None
        if item.normalisation is not None and item.normalisation.kind == "speaker":
            moments = examples.moments_of([row, *other_rows], item.name)
        clip[item.name] = normalise(examples.clips[row][item.name], item.normalisation, moments)
    return clip


def _search_notes(fit_folders: Sequence[Path], records: Sequence[Mapping[str, Any]]) -> list[str]:
    """What the search of each fit has chosen, in words for the report."""
    fits_of: dict[str, list[str]] = defaultdict(list)
    for path, record in zip(fit_folders, records, strict=True):
        if search := record.get("search"):
            values = ", ".join(f"{key} = {value}" for key, value in search["best"].items())
            fits_of[f"{values} (of {search['trials']}, {search['sampler']}, on {search['scored_on']})"].append(
                path.name
            )
    return [f"Chosen for {', '.join(names)}: {values}" for values, names in fits_of.items()]


def report(folder: Path, recipe: Recipe, fit_folders: Sequence[Path]) -> None:
    """`report/` of all finished fits of a run together: metrics.json, the table of answers, report.html."""
    from intonate.evaluation import multi_label_page, ratings_page
    from intonate.evaluation.report import write_report

    records = [json.loads((path / "run.json").read_text(encoding="utf-8")) for path in fit_folders]
    configurations = max(record["configurations_tried"] for record in records)
    notes = [
        f"{len(fit_folders)} fits; configurations compared on validation speakers: {configurations}",
        *_search_notes(fit_folders, records),
    ]
    if short_clips := max((record.get("too_short_clips", 0) for record in records), default=0):
        notes.append(f"Left out, shorter than {recipe.data.shortest_s:g} s after cleaning: {short_clips:,} clips.")
    # One fit of each fold is shown.
    panels = translation_report.panels(
        [path for path in fit_folders if path.name.endswith(f"-seed{records[0]['seed']}")]
    )
    pictures = {"What the translation did": panels} if panels else {}
    rating_scores = None
    times = {key: sum(record[key] for record in records) for key in ("train_s", "test_s")}
    if recipe.task == "multi_label":
        kept = multi_label.LabelTable
        answers = ratings.concatenate(ratings.read_as(path / multi_label_page.TABLE, kept) for path in fit_folders)
        multi_label_page.write_report(folder / "report", answers, recipe.name, times, notes)
        return
    if recipe.task == "dimensions":
        numbers = ratings.concatenate(ratings.read(path / "dimensions.csv") for path in fit_folders)
        if not recipe.data.labels:
            ratings_page.write_report(folder / "report", numbers, recipe.name, times, notes)
            return
        rating_scores = ratings.scores(numbers)
        pictures["Dimensions"] = ratings_page.panels(rating_scores, numbers)
        ratings.write(numbers, folder / "report" / "dimensions.csv")
    tables = table.concatenate(table.read(path / "predictions.csv") for path in fit_folders)
    write_report(
        folder / "report",
        tables,
        title=recipe.name,
        times=times,
        notes=notes,
        pictures=pictures or None,
        ratings=rating_scores,
    )
