"""`head`: what lies on top of an encoder that others trained: a few hidden layers on one vector per clip.

Columns are dropped before the first layer, so that no few of them can be leant on: they carry room and microphone too.
Of an encoder whose layers stand side by side it reads all, the last, or a mean of them that it learns.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from intonate.errors import RecipeError
from intonate.models.contract import Network

USES = ("all", "last", "weighted")


class Head(Network):
    """(batch, columns) to logits (batch, classes).

    Args:
        classes: number of outputs.
        columns: width of the input, {"voice": columns}.
        units: of each hidden layer.
        layers: how many hidden layers; 0 for a linear model.
        dropout: after each hidden layer.
        columns_dropout: of the input.
        of: layers of the encoder that stand side by side in each statistic of the input (`pooled` of `encoded`).
        statistics: how many the input has.
        use: which of them are read: `all`, the `last`, or a `weighted` mean, as by SUPERB (Yang et al. 2021).

    Raises:
        RecipeError: there is no such use, or the input is not so many layers wide.
    """

    def __init__(
        self,
        classes: int,
        columns: Mapping[str, int],
        units: int = 256,
        layers: int = 2,
        dropout: float = 0.5,
        columns_dropout: float = 0.2,
        of: int = 1,
        statistics: int = 2,
        use: str = "all",
    ) -> None:
        super().__init__()
        if use not in USES:
            raise RecipeError(f"model.params.use is {', '.join(USES)}; got {use!r}")
        whole_width = columns["voice"]
        if use != "all" and (min(of, statistics) < 1 or whole_width % (of * statistics)):
            raise RecipeError(f"model.params.of: {whole_width} columns are not {statistics} statistics of {of} layers")
        self.use = use
        if use != "all":
            self.shape = (statistics, of, whole_width // (of * statistics))
        if use == "weighted":
            self.weights = nn.Parameter(torch.zeros(of))
        width, hidden = whole_width // (1 if use == "all" else of), list[nn.Module]()
        for _ in range(layers):
            hidden += [nn.Linear(width, units), nn.BatchNorm1d(units), nn.GELU(), nn.Dropout(dropout)]
            width = units
        self.layers = nn.Sequential(nn.Dropout(columns_dropout), *hidden, nn.Linear(width, classes))

    def forward(self, voice: Tensor) -> Tensor:
        logits: Tensor = self.layers(self._chosen_layers(voice))
        return logits

    def _chosen_layers(self, voice: Tensor) -> Tensor:
        """(batch, statistics × of × width) -> (batch, statistics × width), or all as they are."""
        if self.use == "all":
            return voice
        layers = voice.reshape(-1, *self.shape)
        if self.use == "last":
            return layers[:, :, -1].flatten(1)
        return torch.einsum("bslw,l->bsw", layers, torch.softmax(self.weights, dim=0)).flatten(1)
