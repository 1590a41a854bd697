"""`mlp_network`: a multi-layer perceptron with dropout on one vector per clip (the head of VGGish and YAMNet, P4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

from torch import Tensor, nn

from intonate.models.contract import Network


class MLP(Network):
    """Layers of ReLU units, each followed by dropout, then one linear layer.

    Args:
        classes: number of outputs.
        columns: width of each input, {"features": columns}.
        layers: units of each hidden layer.
        dropout: after each hidden layer.
    """

    def __init__(
        self, classes: int, columns: Mapping[str, int], layers: Sequence[int] = (512, 256), dropout: float = 0.2
    ) -> None:
        super().__init__()
        widths = [columns["features"], *layers]
        hidden: list[nn.Module] = []
        for inside, outside in pairwise(widths):
            hidden += [nn.Linear(inside, outside), nn.ReLU(), nn.Dropout(dropout)]
        self.layers = nn.Sequential(*hidden, nn.Linear(widths[-1], classes))

    def forward(self, features: Tensor) -> Tensor:
        """(batch, columns) to logits (batch, classes)."""
        logits: Tensor = self.layers(features)
        return logits
