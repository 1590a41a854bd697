"""An ensemble as a system of a suite: of each fold and seed that all its members were fitted to, one model file.

It is tested like a recipe's model, on the test part of the very split that its members were trained on.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from intonate.corpora import splits
from intonate.errors import RecipeError
from intonate.evaluation import table
from intonate.evaluation.report import write_report
from intonate.evaluation.table import PredictionTable
from intonate.export.ensemble import combine
from intonate.recognizer.model_file import ModelFile, read_model
from intonate.schema import Utterance

# (model, test clips, fold, seed) -> what it says of them
Answer = Callable[[ModelFile, Sequence[Utterance], str, int], PredictionTable]


def run(folder: Path, members: Sequence[Path], split: str, utterances: Sequence[Utterance], answer: Answer) -> None:
    """Write the run folder of an ensemble: model.onnx, predictions.csv and run.json of each fit, and the report.

    Args:
        folder: where to; what is there already is not made again.
        members: run folders, of the same split.
        split: its name.
        utterances: the labelled clips that the members' recipes divided.
        answer: answers the test clips of a fit.

    Raises:
        RecipeError: the members have no fit in common.
        ModelError: they cannot answer together.
    """
    finished_fits = [{path.parent.name for path in member.glob("fold*-seed*/run.json")} for member in members]
    if not (fits := sorted(set.intersection(*finished_fits))):
        raise RecipeError(f"the members {', '.join(member.name for member in members)} have no finished fit in common")
    for fit in fits:
        fit_folder, member_fits = folder / fit, [member / fit for member in members]
        if (fit_folder / "run.json").exists():
            continue
        fold, seed = (int(number) for number in re.findall(r"\d+", fit))
        fit_split = splits.folds(split, utterances, seed)[fold - 1]
        target = fit_folder / "model.onnx"
        target.unlink(missing_ok=True)  # of a run that was stopped before run.json
        combine(target, [part / "model.onnx" for part in member_fits], name=folder.name)
        predictions = answer(read_model(target), [utterances[row] for row in fit_split.test], str(fold), seed)
        table.write(predictions, fit_folder / "predictions.csv")
        (fit_folder / "run.json").write_text(
            json.dumps(_record(member_fits, fit_split.name, seed), indent=2) + "\n", "utf-8"
        )
    tables = [table.read(folder / fit / "predictions.csv") for fit in fits]
    notes = [f"The mean of the probabilities of {', '.join(member.name for member in members)}."]
    write_report(folder / "report", table.concatenate(tables), title=folder.name, notes=notes)


def _record(member_fits: Sequence[Path], split: str, seed: int) -> dict[str, Any]:
    records = [json.loads((member_fit / "run.json").read_text(encoding="utf-8")) for member_fit in member_fits]
    parameter_counts = [record.get("parameters") for record in records]
    core_s = [record.get("train_core_s") for record in records]
    return {
        "split": split,
        "seed": seed,
        "train_s": sum(record["train_s"] for record in records),
        "configurations_tried": sum(record["configurations_tried"] for record in records),
        **({"train_core_s": sum(core_s)} if None not in core_s else {}),
        **({"parameters": sum(parameter_counts)} if all(parameter_counts) else {}),
    }
