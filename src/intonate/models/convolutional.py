"""`cnn`: convolutions over frames, the CNN of "acoustic + linguistic, on the web" (P2).

Reads (batch, frames, columns) with lengths, in P2 MFCC, and beside them a vector of spectral and prosodic descriptors
of the whole clip where there is one. P2 prints that it compares a CNN and no more: four convolutions over time, each
with batch norm, ReLU and a pooling that halves the frames, and attention over what is left are chosen here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

from torch import Tensor, nn

from intonate.models.contract import Network
from intonate.models.rows import Head, beside, halved, mask_of, vector_width


class CNN(Network):
    """Frames in, logits out.

    Args:
        classes: number of outputs.
        columns: {"frames": columns of a frame}, and "descriptors" and "linguistic" where there are
            such vectors.
        channels: widths of the convolutions.
        kernel: frames that each sees; odd.
        dropout: before the output.
    """

    def __init__(
        self,
        classes: int,
        columns: Mapping[str, int],
        channels: Sequence[int] = (64, 128, 128, 256),
        kernel: int = 5,
        dropout: float = 0.3,
    ) -> None:
        super().__init__()
        widths = (columns["frames"], *channels)
        self.stages = nn.ModuleList(
            nn.Sequential(
                nn.Conv1d(inside, outside, kernel, padding=kernel // 2, bias=False),
                nn.BatchNorm1d(outside),
                nn.ReLU(),
            )
            for inside, outside in pairwise(widths)
        )
        # A last pair of one frame alone is a pair all the same: ceil(n / 2) frames are left.
        self.halve = nn.MaxPool1d(2, ceil_mode=True)
        self.head = Head(classes, widths[-1], vector_width(columns), dropout)

    def forward(
        self,
        frames: Tensor,
        frames_lengths: Tensor,
        descriptors: Tensor | None = None,
        linguistic: Tensor | None = None,
    ) -> Tensor:
        """(batch, frames, columns), (batch,), (batch, descriptors) and (batch, linguistic) -> (batch, classes)."""
        x, lengths = frames.transpose(1, 2), frames_lengths
        for stage in self.stages:
            # Beyond the end of a clip are zeros, and a ReLU is never less: padding wins no maximum.
            x = stage(x * mask_of(lengths, x.shape[2])[:, None])
            x = self.halve(x * mask_of(lengths, x.shape[2])[:, None])
            lengths = halved(lengths, 2)
        logits: Tensor = self.head(x.transpose(1, 2), lengths, beside(descriptors, linguistic))
        return logits
