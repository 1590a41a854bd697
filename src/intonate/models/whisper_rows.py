"""The first layers of Whisper's encoder (Radford et al. 2023) for clips as long as they are.

The same numbers as transformers' WhisperEncoder gives for its first positions, with three differences: no 30 s of
silence follow the sound; the convolutions are written as matrix products, which quantise well; and the positions,
sinusoids, are computed, so that they take no room in a file and have no end.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from intonate.errors import RecipeError


class WhisperRows(nn.Module):
    """(batch, frames, bands) log-mel -> (batch, rows, width × layers): the outputs of layers side by side.

    As published there is a row for two frames. With a row for four it takes half the time, and has to be taught anew
    (`intonate.training.teaching`).

    Args:
        encoder: transformers' WhisperEncoder, whose weights are taken.
        layers: whose outputs, counted from 1, in the order wanted.
        frames_per_row: 2, or a multiple of it; there are `ceil(frames / frames_per_row)` rows.

    Raises:
        RecipeError: it has no such layer.
    """

    inverse: Tensor

    def __init__(self, encoder: Any, layers: Sequence[int], frames_per_row: int = 2) -> None:
        super().__init__()
        if not layers or not 1 <= min(layers) <= max(layers) <= len(encoder.layers):
            raise RecipeError(f"layers: expected some of 1 to {len(encoder.layers)}, got {list(layers)}")
        width: int = encoder.config.d_model
        self.layer_numbers, self.width = tuple(layers), width * len(layers)
        self.every = frames_per_row // 2
        self.first, self.second = _dense_layer(encoder.conv1), _dense_layer(encoder.conv2)
        self.blocks = nn.ModuleList(_EncoderBlock(layer, encoder.config.encoder_attention_heads)
                                    for layer in encoder.layers[: max(layers)])  # fmt: skip
        scale = math.log(10_000) / (width // 2 - 1)
        self.register_buffer("inverse", self.every * torch.exp(-scale * torch.arange(width // 2)), persistent=False)

    def forward(self, mel: Tensor) -> Tensor:
        frames = _with_neighbours(mel)
        rows = F.gelu(self.first(frames if self.every == 1 else frames[:, :: self.every]))
        rows = F.gelu(self.second(_with_neighbours(rows)[:, ::2]))
        place = torch.arange(rows.shape[1], device=rows.device, dtype=rows.dtype)[:, None] * self.inverse
        rows = rows + torch.cat([place.sin(), place.cos()], dim=1)
        outputs = []
        for block in self.blocks:
            rows = block(rows)
            outputs.append(rows)
        return torch.cat([outputs[layer - 1] for layer in self.layer_numbers], dim=-1)


class TaughtRows(nn.Module):
    """(batch, frames, bands) log-mel -> (batch, ceil(frames / 2), columns): a small encoder's guess at a larger one's.

    The columns of its own rows are brought to one scale, by statistics that `set_scale` is given, and a layer turns
    them into those of the larger one, whose columns have mean 0 and deviation 1 here.

    Args:
        rows: the small encoder.
        width: columns of its rows.
        columns: of the larger one's.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, rows: WhisperRows, width: int, columns: int) -> None:
        super().__init__()
        self.rows, self.projection = rows, nn.Linear(width, columns)
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("scale", torch.ones(width))

    def set_scale(self, mean: Tensor, deviation: Tensor) -> None:
        """Mean and deviation of each column of the small encoder's rows, (width,) each."""
        self.mean.copy_(mean)
        self.scale.copy_(1 / deviation)

    def forward(self, mel: Tensor) -> Tensor:
        rows: Tensor = self.projection((self.rows(mel) - self.mean) * self.scale)
        return rows


class _EncoderBlock(nn.Module):
    def __init__(self, layer: Any, heads: int) -> None:
        super().__init__()
        attention = layer.self_attn
        self.heads = heads
        self.norm, self.last_norm = layer.self_attn_layer_norm, layer.final_layer_norm
        self.query, self.key, self.value = attention.q_proj, attention.k_proj, attention.v_proj
        self.out, self.wide, self.narrow = attention.out_proj, layer.fc1, layer.fc2

    def forward(self, rows: Tensor) -> Tensor:
        batch, count, width = rows.shape
        normed = self.norm(rows)
        query, key, value = (
            dense(normed).reshape(batch, count, self.heads, width // self.heads).transpose(1, 2)
            for dense in (self.query, self.key, self.value)
        )
        share = torch.softmax(query @ key.transpose(2, 3) * (width // self.heads) ** -0.5, dim=-1)
        rows = rows + self.out((share @ value).transpose(1, 2).reshape(batch, count, width))
        answer: Tensor = rows + self.narrow(F.gelu(self.wide(self.last_norm(rows))))
        return answer


def _dense_layer(convolution: nn.Conv1d) -> nn.Linear:
    """A convolution over three rows as a layer on three rows side by side."""
    dense = nn.Linear(convolution.in_channels * 3, convolution.out_channels)
    with torch.no_grad():
        dense.weight.copy_(convolution.weight.permute(0, 2, 1).flatten(1))
        dense.bias.copy_(convolution.bias)  # type: ignore[arg-type]
    return dense


def _with_neighbours(rows: Tensor) -> Tensor:
    """Each row between the one before and the one after it, zeros beyond the ends: (batch, rows, 3 × columns)."""
    beyond = torch.zeros_like(rows[:, :1])
    return torch.cat([torch.cat([beyond, rows[:, :-1]], 1), rows, torch.cat([rows[:, 1:], beyond], 1)], dim=-1)
