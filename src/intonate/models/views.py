"""Test-time augmentation inside the graph: a model answers several views of a clip, and its answers are averaged.

The views are those that `intonate.augment.spectrogram` draws in training, at fixed places: the clip said faster and
slower, by a shorter and a longer vocal tract. It costs as many times the processor as there are views.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from intonate.errors import RecipeError
from intonate.models.contract import Network, is_network


class Views(Network):
    """A fitted network that answers every view of one of its inputs; its logits are the log of the mean probability.

    Args:
        network: takes `of` (batch, frames, bands) with its lengths, whatever the length of the others in the batch.
        of: the input that is changed; the others are given to every view as they are.
        stretch: factors of the duration, at most 10.
        warp: factors of the mel axis, as in `intonate.augment.spectrogram`.

    Raises:
        RecipeError: see `check`.
    """

    def __init__(self, network: Network, of: str, stretch: Sequence[float], warp: Sequence[float]) -> None:
        super().__init__()
        check(network, of)
        self.network, self.of, self.stretch, self.warp = network, of, tuple(stretch), tuple(warp)
        self.EXPORTER = network.EXPORTER

    def input_names(self) -> Sequence[str]:
        return self.network.input_names()

    def forward(self, *arguments: Tensor, **keywords: Tensor) -> Tensor:
        """The network's inputs, in its order or by name -> (batch, classes)."""
        inputs = dict(zip(self.input_names(), arguments, strict=False)) | keywords
        rows, lengths = inputs.pop(self.of), inputs.pop(f"{self.of}_lengths")
        views = [_warped(rows, factor) for factor in self.warp]
        clips, sizes = [], []
        for factor in self.stretch:
            clips += [_stretched(view, factor, max(self.stretch)) for view in views]
            sizes += [_stretched_lengths(lengths, factor)] * len(views)
        count = len(clips)
        inputs = {name: torch.cat([value] * count) for name, value in inputs.items()}
        inputs |= {self.of: torch.cat(clips), f"{self.of}_lengths": torch.cat(sizes)}
        answers = torch.log_softmax(self.network(**inputs), dim=1)
        mean: Tensor = torch.logsumexp(torch.stack(answers.chunk(count)), dim=0) - math.log(count)
        return mean


def check(network: Network | Any, of: str) -> None:
    """Refuse what has no views.

    Args:
        network: a network or its class, or a function that builds a pipeline.
        of: the input that shall be changed.

    Raises:
        RecipeError: the network has no such input with lengths, or it wants clips of equal length.
    """
    if not (is_network(network) or isinstance(network, Network)) or f"{of}_lengths" not in network.arguments():
        raise RecipeError(f"model.views.of: the model takes no input {of!r} together with its lengths")
    if network.BATCHING != "any":
        raise RecipeError("model.views: this model needs clips of equal length, and views differ in theirs")


def _stretched_lengths(lengths: Tensor, factor: float) -> Tensor:
    """How many frames there are between the first and the last when they lie 1 / factor apart."""
    return ((lengths - 1) * factor).floor().long() + 1


def _stretched(rows: Tensor, factor: float, longest: float) -> Tensor:
    """(batch, frames, bands) -> the same for every factor up to `longest`; behind a clip's own end it means nothing."""
    # In whole hundredths, for the exporter traces sizes as integers.
    places = torch.arange(rows.shape[1] * math.ceil(100 * longest) // 100 + 1)
    last_frame = torch.arange(rows.shape[1])[-1]
    positions = torch.minimum(places / factor, last_frame.float())
    lower = positions.floor().long()
    upper, share = torch.minimum(lower + 1, last_frame), (positions - lower)[None, :, None]
    return rows.index_select(1, lower) * (1 - share) + rows.index_select(1, upper) * share


def _warped(rows: Tensor, factor: float) -> Tensor:
    """(batch, frames, bands), band b of the result read at b · factor; beyond the ends, as at the ends."""
    bands = rows.shape[2]
    positions = (torch.arange(bands) * factor).clamp(max=bands - 1)
    lower = positions.floor().long()
    upper, share = (lower + 1).clamp(max=bands - 1), positions - lower
    return rows[:, :, lower] * (1 - share) + rows[:, :, upper] * share
