"""One fit of a recipe's model to one training part, a network or a scikit-learn pipeline alike.

`intonate train` fits so once for each fold, and `intonate.training.search` once for each configuration that it tries.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from intonate import models
from intonate.corpora import balance
from intonate.corpora.splits import Split
from intonate.errors import RecipeError
from intonate.evaluation.metrics import uar_over_corpora
from intonate.export import onnx as export
from intonate.features.normalise import normalise
from intonate.models.contract import Network, is_network
from intonate.models.views import Views
from intonate.schema import ModelInput, ModelSpec
from intonate.training import encoders, input_statistics, network, translation
from intonate.training.data import Array, Clip, Examples
from intonate.training.recipe import Recipe

# Tells what balancing draws from all else that is drawn from a seed.
BALANCE = 1

# Told of the validation UAR after each epoch of a network: (epoch from 0, UAR).
EpochCallback = Callable[[int, float], None]


@dataclass(frozen=True)
class Fitted:
    """A fitted model.

    Attributes:
        model: the network, or the pipeline, which knows the labels of its training part as 0, 1, 2…
        inputs: with the normalisation measured on the training part.
        present: (classes,) which labels the outputs of a pipeline are; empty for a network, which has them all.
        facts: validation_uar (the mean over corpora), and what else there is to tell of the fit.
    """

    model: Any
    inputs: tuple[ModelInput, ...]
    present: NDArray[np.int64]
    facts: dict[str, Any]

    @property
    def batching(self) -> Literal["any", "equal_length"]:
        """Whether clips of different lengths may share a batch."""
        return self.model.BATCHING if isinstance(self.model, Network) else "any"

    def write(self, spec: ModelSpec, clips: Sequence[Clip], path: Path) -> float:
        """Export; arguments, result and errors as in `intonate.export.onnx.write_torch`."""
        if len(self.present):
            return export.write_sklearn(self.model, spec, clips, path, self.present)
        return export.write_torch(self.model, spec, clips, path)


def fit(
    recipe: Recipe, examples: Examples, split: Split, seed: int, folder: Path, on_epoch: EpochCallback | None = None
) -> Fitted:
    """Fit to the training part; choose between epochs, and score, on the validation part. The test part is not read.

    Clips that the recipe translates (`intonate.training.translation`) are fitted to as well.

    Args:
        recipe: what to fit, and how.
        examples: all clips.
        split: which of them to fit to.
        seed: of all that is drawn.
        folder: for the checkpoints of a network, which goes on from those that are there.
        on_epoch: called with each epoch of a network and its validation UAR; it may raise to end the fit.

    Raises:
        RecipeError: the model cannot be fitted to these clips with these parameters.
    """
    inputs = _model_inputs(recipe, examples, split)
    fit_split = replace(split, train=_balanced_rows(recipe, examples, split, seed))
    translation_facts: dict[str, Any] = {}
    if recipe.translate:
        examples, fit_split, translation_facts = translation.extend(recipe, examples, fit_split, inputs, seed, folder)
    build = models.get(recipe.model.name)
    if is_network(build):
        network_or_views, facts = network.fit(recipe, examples, fit_split, inputs, seed, folder, on_epoch)
        if recipe.model.views:
            network_or_views = Views(network_or_views, **recipe.model.views.model_dump())
        return Fitted(network_or_views, inputs, np.empty(0, np.int64), facts | translation_facts)
    fitted = _fit_pipeline(build(seed=seed, **recipe.model.params), recipe, examples, fit_split, inputs)
    return replace(fitted, facts=fitted.facts | translation_facts)


def normalised_clip(clip: Clip, inputs: Sequence[ModelInput]) -> Clip:
    """A clip as the model takes it, each by its own sound only."""
    return {item.name: normalise(clip[item.name], item.normalisation) for item in inputs}


def _model_inputs(recipe: Recipe, examples: Examples, split: Split) -> tuple[ModelInput, ...]:
    normalisations = input_statistics.measure(examples, split.train, recipe)
    return tuple(
        ModelInput(
            name=name,
            front_end=item.front_end,
            params=encoders.with_digests(item.front_end, item.params),
            lengths=f"{name}_lengths" if network.wants_lengths(recipe, name) else "",
            normalisation=normalisations[name],
        )
        for name, item in recipe.inputs.items()
    )


def _balanced_rows(recipe: Recipe, examples: Examples, split: Split, seed: int) -> NDArray[np.int64]:
    """The training part as it is fitted to: with copies, repeated, thinned out as the recipe says, and only here."""
    rows = examples.with_copies(split.train)
    if recipe.data.balance is None:
        return rows
    rng = np.random.default_rng((seed, BALANCE))
    return balance.rows(rows, examples.targets, recipe.data.balance.rule(), rng)


def _fit_pipeline(
    pipeline: Any, recipe: Recipe, examples: Examples, split: Split, inputs: tuple[ModelInput, ...]
) -> Fitted:
    from sklearn.exceptions import ConvergenceWarning

    features, targets = _matrix(examples, split.train, inputs)
    validation_features, truth = _matrix(examples, split.validation, inputs)
    # Some take only classes that count from 0 without a gap; a label may be missing from the training part.
    classes_present, classes = np.unique(targets, return_inverse=True)
    answers = np.full((len(truth), len(examples.labels)), -1.0)
    try:
        with warnings.catch_warnings(record=True) as caught_warnings:
            warnings.simplefilter("always", ConvergenceWarning)
            pipeline.fit(features, classes, **_class_weights(pipeline, classes, recipe.training.balance))
            answers[:, classes_present] = pipeline.predict_proba(validation_features)
    except ValueError as error:  # too few clips of a class, or a parameter out of its range
        reason = " ".join(str(error).split())
        raise RecipeError(f"model {recipe.model.name!r} cannot be fitted: {reason}") from error
    predicted = np.where(examples.allowed[split.validation], answers, -2.0).argmax(axis=1)
    corpora = np.array([examples.utterances[row].corpus for row in split.validation])
    facts: dict[str, Any] = {"validation_uar": uar_over_corpora(truth, predicted, corpora, len(examples.labels))}
    for warning in caught_warnings:
        if issubclass(warning.category, ConvergenceWarning):
            facts["converged"] = False
        else:
            warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
    return Fitted(pipeline, inputs, classes_present, facts)


def _class_weights(pipeline: Any, classes: NDArray[np.int64], balance: bool) -> dict[str, Array]:
    """Make the classes count the same, or each clip; gives weights of the clips where only they can (XGBoost, MLP).

    Most estimators have class_weight, which does it; nearest neighbours have neither, and are fitted as they are.
    """
    from sklearn.utils.class_weight import compute_sample_weight
    from sklearn.utils.validation import has_fit_parameter

    if not balance:
        weights = [name for name in pipeline.get_params() if name.endswith("class_weight")]
        pipeline.set_params(**dict.fromkeys(weights))
        return {}
    name, last_step = pipeline.steps[-1]
    if "class_weight" in last_step.get_params() or not has_fit_parameter(last_step, "sample_weight"):
        return {}
    return {f"{name}__sample_weight": compute_sample_weight("balanced", classes)}


def _matrix(
    examples: Examples, rows: NDArray[np.int64], inputs: tuple[ModelInput, ...]
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """One vector per clip for scikit-learn, and the targets; an input with rows over time is refused."""
    if len(inputs) != 1 or examples.clips[rows[0]][inputs[0].name].ndim != 1:
        raise RecipeError(
            "a scikit-learn model takes exactly one input that is a vector: voice_functionals, or any front end with "
            "rows pooled over time, as in front_end: pooled, params: {of: mfcc}"
        )
    vectors = [normalised_clip(examples.clips[row], inputs)[inputs[0].name] for row in rows]
    return np.stack(vectors), examples.targets[rows]
