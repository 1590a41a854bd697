"""The networks of CAEmoCyGAN: translators of vectors between corpora, with attention over corpora, and their critics.

Su & Lee, Unsupervised Cross-Corpus Speech Emotion Recognition Using a Multi-Source Cycle-GAN (IEEE TAFFC 2022) do not
publish their layers; these are those of Bao, Neumann & Vu, CycleGAN-based Emotion Style Transfer as Data Augmentation
for Speech Emotion Recognition (Interspeech 2019): generators d-1000-500-1000-d, critics d-1000-1000-1.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def hidden_layers(widths: Sequence[int], dropout: float) -> nn.Sequential:
    """Linear layers from width to width, a leaky ReLU and dropout after each."""
    layers: list[nn.Module] = []
    for inside, outside in pairwise(widths):
        layers += [nn.Linear(inside, outside), nn.LeakyReLU(0.2), nn.Dropout(dropout)]
    return nn.Sequential(*layers)


class Translator(nn.Module):
    """A vector as it would sound in another corpus: for each of several corpora a proposal, one of them or a mixture.

    Proposals are changes, and zero at first: the untrained translator leaves a vector as it is.

    Args:
        columns: width of a vector.
        corpora: how many there are on the side with several.
        layers: units of the hidden layers, which all corpora share.
        dropout: after each of them.
        attention: whether the vector itself decides how much each corpus's proposal counts; else its own corpus's does
            alone.
    """

    def __init__(self, columns: int, corpora: int, layers: Sequence[int], dropout: float, attention: bool) -> None:
        super().__init__()
        self.corpora = corpora
        self.trunk = hidden_layers([columns + corpora, *layers], dropout)
        self.proposals = nn.Linear(layers[-1], corpora * columns)
        self.scores = nn.Linear(layers[-1], corpora) if attention else None
        nn.init.zeros_(self.proposals.weight)
        nn.init.zeros_(self.proposals.bias)

    def forward(self, vectors: Tensor, corpus: Tensor) -> tuple[Tensor, Tensor]:
        """(batch, columns) and the corpus that each comes from or goes to, (batch,).

        Returns:
            translated (batch, columns), and how much each corpus's proposal counted (batch, corpora).
        """
        own_corpus = F.one_hot(corpus, self.corpora).to(vectors.dtype)
        hidden = self.trunk(torch.cat([vectors, own_corpus], dim=1))
        weights = own_corpus if self.scores is None else torch.softmax(self.scores(hidden), dim=1)
        proposals = self.proposals(hidden).view(len(vectors), self.corpora, vectors.shape[1])
        return vectors + (weights[:, :, None] * proposals).sum(dim=1), weights


class Critic(nn.Module):
    """Whether a vector was recorded in a corpus, or translated into it: a logit for each corpus of a side."""

    def __init__(self, columns: int, corpora: int, layers: Sequence[int], dropout: float) -> None:
        super().__init__()
        self.layers = nn.Sequential(hidden_layers([columns, *layers], dropout), nn.Linear(layers[-1], corpora))

    def forward(self, vectors: Tensor, corpus: Tensor) -> Tensor:
        """(batch, columns) and the corpus that is asked about, (batch,), to logits (batch,)."""
        logits: Tensor = self.layers(vectors).gather(1, corpus[:, None])[:, 0]
        return logits
