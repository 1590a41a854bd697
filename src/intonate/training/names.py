"""Every name in a recipe that a catalogue or a function must know, looked up before anything is read or trained."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from intonate import features, models
from intonate.audio.clean import check_steps
from intonate.augment import waveform
from intonate.augment.spectrogram import SpectrogramAugment
from intonate.corpora import sets
from intonate.emotions import merge
from intonate.errors import ModelError, RecipeError, did_you_mean
from intonate.recognizer.model_file import TOKENS
from intonate.schema import Pool
from intonate.training.recipe import Recipe, Training

# What the training gives to every model, and to every front end, and no recipe may set.
GIVEN = ("self", "classes", "columns", "seed", "_")
HEARD = ("waveform", "samples", "sample_rate_hz")


def check(recipe: Recipe) -> None:
    """Refuse unknown models, front ends, merges and cleaning steps, and unknown parameters of each.

    Raises:
        RecipeError, LabelError: with the nearest known name.
    """
    merge(recipe.data.labels)
    if recipe.data.set:
        sets.get(recipe.data.set)
    check_steps(recipe.data.clean)
    for steps in recipe.data.expand:
        waveform.check(steps)
    _known("pool", recipe.pool, (field.name for field in dataclasses.fields(Pool)))
    build = models.get(recipe.model.name)
    _known("model.params", recipe.model.params, _parameters(build))
    _search_fits(recipe, build)
    if not recipe.inputs:
        raise RecipeError("inputs is empty; name at least one, such as mel: {front_end: log_mel}")
    for name, item in recipe.inputs.items():
        _known(f"inputs.{name}.augment", item.augment, (field.name for field in dataclasses.fields(SpectrogramAugment)))
        if item.front_end != TOKENS:
            _front_end_fits(f"inputs.{name}.params", item.front_end, item.params)
        if item.front_end in features.IMAGES and (item.normalise or item.augment or item.noise):
            raise RecipeError(f"inputs.{name} is an image: give it params only, the network takes it as it is")
    if isinstance(build, type):
        _inputs_fit(recipe, build)
        if recipe.training.mixup and recipe.reads():
            raise RecipeError("words cannot be mixed: set training.mixup to 0 for a model that reads text")


def _search_fits(recipe: Recipe, build: Any) -> None:
    """Every key of the space is one that the model or its training reads, and every value is possible."""
    if recipe.search is None:
        return
    known = [f"model.params.{name}" for name in _parameters(build)]
    if isinstance(build, type):
        known += [f"training.{name}" for name in Training.model_fields if name != "seeds"]
    _known("search.space", recipe.search.space, known)
    for key, drawn in recipe.search.space.items():
        for value in drawn.values or (drawn.low, drawn.high):
            recipe.having({key: value})


def _inputs_fit(recipe: Recipe, build: Any) -> None:
    """The names of the inputs are the arguments of the module's forward."""
    takes = inspect.signature(build.forward).parameters
    wanted = {name: value for name, value in takes.items() if name != "self" and not name.endswith("_lengths")}
    _known("inputs", recipe.inputs, wanted)
    for name, value in wanted.items():
        if value.default is inspect.Parameter.empty and name not in recipe.inputs:
            raise RecipeError(f"model {recipe.model.name!r} needs an input {name!r}; add it under inputs")


def _front_end_fits(where: str, name: str, params: Mapping[str, Any]) -> None:
    """The front end is known, and its parameters; and so is the one that it is made of (`of`), if any."""
    try:
        found = _parameters(features.get(name), HEARD)
    except ModelError as error:
        raise RecipeError(str(error)) from None
    _known(where, params, found)
    for key, parameter in found.items():
        if parameter.default is inspect.Parameter.empty and key not in params:
            raise RecipeError(f"{where} lacks {key!r}, which the front end {name!r} cannot do without")
    if "of" in found:
        _front_end_fits(f"{where}.params", params["of"], params.get("params") or {})


def _parameters(function: Callable[..., Any], given: tuple[str, ...] = GIVEN) -> dict[str, inspect.Parameter]:
    """What a recipe may set."""
    return {name: value for name, value in inspect.signature(function).parameters.items() if name not in given}


def _known(where: str, given: Mapping[str, Any], known: Iterable[str]) -> None:
    options = list(known)
    for key in given:
        if key not in options:
            raise RecipeError(f"{where} has no {key!r}; {did_you_mean(key, options)}")
