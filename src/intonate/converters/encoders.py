"""An encoder of transformers, filled with the weights of a checkpoint that has a head of its own on it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from intonate.errors import ModelError, require
from intonate.published.checkpoints import SPARE, missing_weights, quiet_transformers


def encoder_of(config: Any, weights: Mapping[str, Any], name: str) -> Any:
    """The network of transformers for a configuration, in full precision and with attention that exports.

    Args:
        config: of transformers, for an encoder of the waveform.
        weights: {name: tensor}, with or without the encoder's prefix (`wav2vec2.`); others are left out.
        name: of the checkpoint, for the sentences.

    Raises:
        ModelError: it is no architecture of transformers, or weights are missing or have other shapes.
    """
    torch = require("torch", "train")
    with quiet_transformers(f"{name} cannot be loaded as an encoder of transformers") as transformers:
        with torch.device("meta"):
            kind = type(transformers.AutoModel.from_config(config))
        prefix = f"{kind.base_model_prefix}."
        own = {key.removeprefix(prefix): value for key, value in weights.items() if key.startswith(prefix)}
        loaded, loading_info = kind.from_pretrained(
            None, config=config, state_dict=own or dict(weights), attn_implementation="eager", output_loading_info=True
        )
    if missing := missing_weights(loading_info, SPARE):
        raise ModelError(
            f"{name} has no weights for {missing} of its encoder, or of another shape; fetch the whole checkpoint again"
        )
    return loaded.float().eval()
