"""`head`: what lies on top of an encoder that others trained: one hidden layer on one vector per clip.

Columns are dropped before the first layer, so that no few of them can be leant on: they carry room and microphone too.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn


class Head(nn.Module):
    """(batch, columns) to logits (batch, classes).

    Args:
        classes: number of outputs.
        columns: width of the input, {"voice": columns}.
        units: of the hidden layer; 0 for a linear model.
        dropout: after the hidden layer.
        columns_dropout: of the input.
    """

    def __init__(
        self,
        classes: int,
        columns: Mapping[str, int],
        units: int = 128,
        dropout: float = 0.5,
        columns_dropout: float = 0.2,
    ) -> None:
        super().__init__()
        width = columns["voice"]
        hidden = (nn.Linear(width, units), nn.BatchNorm1d(units), nn.GELU(), nn.Dropout(dropout)) if units else ()
        self.layers = nn.Sequential(nn.Dropout(columns_dropout), *hidden, nn.Linear(units or width, classes))

    def forward(self, voice: Tensor) -> Tensor:
        logits: Tensor = self.layers(voice)
        return logits
