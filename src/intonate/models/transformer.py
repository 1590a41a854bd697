"""`transformer`: self-attention over frames, the Transformer of "acoustic + linguistic, on the web" (P2).

Reads (batch, frames, columns) with lengths, in P2 MFCC, and beside them a vector of spectral and prosodic descriptors
of the whole clip where there is one. P2 prints that it compares a Transformer and no more. Chosen here: two strided
convolutions that leave a row every 40 ms, as speech recognisers do it; sinusoidal positions (Vaswani et al. 2017); four
layers of width 128 with norms before each part, which train without care (Xiong et al. 2020); attention over the rows.

The attention is written out, for the one of torch exports through the slower exporter only.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from intonate.errors import RecipeError
from intonate.models.contract import Network
from intonate.models.rows import Head, beside, halved, mask_of, vector_width

# What stands in for minus infinity where nobody looks: finite in half precision.
PADDING_SCORE = -1e4
# Longest wavelength of the positions, in rows (Vaswani et al. 2017).
LONGEST_WAVELENGTH = 10_000.0


def positions(rows: int, width: int, device: torch.device) -> Tensor:
    """(rows, width) float: sines, then cosines, of wavelengths from 2π to 2π × LONGEST rows."""
    speeds = torch.exp(torch.arange(width // 2, device=device) * (-2 * math.log(LONGEST_WAVELENGTH) / width))
    angles = torch.arange(rows, device=device)[:, None] * speeds[None, :]
    return torch.cat([torch.sin(angles), torch.cos(angles)], dim=1)


class Layer(nn.Module):
    """Self-attention and two dense layers, each on normed rows and added to them."""

    def __init__(self, width: int, heads: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.first_norm, self.second_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.ask = nn.Linear(width, 3 * width)
        self.answer = nn.Linear(width, width)
        self.dense = nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Dropout(dropout), nn.Linear(hidden, width))
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, padding_scores: Tensor) -> Tensor:
        """(batch, rows, width) and what is added to the scores, (batch, 1, 1, rows) -> (batch, rows, width)."""
        # (batch, rows, 3 width) -> three of (batch, heads, rows, width / heads)
        projections = self.ask(self.first_norm(x)).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        query, key, value = projections[0], projections[1], projections[2]
        scores = query @ key.transpose(2, 3) / math.sqrt(query.shape[3]) + padding_scores
        attended = (self.dropout(torch.softmax(scores, dim=3)) @ value).transpose(1, 2).flatten(2)
        x = x + self.dropout(self.answer(attended))
        output: Tensor = x + self.dropout(self.dense(self.second_norm(x)))
        return output


class Transformer(Network):
    """Frames in, logits out.

    Args:
        classes: number of outputs.
        columns: {"frames": columns of a frame}, and "descriptors" and "linguistic" where there are
            such vectors.
        width: of the rows; a multiple of twice the heads.
        layers: one above the other.
        heads: of each layer's attention.
        hidden: units between the two dense layers of each layer.
        dropout: on attention, on what each layer adds, and before the output.

    Raises:
        RecipeError: the width cannot be shared out among the heads.
    """

    def __init__(
        self,
        classes: int,
        columns: Mapping[str, int],
        width: int = 128,
        layers: int = 4,
        heads: int = 4,
        hidden: int = 256,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        if width % (2 * heads):
            raise RecipeError(f"model.params.width must be a multiple of 2 × heads = {2 * heads}; got {width}")
        self.width = width
        self.first = nn.Conv1d(columns["frames"], width, 3, stride=2, padding=1)
        self.second = nn.Conv1d(width, width, 3, stride=2, padding=1)
        self.dropout = nn.Dropout(dropout)
        self.layers = nn.ModuleList(Layer(width, heads, hidden, dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.head = Head(classes, width, vector_width(columns), dropout)

    def forward(
        self,
        frames: Tensor,
        frames_lengths: Tensor,
        descriptors: Tensor | None = None,
        linguistic: Tensor | None = None,
    ) -> Tensor:
        """(batch, frames, columns), (batch,), (batch, descriptors) and (batch, linguistic) -> (batch, classes)."""
        x, lengths = frames.transpose(1, 2), frames_lengths
        for convolution in (self.first, self.second):
            x = F.gelu(convolution(x * mask_of(lengths, x.shape[2])[:, None]))
            lengths = halved(lengths, 2)
        x = x.transpose(1, 2)
        x = self.dropout(x + positions(x.shape[1], self.width, x.device))
        padding_scores = PADDING_SCORE * (1 - mask_of(lengths, x.shape[1]))[:, None, None, :]
        for layer in self.layers:
            x = layer(x, padding_scores)
        logits: Tensor = self.head(self.norm(x), lengths, beside(descriptors, linguistic))
        return logits
