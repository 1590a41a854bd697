"""Rows over time, of clips of different lengths in one padded batch: masks, means, reversal, and a head over them.

Everything here leaves an answer as it is, however much a clip is padded, and exports with the lengths left open.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

# Inputs that are one vector of the whole clip, beside frames.
VECTORS = ("descriptors", "linguistic")


def mask_of(lengths: Tensor, rows: int) -> Tensor:
    """(batch, rows) float: one on the rows of each clip, zero on its padding."""
    return (torch.arange(rows, device=lengths.device)[None, :] < lengths[:, None]).float()


def halved(lengths: Tensor, stride: int) -> Tensor:
    """Rows left after a centred convolution with this stride: ceil(n / stride)."""
    return torch.div(lengths + (stride - 1), stride, rounding_mode="floor")


def masked_mean(rows: Tensor, mask: Tensor) -> Tensor:
    """Mean over the rows that the mask keeps, (batch, rows, width) and (batch, rows) -> (batch, width)."""
    weight = mask[:, :, None].to(rows.dtype)
    return (rows * weight).sum(dim=1) / weight.sum(dim=1).clamp(min=1)


def backwards(rows: Tensor, lengths: Tensor) -> Tensor:
    """Each clip's own rows in the opposite order, its padding where it was, (batch, rows, width)."""
    place = torch.arange(rows.shape[1], device=rows.device)[None, :]
    order = torch.where(place < lengths[:, None], lengths[:, None] - 1 - place, place)
    return rows.gather(1, order[:, :, None].expand(-1, -1, rows.shape[2]))


class AttentivePooling(nn.Module):
    """Weighted mean and deviation over time (Okabe et al. 2018), (batch, rows, width) -> (batch, 2 width)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.score = nn.Sequential(nn.Linear(width, 64), nn.Tanh(), nn.Linear(64, 1))

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        mask = mask[:, :, None]
        weight = torch.softmax(self.score(x).masked_fill(mask == 0, -1e4), dim=1) * mask
        mean = (weight * x).sum(dim=1)
        spread = (weight * (x - mean[:, None]) ** 2).sum(dim=1)
        return torch.cat([mean, torch.sqrt(spread + 1e-5)], dim=1)


def vector_width(columns: Mapping[str, int]) -> int:
    """How wide the vectors of the whole clip are together; 0 where there is none."""
    return sum(columns.get(name, 0) for name in VECTORS)


def beside(*vectors: Tensor | None) -> Tensor | None:
    """Those of the vectors (batch, width) that are there, side by side; None where none is."""
    given = [vector for vector in vectors if vector is not None]
    return torch.cat(given, dim=1) if given else None


class Head(nn.Module):
    """Rows pooled by attention, beside a vector of the whole clip where there is one, to logits.

    Args:
        classes: number of outputs.
        width: of the rows.
        vector: width of the vector; 0 for none.
        dropout: before the output.
    """

    def __init__(self, classes: int, width: int, vector: int, dropout: float) -> None:
        super().__init__()
        self.pool = AttentivePooling(width)
        self.answer = nn.Sequential(nn.Dropout(dropout), nn.Linear(2 * width + vector, classes))

    def forward(self, rows: Tensor, lengths: Tensor, vector: Tensor | None = None) -> Tensor:
        """(batch, rows, width), (batch,) and (batch, vector) or None -> (batch, classes)."""
        pooled = self.pool(rows, mask_of(lengths, rows.shape[1]))
        logits: Tensor = self.answer(pooled if vector is None else torch.cat([pooled, vector], dim=1))
        return logits
