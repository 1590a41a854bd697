"""`compact`: a small squeeze-and-excitation ResNet on the log-mel, beside the functionals of the utterance.

Reads (batch, frames, bands) with lengths and, where there are any, (batch, columns) functionals. Padding never
changes the answer: every convolution sees zeros beyond the end of a clip, and every mean is over its own frames.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from intonate.models.contract import Network
from intonate.models.rows import AttentivePooling, halved, mask_of


def image_mask(lengths: Tensor, frames: int) -> Tensor:
    """(batch, 1, frames, 1) float: one on the frames of each clip, zero on its padding."""
    return mask_of(lengths, frames)[:, None, :, None]


class SqueezeExcite(nn.Module):
    """Weighs the channels by their means over the clip (Hu et al. 2018)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        hidden = max(channels // 4, 8)
        self.gate = nn.Sequential(nn.Linear(channels, hidden), nn.ReLU(), nn.Linear(hidden, channels), nn.Sigmoid())

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        mean = (x * mask).sum(dim=(2, 3)) / (mask.sum(dim=(2, 3)) * x.shape[3])
        weighed: Tensor = x * self.gate(mean)[:, :, None, None]
        return weighed


class Block(nn.Module):
    """Two 3 × 3 convolutions with a short cut and squeeze-and-excitation."""

    def __init__(self, inside: int, outside: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.first = nn.Conv2d(inside, outside, 3, stride, 1, bias=False)
        self.first_norm = nn.BatchNorm2d(outside)
        self.second = nn.Conv2d(outside, outside, 3, 1, 1, bias=False)
        self.second_norm = nn.BatchNorm2d(outside)
        self.excite = SqueezeExcite(outside)
        self.short_cut = (
            nn.Sequential(nn.Conv2d(inside, outside, 1, stride, bias=False), nn.BatchNorm2d(outside))
            if stride > 1 or inside != outside
            else nn.Identity()
        )

    def forward(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        lengths = halved(lengths, self.stride)
        y = torch.relu(self.first_norm(self.first(x)))
        mask = image_mask(lengths, y.shape[2])
        y = self.second_norm(self.second(y * mask))
        return torch.relu(self.excite(y, mask) + self.short_cut(x)) * mask, lengths


class Compact(Network):
    """Log-mel and functionals in, logits out: two branches that each learn to answer alone, and add their logits.

    Trained as one classifier over the joined features, the functionals' branch learns the training speakers by heart
    and the convolutions stop learning; with a loss on each branch as well (`parts`), both generalise.

    Args:
        classes: number of outputs.
        columns: width of each input, {"mel": bands, "voice": functionals}; without `voice` there is one branch.
        channels: width of the four stages; the first is the stem's too.
        blocks: residual blocks per stage.
        width: width of the frames that are pooled.
        hidden: units of the functionals' branch.
        dropout: before each output.
    """

    def __init__(
        self,
        classes: int,
        columns: Mapping[str, int],
        channels: Sequence[int] = (16, 32, 64, 96),
        blocks: Sequence[int] = (0, 1, 2, 2),
        width: int = 128,
        hidden: int = 128,
        dropout: float = 0.3,
    ) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(1, channels[0], (9, 5), (4, 2), (4, 2), bias=False), nn.BatchNorm2d(channels[0]), nn.ReLU()
        )
        stages, inside, height = [], channels[0], (columns["mel"] + 1) // 2
        for stage, (outside, count) in enumerate(zip(channels, blocks, strict=True)):
            for block in range(count):
                stride = 2 if stage > 0 and block == 0 else 1
                stages.append(Block(inside, outside, stride))
                inside, height = outside, (height + stride - 1) // stride
        self.stages = nn.ModuleList(stages)
        self.project = nn.Sequential(nn.Linear(inside * height, width), nn.ReLU())
        self.pool = AttentivePooling(width)
        self.head = nn.Sequential(nn.BatchNorm1d(2 * width), nn.Dropout(dropout), nn.Linear(2 * width, classes))
        self.voice = (
            nn.Sequential(
                nn.Dropout(dropout / 2),
                nn.Linear(columns["voice"], hidden),
                nn.BatchNorm1d(hidden),
                nn.ReLU(),
                nn.Dropout(0.5),
                nn.Linear(hidden, classes),
            )
            if "voice" in columns
            else None
        )

    def forward(self, mel: Tensor, mel_lengths: Tensor, voice: Tensor | None = None) -> Tensor:
        return torch.stack(self.parts(mel, mel_lengths, voice)).sum(dim=0)

    def parts(self, mel: Tensor, mel_lengths: Tensor, voice: Tensor | None = None) -> list[Tensor]:
        """The logits of each branch, (batch, classes); `forward` is their sum."""
        lengths = halved(mel_lengths, 4)
        x = self.stem(mel[:, None] * image_mask(mel_lengths, mel.shape[1]))
        x = x * image_mask(lengths, x.shape[2])
        for block in self.stages:
            x, lengths = block(x, lengths)
        frames = self.project(x.permute(0, 2, 3, 1).flatten(2))
        logits = [self.head(self.pool(frames, mask_of(lengths, x.shape[2])))]
        if self.voice is not None:
            logits.append(self.voice(voice))
        return logits
