"""`head`: what lies on top of an encoder that others trained: a few hidden layers on one vector per clip.

Columns are dropped before the first layer, so that no few of them can be leant on: they carry room and microphone too.
Of an encoder whose layers stand side by side it reads all, the last, or a mean of them that it learns.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

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
        # One for each member of those that answer together.
        self.hidden = nn.ModuleList([nn.Sequential(nn.Dropout(columns_dropout), *hidden)])
        self.answer = nn.Linear(width, classes)

    def forward(self, voice: Tensor) -> Tensor:
        chosen = self._chosen_layers(voice)
        logits: Tensor = self.answer(torch.cat([hidden(chosen) for hidden in self.hidden], dim=1))
        return logits

    @staticmethod
    def together(networks: Sequence[Head]) -> Head:
        """One head whose logits are the sum of theirs, its last layer on the hidden columns of all."""
        first = networks[0]
        if first.use == "weighted":
            raise RecipeError(
                "training.members: heads that weigh layers do so each in another way; use all or the last"
            )
        first.hidden = nn.ModuleList([hidden for network in networks for hidden in network.hidden])
        answers = [network.answer for network in networks]
        first.answer = nn.Linear(sum(answer.in_features for answer in answers), first.answer.out_features)
        with torch.no_grad():
            first.answer.weight.copy_(torch.cat([answer.weight for answer in answers], dim=1))
            first.answer.bias.copy_(torch.stack([answer.bias for answer in answers]).sum(dim=0))
        return first

    def _chosen_layers(self, voice: Tensor) -> Tensor:
        """(batch, statistics × of × width) -> (batch, statistics × width), or all as they are."""
        if self.use == "all":
            return voice
        layers = voice.reshape(-1, *self.shape)
        if self.use == "last":
            return layers[:, :, -1].flatten(1)
        return torch.einsum("bslw,l->bsw", layers, torch.softmax(self.weights, dim=0)).flatten(1)
