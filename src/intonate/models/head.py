"""`head`: what lies on top of an encoder that others trained: a few hidden layers on one vector per clip.

Columns are dropped before the first layer, so that no few of them can be leant on: they carry room and microphone too.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from intonate.models.contract import Network


class Head(Network):
    """(batch, columns) to logits (batch, classes).

    Args:
        classes: number of outputs.
        columns: width of the input, {"voice": columns}.
        units: of each hidden layer.
        layers: how many hidden layers; 0 for a linear model.
        dropout: after each hidden layer.
        columns_dropout: of the input.
    """

    def __init__(
        self,
        classes: int,
        columns: Mapping[str, int],
        units: int = 256,
        layers: int = 2,
        dropout: float = 0.5,
        columns_dropout: float = 0.2,
    ) -> None:
        super().__init__()
        width, hidden = columns["voice"], list[nn.Module]()
        for _ in range(layers):
            hidden += [nn.Linear(width, units), nn.BatchNorm1d(units), nn.GELU(), nn.Dropout(dropout)]
            width = units
        self.layers = nn.Sequential(nn.Dropout(columns_dropout), *hidden, nn.Linear(width, classes))

    def forward(self, voice: Tensor) -> Tensor:
        logits: Tensor = self.layers(voice)
        return logits
