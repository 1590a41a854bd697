"""`resnet34`: ResNet-34 behind a 1-D convolution, of "modified ResNet-34 + RoBERTa" (P0), without RoBERTa.

Reads (batch, frames, columns) with lengths: in P0 20 MFCCs or an STFT spectrogram, centred and scaled. A 1-D
convolution along time takes the place of the first layer of ResNet-34 (He et al. 2016, table 1), and everything behind
it is the published network with one dimension in the place of two: 3, 4, 6 and 3 blocks of 64 to 512 channels, a mean
over what is left, one linear layer. P0 prints neither the size of that convolution nor how its output would meet
two-dimensional blocks; it speaks of "1D convolutional layers", so all are. `rows` gives what RoBERTa is to read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from intonate.models.contract import Network
from intonate.models.rows import halved, mask_of, masked_mean


class Block(nn.Module):
    """Two convolutions of three frames and a short cut (He et al. 2016, option B), on (batch, channels, frames)."""

    def __init__(self, inside: int, outside: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.first = nn.Conv1d(inside, outside, 3, stride, 1, bias=False)
        self.first_norm = nn.BatchNorm1d(outside)
        self.second = nn.Conv1d(outside, outside, 3, 1, 1, bias=False)
        self.second_norm = nn.BatchNorm1d(outside)
        self.short_cut = (
            nn.Sequential(nn.Conv1d(inside, outside, 1, stride, bias=False), nn.BatchNorm1d(outside))
            if stride > 1 or inside != outside
            else nn.Identity()
        )

    def forward(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """The padding of `x` is zero, and that of the answer too."""
        lengths = halved(lengths, self.stride)
        y = torch.relu(self.first_norm(self.first(x)))
        mask = mask_of(lengths, y.shape[2])[:, None]
        y = self.second_norm(self.second(y * mask))
        return torch.relu(y + self.short_cut(x)) * mask, lengths


class ResNet34(Network):
    """Frames in, logits out.

    Args:
        classes: number of outputs.
        columns: {"frames": columns of a frame}.
        kernel: frames that the first convolution sees; odd.
        stride: of the first convolution.
        channels: widths of the stages; the first is the first convolution's too.
        blocks: residual blocks of each stage.
        dropout: before the output; ResNet-34 has none.
    """

    def __init__(
        self,
        classes: int,
        columns: Mapping[str, int],
        kernel: int = 7,
        stride: int = 2,
        channels: Sequence[int] = (64, 128, 256, 512),
        blocks: Sequence[int] = (3, 4, 6, 3),
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.stride = stride
        self.first = nn.Sequential(
            nn.Conv1d(columns["frames"], channels[0], kernel, stride, kernel // 2, bias=False),
            nn.BatchNorm1d(channels[0]),
            nn.ReLU(),
        )
        self.halve = nn.MaxPool1d(3, stride=2, padding=1)
        stages, inside = [], channels[0]
        for stage, (outside, count) in enumerate(zip(channels, blocks, strict=True)):
            for block in range(count):
                stages.append(Block(inside, outside, 2 if stage > 0 and block == 0 else 1))
                inside = outside
        self.stages = nn.ModuleList(stages)
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(inside, classes))
        for module in self.modules():
            if isinstance(module, nn.Conv1d):  # as published (He et al. 2015)
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def rows(self, frames: Tensor, frames_lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Frames of features and how many each clip has: (batch, ceil(frames / 32), channels), (batch,).

        A row for every 32 frames, with the stride as it is; the rows of the padding are zero.
        """
        x = frames.transpose(1, 2) * mask_of(frames_lengths, frames.shape[1])[:, None]
        lengths = halved(frames_lengths, self.stride)
        x = self.first(x)
        # After the ReLU nothing is less than the zeros of the padding: it wins no maximum.
        x = self.halve(x * mask_of(lengths, x.shape[2])[:, None])
        lengths = halved(lengths, 2)
        x = x * mask_of(lengths, x.shape[2])[:, None]
        for block in self.stages:
            x, lengths = block(x, lengths)
        return x.transpose(1, 2), lengths

    def forward(self, frames: Tensor, frames_lengths: Tensor) -> Tensor:
        """(batch, frames, columns), (batch,) -> (batch, classes)."""
        rows, lengths = self.rows(frames, frames_lengths)
        logits: Tensor = self.head(masked_mean(rows, mask_of(lengths, rows.shape[1])))
        return logits
