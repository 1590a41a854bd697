"""`resnet_roberta`: modified ResNet-34 + RoBERTa (P0).

ResNet-34 (`resnet.py`) turns frames of features into rows, a row for every 32 frames. A linear layer gives them the
width of RoBERTa, which reads them in the place of words (`inputs_embeds`). What ResNet says on average stands beside
what RoBERTa says of the whole, and a linear layer answers. RoBERTa is told no word: whether what it knows of language
is of use here is seen by `roberta: random` (the same network, nothing learnt before) and `roberta: none`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from intonate.errors import RecipeError, did_you_mean, require
from intonate.models.contract import Network
from intonate.models.resnet import ResNet34
from intonate.models.rows import mask_of, masked_mean
from intonate.published import checkpoints

# What of RoBERTa-base's shape differs from transformers' defaults (Liu et al. 2019).
BASE = {"vocab_size": 50_265, "max_position_embeddings": 514, "type_vocab_size": 1, "layer_norm_eps": 1e-5}
ROBERTA = ("pretrained", "random", "none")


class ResNetRoBERTa(Network):
    """Frames in, logits out.

    Args:
        classes: number of outputs.
        columns: {"frames": columns of a frame}.
        roberta: `pretrained`; `random`, of the same shape; or `none`, ResNet-34 alone.
        checkpoint: folder or hub name of the pretrained one; any encoder of text that takes `inputs_embeds`.
        shape: where the random one is not RoBERTa-base: {hidden_size: 64, num_hidden_layers: 2, ...}.
        channels: widths of ResNet's stages.
        blocks: residual blocks of each stage.
        dropout: before the output.

    Raises:
        ModelError: the checkpoint is not here and cannot be fetched.
        RecipeError: an impossible value.
    """

    EXPORTER = "dynamo"

    def __init__(
        self,
        classes: int,
        columns: Mapping[str, int],
        roberta: str = "pretrained",
        checkpoint: str = "FacebookAI/roberta-base",
        shape: Mapping[str, Any] | None = None,
        channels: Sequence[int] = (64, 128, 256, 512),
        blocks: Sequence[int] = (3, 4, 6, 3),
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        _check_roberta(roberta, shape)
        self.resnet = ResNet34(classes, columns, channels=channels, blocks=blocks)
        width = channels[-1]
        del self.resnet.head
        self.roberta: Any = None
        if roberta != "none":
            self.roberta = _load_roberta(roberta, checkpoint, shape or {})
            config = self.roberta.config
            # Positions are counted from behind the one that means padding.
            self.longest = config.max_position_embeddings - (config.pad_token_id or 0) - 1
            self.project = nn.Linear(width, config.hidden_size)
            width += config.hidden_size
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(width, classes))

    def forward(self, frames: Tensor, frames_lengths: Tensor) -> Tensor:
        """(batch, frames, columns), (batch,) -> (batch, classes)."""
        rows, lengths = self.resnet.rows(frames, frames_lengths)
        vectors = [masked_mean(rows, mask_of(lengths, rows.shape[1]))]
        if self.roberta is not None:
            # A row is 0.32 s: what is beyond the positions that RoBERTa knows, 164 s, it does not read.
            embeddings = self.project(rows[:, : self.longest])
            mask = mask_of(lengths, embeddings.shape[1]).long()
            vectors.append(self.roberta(inputs_embeds=embeddings, attention_mask=mask).pooler_output)
        logits: Tensor = self.head(torch.cat(vectors, dim=1))
        return logits

    def encoder_parameters(self) -> Iterator[nn.Parameter]:
        """What learns at `training.encoder_learning_rate`: RoBERTa."""
        return iter(() if self.roberta is None else self.roberta.parameters())

    @staticmethod
    def check(
        roberta: str = "pretrained",
        checkpoint: str = "FacebookAI/roberta-base",
        shape: Mapping[str, Any] | None = None,
        **_: Any,
    ) -> None:
        """Refuse a checkpoint that is not there, before anything is listened to."""
        _check_roberta(roberta, shape)
        if roberta == "pretrained":
            checkpoints.find(checkpoint, parameter="checkpoint")


def _check_roberta(roberta: str, shape: Mapping[str, Any] | None) -> None:
    if roberta not in ROBERTA:
        raise RecipeError(f"model.params.roberta is pretrained, random or none; got {roberta!r}")
    if shape and roberta != "random":
        raise RecipeError("model.params.shape is of a random RoBERTa; set model.params.roberta to random")


def _load_roberta(kind: str, checkpoint: str, shape: Mapping[str, Any]) -> Any:
    if kind == "pretrained":
        roberta = checkpoints.load(checkpoint, "checkpoint")
    else:
        transformers = require("transformers", "train")
        config = transformers.RobertaConfig(**BASE)
        for name, value in shape.items():
            if not hasattr(config, name):
                raise RecipeError(f"model.params.shape has no {name!r}; {did_you_mean(name, config.to_dict())}")
            setattr(config, name, value)
        roberta = transformers.AutoModel.from_config(config, attn_implementation="eager")
    # A third of its weights are the words that it will never be given.
    roberta.set_input_embeddings(nn.Identity())
    return roberta
