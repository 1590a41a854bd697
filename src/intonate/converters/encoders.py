"""An encoder of transformers, filled with the weights of a checkpoint that has a head of its own on it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from intonate.errors import ModelError, require

# Weights that many are published without, and that are of no use in an answer.
SPARE = ("masked_spec_embed", "pooler.")


def encoder_of(config: Any, weights: Mapping[str, Any], name: str) -> Any:
    """The network of transformers for a configuration, in full precision and with attention that exports.

    Args:
        config: of transformers, for an encoder of the waveform.
        weights: {name: tensor}, with or without the encoder's prefix (`wav2vec2.`); others are left out.
        name: of the checkpoint, for the sentences.

    Raises:
        ModelError: it is no architecture of transformers, or weights are missing or have other shapes.
    """
    torch, transformers = require("torch", "train"), require("transformers", "train")
    logging = transformers.utils.logging
    verbosity = logging.get_verbosity()
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    try:
        with torch.device("meta"):
            kind = type(transformers.AutoModel.from_config(config))
        prefix = f"{kind.base_model_prefix}."
        own = {key.removeprefix(prefix): value for key, value in weights.items() if key.startswith(prefix)}
        loaded, loading_info = kind.from_pretrained(
            None, config=config, state_dict=own or dict(weights), attn_implementation="eager", output_loading_info=True
        )
    except Exception as error:  # a checkpoint can be wrong in many ways, and each has its own exception
        reason = " ".join(str(error).split())[:200]
        raise ModelError(f"{name} cannot be loaded as an encoder of transformers: {reason}") from error
    finally:
        logging.set_verbosity(verbosity)
    random = {*loading_info["missing_keys"], *(str(entry[0]) for entry in loading_info["mismatched_keys"])}
    if lacking := sorted(weight for weight in random if not weight.startswith(SPARE)):
        raise ModelError(
            f"{name} has no weights for {', '.join(lacking[:3])}{' ...' * (len(lacking) > 3)} of its encoder, or of "
            "another shape; fetch the whole checkpoint again"
        )
    return loaded.float().eval()
