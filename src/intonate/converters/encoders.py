"""An encoder of transformers, filled with the weights of a checkpoint that has a head of its own on it.

Many of these say by name only which encoder they began with, and keep nothing of its configuration: the shapes and
names of the weights tell it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from intonate.errors import ModelError, require
from intonate.published.checkpoints import (
    SPARE,
    full_precision,
    missing_weights,
    quiet_transformers,
    unused_weights,
)

# In every published wav2vec 2.0, WavLM and Whisper: numbers of a head of the attention, and the steps of the
# convolutions, which the shapes of weights do not show.
HEAD = 64
STRIDES = (5, 2, 2, 2, 2, 2, 2)
# The convolution that tells where a frame is, (width, width / groups, frames), as newer and older torch call it.
POSITION = tuple(
    f"encoder.pos_conv_embed.conv.{end}" for end in ("parametrizations.weight.original1", "weight_v", "weight")
)


def configuration_of(config: Mapping[str, Any], name: str) -> Any:
    """The configuration of transformers that a config.json holds.

    Raises:
        ModelError: it is of no architecture that this version of transformers has, or has a setting that is none.
    """
    with quiet_transformers(f"{name} has a config.json that transformers cannot use") as transformers:
        kinds, version = transformers.CONFIG_MAPPING, transformers.__version__
        if (model_type := config.get("model_type")) in kinds:
            return kinds[model_type].from_dict(dict(config))
    raise ModelError(
        f"{name} is of the model_type {model_type!r} (in its config.json), which transformers {version} does not "
        "have; give another checkpoint"
    )


def encoder_of(config: Any, weights: Mapping[str, Any], name: str) -> Any:
    """The network of transformers for a configuration, in full precision and with attention that exports.

    Args:
        config: of transformers, for an encoder of the waveform.
        weights: {name: tensor}, with or without the encoder's prefix (`wav2vec2.`); others are left out.
        name: of the checkpoint, for the sentences.

    Raises:
        ModelError: it is no architecture of transformers, or weights are missing, left over or have other shapes.
    """
    torch = require("torch", "train")
    with quiet_transformers(f"{name} cannot be loaded as an encoder of transformers") as transformers:
        with torch.device("meta"):
            architecture = transformers.AutoModel.from_config(config)
        # Of a Whisper only the part that hears.
        kind = type(architecture.encoder if config.is_encoder_decoder else architecture)
        encoder, loading_info = kind.from_pretrained(
            None,
            config=config,
            state_dict=under(f"{kind.base_model_prefix}.", weights) or dict(weights),
            ignore_mismatched_sizes=True,  # they are named below
            output_loading_info=True,
            **full_precision(),
        )
    if missing_names := missing_weights(loading_info, SPARE):
        raise ModelError(
            f"{name} has no weights for {missing_names} of its encoder, or of another shape; "
            "fetch the whole checkpoint again"
        )
    if unused_names := unused_weights(encoder, loading_info):
        raise ModelError(
            f"{name} holds weights that a {type(encoder).__name__} as it is configured has no place for "
            f"({unused_names}), so its answers would be those of another network; give one whose configuration "
            "belongs to its weights"
        )
    return encoder.eval()


def under(prefix: str, weights: Mapping[str, Any]) -> dict[str, Any]:
    """The weights whose names begin so, without that."""
    return {name.removeprefix(prefix): value for name, value in weights.items() if name.startswith(prefix)}


def waveform_configuration(kind: str, weights: Mapping[str, Any], name: str) -> Any:
    """The configuration of an encoder of the waveform, from its weights.

    Args:
        kind: `Wav2Vec2` or `WavLM`.
        weights: {name: tensor} without a prefix.
        name: of the checkpoint, for the sentence.

    Raises:
        ModelError: they are those of no such encoder.
    """
    transformers = require("transformers", "train")
    convolutions_name, layer = "feature_extractor.conv_layers", "encoder.layers.0"
    try:
        kernels = [tuple(weights[f"{convolutions_name}.{place}.conv.weight"].shape) for place in range(len(STRIDES))]
        place = next(key for key in POSITION if key in weights)
        width, of_group, positions = weights[place].shape
        inner = weights[f"{layer}.feed_forward.intermediate_dense.weight"].shape[0]
        biases = weights.get(f"{layer}.attention.rel_attn_embed.weight") if kind == "WavLM" else None
    except (LookupError, StopIteration, ValueError) as error:
        raise ModelError(f"{name} has no weights of a {kind} where they are expected; fetch it again") from error
    # The large ones have a norm behind each convolution, and in front of each part of a block.
    is_layered = f"{convolutions_name}.1.layer_norm.weight" in weights
    buckets = {} if biases is None else {"num_buckets": biases.shape[0]}
    return getattr(transformers, f"{kind}Config")(
        hidden_size=width,
        num_hidden_layers=len({key.split(".")[2] for key in weights if key.startswith("encoder.layers.")}),
        num_attention_heads=width // HEAD if biases is None else biases.shape[1],
        intermediate_size=inner,
        conv_dim=[channels for channels, _, _ in kernels],
        conv_kernel=[kernel for _, _, kernel in kernels],
        conv_stride=STRIDES,
        conv_bias=f"{convolutions_name}.0.conv.bias" in weights,
        feat_extract_norm="layer" if is_layered else "group",
        do_stable_layer_norm=is_layered,
        num_conv_pos_embeddings=positions,
        num_conv_pos_embedding_groups=width // of_group,
        **buckets,
    )


def whisper_configuration(weights: Mapping[str, Any], name: str) -> Any:
    """The configuration of a Whisper encoder, from its weights; the decoder is left as small as it comes.

    Args:
        weights: {name: tensor} without a prefix.
        name: of the checkpoint, for the sentence.

    Raises:
        ModelError: they are those of no such encoder.
    """
    transformers = require("transformers", "train")
    try:
        width, bands, _ = weights["conv1.weight"].shape
        inner, frames = weights["layers.0.fc1.weight"].shape[0], weights["embed_positions.weight"].shape[0]
    except (LookupError, ValueError) as error:
        raise ModelError(f"{name} has no weights of a Whisper where they are expected; fetch it again") from error
    return transformers.WhisperConfig(
        d_model=width,
        encoder_layers=len({key.split(".")[1] for key in weights if key.startswith("layers.")}),
        encoder_attention_heads=width // HEAD,
        encoder_ffn_dim=inner,
        decoder_layers=1,
        decoder_attention_heads=width // HEAD,
        decoder_ffn_dim=1,
        num_mel_bins=bands,
        max_source_positions=frames,
    )
