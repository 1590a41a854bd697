"""Published encoders that a recipe names as a front end: made into graphs once, and called by their digest from then.

inputs: {voice: {front_end: pooled, params: {of: encoded, params: {encoder: openai/whisper-tiny.en, layers: [1, 2]}}}}
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from intonate.features import encoded
from intonate.training.recipe import Recipe

FRONT_END = "encoded"


def with_digests(front_end: str, params: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of a front end with every checkpoint in them replaced by the digest of its graph.

    Raises:
        ModelError, RecipeError: as `intonate.export.encoder.whisper_graph`.
    """
    if "of" in params:
        return {**params, "params": with_digests(params["of"], params.get("params") or {})}
    return _digest_params(**_hashable(params)) if front_end == FRONT_END else dict(params)


def origins(recipe: Recipe) -> dict[str, str]:
    """{digest: the checkpoint and its layers} of every encoder that a recipe's inputs run."""
    origin_of = {}
    for item in recipe.inputs.values():
        front_end, params = item.front_end, dict(item.params)
        while "of" in params:
            front_end, params = params["of"], params.get("params") or {}
        if front_end == FRONT_END:
            layers = " and ".join(map(str, params.get("layers", ())))
            name = with_digests(front_end, params)["encoder"]
            origin_of[name] = f"{_official(params['encoder'])}, layers {layers}"
    return origin_of


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
    from intonate.export.encoder import whisper_graph

    return {"encoder": encoded.keep(whisper_graph(encoder, layers, int8))}
