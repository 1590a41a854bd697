"""Every name in a recipe that a catalogue or a function must know, looked up before anything is read or trained."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from intonate import features, models
from intonate.audio.clean import check_steps
from intonate.augment.spectrogram import SpectrogramAugment
from intonate.corpora import sets
from intonate.emotions import merge
from intonate.errors import ModelError, RecipeError, did_you_mean
from intonate.recognizer.model_file import TOKENS
from intonate.schema import Pool
from intonate.training.recipe import Recipe

# What the training gives to every model or front end, and no recipe may set.
GIVEN = ("self", "waveform", "samples", "sample_rate_hz", "classes", "columns", "seed", "_")


def check(recipe: Recipe) -> None:
    """Refuse unknown models, front ends, merges and cleaning steps, and unknown parameters of each.

    Raises:
        RecipeError, LabelError: with the nearest known name.
    """
    merge(recipe.data.labels)
    if recipe.data.set:
        sets.get(recipe.data.set)
    check_steps(recipe.data.clean)
    _known("pool", recipe.pool, (field.name for field in dataclasses.fields(Pool)))
    build = models.get(recipe.model.name)
    _known("model.params", recipe.model.params, _parameters(build))
    if not recipe.inputs:
        raise RecipeError("inputs is empty; name at least one, such as mel: {front_end: log_mel}")
    for name, item in recipe.inputs.items():
        _known(f"inputs.{name}.augment", item.augment, (field.name for field in dataclasses.fields(SpectrogramAugment)))
        if item.front_end != TOKENS:
            _known(f"inputs.{name}.params", item.params, _parameters(_front_end(item.front_end)))
    if isinstance(build, type):
        _inputs_fit(recipe, build)
        if recipe.training.mixup and any(item.front_end == TOKENS for item in recipe.inputs.values()):
            raise RecipeError("words cannot be mixed: set training.mixup to 0 for a model that reads text")


def _inputs_fit(recipe: Recipe, build: Any) -> None:
    """The names of the inputs are the arguments of the module's forward."""
    takes = inspect.signature(build.forward).parameters
    wanted = {name: value for name, value in takes.items() if name != "self" and not name.endswith("_lengths")}
    _known("inputs", recipe.inputs, wanted)
    for name, value in wanted.items():
        if value.default is inspect.Parameter.empty and name not in recipe.inputs:
            raise RecipeError(f"model {recipe.model.name!r} needs an input {name!r}; add it under inputs")


def _front_end(name: str) -> Callable[..., Any]:
    try:
        return features.get(name)
    except ModelError as error:
        raise RecipeError(str(error)) from None


def _parameters(function: Callable[..., Any]) -> list[str]:
    return [name for name in inspect.signature(function).parameters if name not in GIVEN]


def _known(where: str, given: Mapping[str, Any], known: Iterable[str]) -> None:
    options = list(known)
    for key in given:
        if key not in options:
            raise RecipeError(f"{where} has no {key!r}; {did_you_mean(key, options)}")
