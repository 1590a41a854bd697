"""What `config.yaml` of an emotion2vec says of its network. Nothing in it is run, the list of convolutions neither."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from intonate.converters.checkpoint import Checkpoint, setting
from intonate.errors import ModelError

CONFIG = "config.yaml"
# What every published checkpoint has: with anything else the network here would answer otherwise.
FIXED = {"layer_norm_first": False, "norm_affine": True}
FIXED_OF_SOUND = {"conv_pos_pre_ln": False, "learned_alibi": False, "local_grad_mult": 1.0}


@dataclass(frozen=True, slots=True)
class Sizes:
    """What config.yaml says of the network.

    Attributes:
        convolutions: (channels, kernel, stride) of each, of the waveform.
        layered: whether each of them is followed by a norm over channels; else the first by one over time.
        width: numbers of a frame.
        heads: of the attention.
        inner: numbers between the two layers of a block's feed-forward part.
        first_blocks: blocks that belong to the encoder of sound.
        blocks: blocks behind them.
        positions: convolutions that tell where a frame is.
        position_width: frames that they see together.
        position_groups: groups of their channels.
        extra: learnt frames in front.
        scales: shape of the scale of distances in attention, (blocks or 1, 1, heads or 1, 1, 1); empty where it does
            not know them.
        normalise: whether the waveform is normalised.
        epsilon: added to the variance in the blocks' norms.
        labels: outputs.
    """

    convolutions: Sequence[tuple[int, int, int]]
    layered: bool
    width: int
    heads: int
    inner: int
    first_blocks: int
    blocks: int
    positions: int
    position_width: int
    position_groups: int
    extra: int
    scales: tuple[int, ...]
    normalise: bool
    epsilon: float
    labels: int


def sizes_of(checkpoint: Checkpoint, labels: int) -> Sizes:
    """Read config.yaml.

    Raises:
        ModelError: a setting is missing, or is one that no published checkpoint has.
    """
    source = f"{checkpoint.name}: {CONFIG}"
    model = setting(checkpoint.yaml(CONFIG) or {}, "model_conf", dict, source)
    sound = setting(setting(model, "modalities", dict, source), "audio", dict, source)
    for settings, fixed_settings in ((model, FIXED), (sound, FIXED_OF_SOUND)):
        for key, value in fixed_settings.items():
            if settings.get(key, value) != value:
                raise ModelError(f"{source} has {key}: {settings[key]}, and only {value} can be converted")
    width, heads = (setting(model, key, int, source) for key in ("embed_dim", "num_heads"))
    first_blocks, blocks = setting(sound, "prenet_depth", int, source), setting(model, "depth", int, source)
    scales: tuple[int, ...] = ()
    if setting(sound, "use_alibi_encoder", bool, source):
        if setting(sound, "num_alibi_heads", int, source) != heads:
            raise ModelError(f"{source} has num_alibi_heads other than num_heads, which cannot be converted")
        each = first_blocks + blocks if sound.get("learned_alibi_scale_per_layer") else 1
        scales = (each, 1, heads if sound.get("learned_alibi_scale_per_head") else 1, 1, 1)
    return Sizes(
        convolutions=convolutions_of(setting(sound, "feature_encoder_spec", str, source), source),
        layered=setting(sound, "extractor_mode", str, source) == "layer_norm",
        width=width,
        heads=heads,
        inner=int(width * float(model.get("mlp_ratio", 4.0))),
        first_blocks=first_blocks,
        blocks=blocks,
        positions=setting(sound, "conv_pos_depth", int, source),
        position_width=setting(sound, "conv_pos_width", int, source),
        position_groups=setting(sound, "conv_pos_groups", int, source),
        extra=setting(sound, "num_extra_tokens", int, source),
        scales=scales,
        normalise=setting(model, "normalize", bool, source),
        epsilon=float(model.get("norm_eps", 1e-5)),
        labels=labels,
    )


def convolutions_of(text: str, source: str) -> list[tuple[int, int, int]]:
    """What `[(512, 10, 5)] + [(512, 3, 2)] * 4` stands for. It is reckoned here and never run as code.

    Raises:
        ModelError: it is anything but lists of three whole numbers, added and multiplied.
    """
    operators: dict[type, Callable[[Any, Any], Any]] = {ast.Add: operator.add, ast.Mult: operator.mul}

    def value(node: ast.AST) -> Any:
        if isinstance(node, ast.BinOp):
            return operators[type(node.op)](value(node.left), value(node.right))
        return ast.literal_eval(node)

    try:
        layers = [
            (int(channels), int(kernel), int(stride))
            for channels, kernel, stride in value(ast.parse(text, mode="eval").body)
        ]
    except (SyntaxError, ValueError, TypeError, KeyError) as error:
        raise ModelError(
            f"{source} has feature_encoder_spec: {text!r}, which is no list of (channels, kernel, stride)"
        ) from error
    return layers
