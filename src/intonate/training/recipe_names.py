"""Every name in a recipe that a catalogue or a function must know, looked up before anything is read or trained."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from intonate import features, models
from intonate.audio.clean import check_steps
from intonate.augment import waveform
from intonate.augment.spectrogram import SpectrogramAugment
from intonate.catalogue import check_name
from intonate.corpora import sets
from intonate.emotions import merge
from intonate.errors import RecipeError, did_you_mean
from intonate.features import text as text_features
from intonate.features.text import TOKENS, is_text
from intonate.models.contract import is_network
from intonate.schema import Pool
from intonate.training import translators
from intonate.training.fit_options import Training
from intonate.training.recipe import Recipe

# What the training gives to every model, and to every front end, and no recipe may set.
MODEL_ARGUMENTS = ("self", "classes", "columns", "seed", "_")
TRANSLATOR_ARGUMENTS = ("speech", "seed", "folder")
FRONT_END_ARGUMENTS = ("waveform", "samples", "sample_rate_hz", "text")
FRONT_ENDS = (*features.CATALOGUE, *text_features.CATALOGUE, TOKENS)


def check(recipe: Recipe) -> None:
    """Refuse unknown models, front ends, merges, cleaning steps and translators, and unknown parameters of each.

    Raises:
        RecipeError, LabelError: with the nearest known name.
    """
    _check_task(recipe)
    if recipe.data.labels:
        merge(recipe.data.labels)
    if recipe.data.set:
        sets.get(recipe.data.set)
    check_steps(recipe.data.clean)
    for steps in recipe.data.expand:
        waveform.check(steps)
    _refuse_unknown("pool", recipe.pool, (field.name for field in dataclasses.fields(Pool)))
    build = models.get(recipe.model.name)
    _refuse_unknown("model.params", recipe.model.params, _parameters(build))
    _check_search(recipe, build)
    if recipe.translate:
        translator = translators.get(recipe.translate.name)
        _refuse_unknown("translate.params", recipe.translate.params, _parameters(translator, TRANSLATOR_ARGUMENTS))
    if not recipe.inputs:
        raise RecipeError("inputs is empty; name at least one, such as mel: {front_end: log_mel}")
    for name, item in recipe.inputs.items():
        _refuse_unknown(
            f"inputs.{name}.augment", item.augment, (field.name for field in dataclasses.fields(SpectrogramAugment))
        )
        _check_front_end(f"inputs.{name}.params", item.front_end, item.params)
        if item.front_end in features.IMAGES and (item.normalise or item.augment or item.noise):
            raise RecipeError(f"inputs.{name} is an image: give it params only, the network takes it as it is")
    if is_network(build):
        _check_inputs(recipe, build)
        if recipe.training.mixup and recipe.reads():
            raise RecipeError("words cannot be mixed: set training.mixup to 0 for a model that reads text")


def _check_task(recipe: Recipe) -> None:
    """There are labels or ratings to learn from, and nothing that works on one label to a clip where there is none."""
    if recipe.task == "labels" and not recipe.data.labels:
        raise RecipeError("the key 'data.labels' is missing; name a merge, or train numbers with task: dimensions")
    if recipe.task != "dimensions" and recipe.data.ratings:
        raise RecipeError("data.ratings needs task: dimensions; add it, or leave the ratings out")
    if recipe.task == "labels":
        return
    if recipe.task == "multi_label" and not recipe.data.manifest:
        raise RecipeError(
            "task: multi_label needs data.manifest, a table with a column labels, as in happy; laughing: a corpus has "
            "one emotion to a clip"
        )
    if recipe.task == "dimensions" and not recipe.data.ratings:
        raise RecipeError("task: dimensions needs data.ratings, each with its scale, as in {arousal: [1, 7]}")
    for name, (low, high) in recipe.data.ratings.items():
        if not low < high:
            raise RecipeError(
                f"data.ratings.{name}: a scale goes from its lowest to its highest value, not {low}–{high}"
            )
    if not is_network(models.get(recipe.model.name)):
        raise RecipeError(
            f"task: {recipe.task} needs a network, and {recipe.model.name!r} is none; choose head or compact"
        )
    has_classes = recipe.task == "dimensions" and bool(recipe.data.labels)
    unfit = {
        "model.views": recipe.model.views is not None,
        "translate": recipe.translate is not None,
        "search": recipe.search is not None,
        "training.leave_out": bool(recipe.training.leave_out),
        "data.balance": recipe.data.balance is not None and not has_classes,
        "training.soft_labels": recipe.training.soft_labels and not has_classes,
    }
    for key, is_set in unfit.items():
        if is_set:
            kind = "labels" if recipe.task == "dimensions" else "one label to a clip"
            raise RecipeError(f"{key} works on {kind} and cannot be used with task: {recipe.task}; leave it out")


def _check_search(recipe: Recipe, build: Any) -> None:
    """Every key of the space is one that the model or its training reads, and every value is possible."""
    if recipe.search is None:
        return
    keys = [f"model.params.{name}" for name in _parameters(build)]
    if is_network(build):
        keys += [f"training.{name}" for name in Training.model_fields if name != "seeds"]
    _refuse_unknown("search.space", recipe.search.space, keys)
    for key, values in recipe.search.space.items():
        for value in values.values or (values.low, values.high):
            recipe.having({key: value})


def _check_inputs(recipe: Recipe, build: Any) -> None:
    """The names of the inputs are the arguments of the module's forward."""
    parameters = inspect.signature(build.forward).parameters
    inputs = {name: value for name, value in parameters.items() if name != "self" and not name.endswith("_lengths")}
    _refuse_unknown("inputs", recipe.inputs, inputs)
    for name, value in inputs.items():
        if value.default is inspect.Parameter.empty and name not in recipe.inputs:
            raise RecipeError(f"model {recipe.model.name!r} needs an input {name!r}; add it under inputs")


def _check_front_end(
    location: str, name: str, params: Mapping[str, Any], known_names: Collection[str] = FRONT_ENDS
) -> None:
    """The front end is known, and its parameters; and so is the one that it is made of (`of`), of sound, if any."""
    check_name(name, known_names, "front end", RecipeError)
    if name == TOKENS:  # made by the tokenizer of the model
        return
    front_end = text_features.get(name) if is_text(name) else features.get(name)
    parameters = _parameters(front_end, FRONT_END_ARGUMENTS)
    _refuse_unknown(location, params, parameters)
    for key, parameter in parameters.items():
        if parameter.default is inspect.Parameter.empty and key not in params:
            raise RecipeError(f"{location} lacks {key!r}, which the front end {name!r} cannot do without")
    if "of" in parameters:
        _check_front_end(f"{location}.params", params["of"], params.get("params") or {}, features.CATALOGUE)


def _parameters(
    function: Callable[..., Any], reserved: tuple[str, ...] = MODEL_ARGUMENTS
) -> dict[str, inspect.Parameter]:
    """What a recipe may set."""
    return {name: value for name, value in inspect.signature(function).parameters.items() if name not in reserved}


def _refuse_unknown(location: str, names: Mapping[str, Any], known_names: Iterable[str]) -> None:
    options = list(known_names)
    for key in names:
        if key not in options:
            raise RecipeError(f"{location} has no {key!r}; {did_you_mean(key, options)}")
