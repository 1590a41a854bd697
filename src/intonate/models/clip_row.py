"""A small encoder that is built to be taught by a larger one (`training/teaching`): one row for the whole clip.

The stem and the blocks of `compact`, the mean and the deviation of their frames over time, and a layer with a way around
it. What is small enough to be quick cannot give every row of an encoder with attention; what the larger one's rows
are like over a whole clip, it can.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from intonate.models.compact import residual_stages

# Smallest variance over time, inside the root.
TINY = 1e-5


class ClipRow(nn.Module):
    """(batch, frames, bands) log-mel -> (batch, 1, width). No clip of a batch may be padded.

    Args:
        bands: of the log-mel.
        channels: width of the stages; the first is the stem's too.
        blocks: residual blocks per stage.
        frame_width: width of the frames whose mean and deviation are taken.
        width: of the row.
    """

    def __init__(
        self, bands: int, channels: Sequence[int], blocks: Sequence[int], frame_width: int, width: int
    ) -> None:
        super().__init__()
        self.width = width
        self.stem, self.stages, columns = residual_stages(bands, channels, blocks)
        self.project = nn.Sequential(nn.Linear(columns, frame_width), nn.ReLU())
        self.norm = nn.BatchNorm1d(2 * frame_width)
        self.around = nn.Linear(2 * frame_width, width)
        self.layer = nn.Sequential(nn.Linear(2 * frame_width, width), nn.GELU(), nn.Linear(width, width))

    def forward(self, mel: Tensor) -> Tensor:
        x = self.stem(mel[:, None])
        for block in self.stages:
            x, _ = block(x, None)
        frames = self.project(x.permute(0, 2, 3, 1).flatten(2))
        pooled = self.norm(mean_and_deviation(frames))
        row: Tensor = self.around(pooled) + self.layer(pooled)
        return row[:, None]


class RowOfRows(nn.Module):
    """The mean and the deviation over time of an encoder's rows, side by side in one: (batch, 1, 2 × its width).

    Args:
        rows: (batch, frames, bands) -> (batch, rows, width).
        width: of its rows.
    """

    def __init__(self, rows: nn.Module, width: int) -> None:
        super().__init__()
        self.rows, self.width = rows, 2 * width

    def forward(self, mel: Tensor) -> Tensor:
        return mean_and_deviation(self.rows(mel))[:, None]


def mean_and_deviation(rows: Tensor) -> Tensor:
    """(batch, rows, width) -> (batch, 2 × width)."""
    variance = rows.var(dim=1, correction=0)
    return torch.cat([rows.mean(dim=1), torch.sqrt(variance + TINY)], dim=1)
