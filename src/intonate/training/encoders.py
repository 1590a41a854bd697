"""Encoders that a recipe names as a front end: made into graphs once, and called by their digest from then.

inputs: {voice: {front_end: pooled, params: {of: encoded, params: {encoder: openai/whisper-tiny.en, layers: [1, 2]}}}}

Either a published one (a folder, or a name on the hub) and its layers; or the name of a recipe in `recipes/encoders/`,
by which a published one is first taught by a larger one (`teaching`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from intonate.errors import RecipeError, did_you_mean
from intonate.export.card import TAUGHT
from intonate.features import encoded
from intonate.training import recipe_files, taught
from intonate.training.recipe import Recipe

FRONT_END = "encoded"


def with_digests(front_end: str, params: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of a front end with every checkpoint in them replaced by the digest of its graph.

    Raises:
        ModelError, RecipeError: as `intonate.export.encoder` and `taught.taught`.
    """
    if "of" in params:
        return {**params, "params": with_digests(params["of"], params.get("params") or {})}
    if front_end != FRONT_END:
        return dict(params)
    return _digest_params(**{**_hashable(params), "encoder": str(params["encoder"])})


def recipes_of(recipe: Recipe) -> list[str]:
    """The encoders that a recipe's inputs run and that are recipes themselves, to be taught first."""
    return [params["encoder"] for params in _encoder_params(recipe) if taught.is_name(params["encoder"])]


def _encoder_params(recipe: Recipe) -> Iterator[Mapping[str, Any]]:
    for item in recipe.inputs.values():
        front_end, params = item.front_end, dict(item.params)
        while "of" in params:
            front_end, params = params["of"], params.get("params") or {}
        if front_end == FRONT_END:
            yield {**params, "encoder": str(params["encoder"])}  # in YAML a name may be a number


def origins(recipe: Recipe) -> dict[str, str]:
    """{digest: the checkpoint and its layers} of every encoder that a recipe's inputs run."""
    return {
        with_digests(FRONT_END, params)["encoder"]: _origin(params["encoder"], params.get("layers", ()))
        for params in _encoder_params(recipe)
    }


def _origin(encoder: str, layers: Sequence[int]) -> str:
    if not taught.is_name(encoder):
        return f"{_official(encoder)}, layers {' and '.join(map(str, layers))}"
    recipe = taught.load(encoder)
    student, teacher = (_origin(part.encoder, part.layers) for part in (recipe.student, recipe.teacher))
    r2 = taught.facts(encoder)["r2_unheard_speakers"]
    return f"{student}{TAUGHT}{teacher} (R² {r2:.2f} on speakers that it never heard)"


def _official(checkpoint: str) -> str:
    """Its name on the hub; a folder that stands for it is called like it."""
    name = checkpoint.rstrip("/").rpartition("/")[2]
    return f"openai/{name}" if re.fullmatch(r"whisper-[\w.]+(-v\d)?", name) else name


def _hashable(params: Mapping[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in params.items()}


@cache
def _digest_params(encoder: str, layers: tuple[int, ...] = (), int8: bool = True) -> dict[str, Any]:
    if re.fullmatch(rf"[0-9a-f]{{{encoded.DIGITS}}}", encoder):
        return {"encoder": encoder}
    from intonate.export.encoder import encoder_graph, whisper_rows

    if not taught.is_name(encoder):
        if "/" not in encoder and not Path(encoder).is_dir():
            raise RecipeError(
                f"encoder {encoder!r} is neither a folder here, nor a name on the hub (ORG/NAME), nor a recipe; "
                f"{did_you_mean(encoder, recipe_files.names('encoder'))}"
            )
        return {"encoder": encoded.keep(encoder_graph(*whisper_rows(encoder, layers), int8))}
    if layers:
        raise RecipeError(f"encoder {encoder} is a recipe, which names the layers itself; leave out layers")
    return {"encoder": encoded.keep(encoder_graph(*taught.taught(encoder), int8))}
