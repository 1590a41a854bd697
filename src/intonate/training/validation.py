"""Labelled clips that a model has not learnt from, to check what is made of it: those of its run, or of a manifest."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rich.console import Console

from intonate.errors import CorpusError
from intonate.export.quantize import LabelledClips
from intonate.recognizer import inputs
from intonate.recognizer.model_file import read_model
from intonate.schema import ModelSpec, Utterance
from intonate.training import data, evaluate, fit
from intonate.training.recipe import load


def for_export(
    model: str, file: Path, manifest: Path | None = None, fold: int = 1, seed: int = 0
) -> LabelledClips | None:
    """What there is to check a model file with: a manifest, or the validation clips of the run that it comes from.

    None without either; a sentence on standard error tells what a run lacks, or that its model has no recall.

    Raises:
        CorpusError: the manifest cannot be used.
    """
    if manifest is not None:
        return of_manifest(manifest, file)
    if not (Path(model) / "recipe.yaml").is_file():
        return None
    spec = read_model(file).spec
    if not spec.labels or spec.multi_label:
        what = "gives several labels at once" if spec.labels else "has no labels"
        reason = f"{model} {what}, so there is no recall to compare, and what is lost is not measured"
    else:
        try:
            return of_run(model, fold, seed, file)
        except CorpusError as error:
            reason = (
                f"the validation clips of {model} are not here ({error}), so what is lost is not measured; give "
                "labelled clips with --clips MANIFEST"
            )
    Console(stderr=True).print(f"intonate: {reason}", highlight=False, soft_wrap=True, markup=False)
    return None


def of_run(run: str | Path, fold: int, seed: int, model: str | Path) -> LabelledClips:
    """The validation clips of a fit.

    Args:
        run: a run folder.
        fold: which fit.
        seed: which fit.
        model: the model file of it.

    Raises:
        CorpusError: its corpora are not where its recipe says.
        RecipeError: the run has no such fit.
    """
    recipe = load(Path(run) / "recipe.yaml")
    utterances, split = fit.validation_rows(recipe, fold, seed)
    name = f"the validation clips of its training, {split}"
    return _labelled(read_model(model).spec, utterances, recipe.data.labels, name, recipe.data.shortest_s)


def of_manifest(manifest: str | Path, model: str | Path) -> LabelledClips:
    """The rows of a manifest that a model has labels for.

    Raises:
        CorpusError: the manifest cannot be read, or no row can be used.
    """
    spec = read_model(model).spec
    utterances, _ = evaluate.labelled_rows(spec, manifest)
    return _labelled(spec, utterances, evaluate.merge_of(spec), Path(manifest).name)


def _labelled(
    spec: ModelSpec, utterances: Sequence[Utterance], merge: str, name: str, shortest_s: float = 0.0
) -> LabelledClips:
    analysis, bar = data.by_spec(spec), data.bar(Console(stderr=True), "listening")
    examples = data.prepare(utterances, merge, analysis, bar, shortest_s)
    clips = [inputs.normalise_alone(spec, clip) for clip in examples.clips]
    truth = np.array([spec.labels.index(examples.labels[target]) for target in examples.targets])
    return LabelledClips(name, clips, truth)
