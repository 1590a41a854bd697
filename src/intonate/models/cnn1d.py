"""`cnn1d`: the 1-D CNN of "HuBERT + BERT on a merged corpus" (P3, its table 5), on one vector per clip.

Reads (batch, columns), in P3 the 94 functionals, as a sequence of one channel: the convolutions run along the columns.
Printed and kept: eight convolutions of kernel 8 with `same` padding and ReLU (256, 256, 128 × 4, 64, 64), batch norm
and dropout 0.6 after the second and the sixth, no pooling, flatten, two dense layers with ReLU, dropout 0.6, softmax;
L1 and L2 regularisation; 10 epochs. Not printed, and chosen here: the input, the widths of the dense layers, and the
strengths of L1 and L2 and where they act. The weights begin as in Keras, whose words the table uses (Glorot & Bengio
2010): as torch begins, so many layers without norms between them hardly learn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from intonate.models.contract import Network

KERNEL = 8
# What `same` padding puts before and after, one more after; torch's own does so too, and warns of a copy.
SAME = ((KERNEL - 1) // 2, KERNEL // 2)
# Widths of the convolutions; batch norm and dropout follow each group but the last.
GROUPS = ((256, 256), (128, 128, 128, 128), (64, 64))


class CNN1D(Network):
    """A vector in, logits out.

    Args:
        classes: number of outputs.
        columns: {"features": columns of the vector}.
        groups: widths of the convolutions, group by group.
        dense: widths of the two dense layers before the output.
        dropout: after each group but the last, and before the output.
        l1: weight in the loss of the sum of the absolute kernels and dense weights.
        l2: weight in the loss of the sum of their squares. Both as in the example of Keras's `L1L2`.
    """

    def __init__(
        self,
        classes: int,
        columns: Mapping[str, int],
        groups: Sequence[Sequence[int]] = GROUPS,
        dense: Sequence[int] = (128, 64),
        dropout: float = 0.6,
        l1: float = 1e-5,
        l2: float = 1e-4,
    ) -> None:
        super().__init__()
        self.l1, self.l2 = l1, l2
        layers: list[nn.Module] = []
        inside = 1
        for place, widths in enumerate(groups):
            for outside in widths:
                layers += [nn.ConstantPad1d(SAME, 0.0), nn.Conv1d(inside, outside, KERNEL), nn.ReLU()]
                inside = outside
            if place < len(groups) - 1:
                layers += [nn.BatchNorm1d(inside), nn.Dropout(dropout)]
        layers.append(nn.Flatten())
        inside *= columns["features"]
        for outside in dense:
            layers += [nn.Linear(inside, outside), nn.ReLU()]
            inside = outside
        self.layers = nn.Sequential(*layers, nn.Dropout(dropout), nn.Linear(inside, classes))
        for name, weight in self.named_parameters():
            if weight.ndim > 1:
                nn.init.xavier_uniform_(weight)
            elif name.endswith("bias"):
                nn.init.zeros_(weight)

    def forward(self, features: Tensor) -> Tensor:
        """(batch, columns) -> (batch, classes)."""
        logits: Tensor = self.layers(features[:, None])
        return logits

    def penalty(self) -> Tensor:
        """L1 and L2 of all kernels and dense weights, for the loss; biases and norms go free."""
        weights = [weight for weight in self.parameters() if weight.ndim > 1]
        absolute = torch.stack([weight.abs().sum() for weight in weights]).sum()
        squares = torch.stack([weight.square().sum() for weight in weights]).sum()
        return self.l1 * absolute + self.l2 * squares
