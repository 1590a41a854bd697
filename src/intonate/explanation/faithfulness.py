"""Is an explanation true of the model? What it points at is taken out first, and the answer must fall sooner.

Deletion: the tiles are taken out in the order of their importance, and the answer's probability is followed. Insertion:
they come back in that order to a sound that lacks them all. Both beside random orders of the same tiles (Samek et al.
2017; Petsiuk et al. 2018). The area of a deletion is the drop of the probability, averaged over the way (trapezoids);
that of an insertion is the rise. It is taken over the first half of the way, as Samek et al. take it over the first
steps: with most tiles turned down it is the others that stick out, and with all of them it is the same sound, softer.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from intonate.explanation.answering import Answers, Array
from intonate.explanation.tiles import Tiles

# Shares of the tiles at which the answer is looked up, beside none and all; how far it counts; random orders.
SHARES, HALF, ORDERS = (0.1, 0.2, 0.3, 0.5, 0.7), 0.5, 3


@dataclass(frozen=True, eq=False)
class Curves:
    """The probability of an answer on the way from the whole sound to none of it, or back.

    Attributes:
        shares: of the tiles that were taken out (or put back), from 0 to 1, (S,).
        explained: probability, the most important tiles first, (S,).
        random: the same for random orders, their mean, (S,).
        is_insertion: the tiles come back, and the probability is to rise.
    """

    shares: Array
    explained: Array
    random: Array
    is_insertion: bool = False

    def area(self, up_to: float = HALF) -> float:
        """How far the probability moves in the order of the explanation, averaged over the way up to a share."""
        return self._mean_movement(self.explained, up_to)

    def random_area(self, up_to: float = HALF) -> float:
        """The same in random order."""
        return self._mean_movement(self.random, up_to)

    def _mean_movement(self, probabilities: Array, up_to: float) -> float:
        is_before = self.shares <= up_to
        movement = float(np.trapezoid((probabilities - probabilities[0])[is_before], self.shares[is_before])) / up_to
        return movement if self.is_insertion else -movement


def deletion(tiles: Tiles, answers: Answers, column: int, importance: Array, rng: np.random.Generator) -> Curves:
    """The most important tiles are taken out first."""
    return _curves(tiles, answers, column, importance, rng, is_insertion=False)


def insertion(tiles: Tiles, answers: Answers, column: int, importance: Array, rng: np.random.Generator) -> Curves:
    """The most important tiles come back first."""
    return _curves(tiles, answers, column, importance, rng, is_insertion=True)


def _curves(
    tiles: Tiles, answers: Answers, column: int, importance: Array, rng: np.random.Generator, is_insertion: bool
) -> Curves:
    count = importance.size
    ranks = [np.argsort(-importance, axis=None, kind="stable"), *(rng.permutation(count) for _ in range(ORDERS))]
    masks = [_first(rank, share, is_insertion) for rank in ranks for share in SHARES]
    ends = [np.full(count, is_insertion), np.full(count, not is_insertion)]
    probabilities = answers(tiles.without(mask.reshape(tiles.shape)) for mask in [*masks, *ends])[:, column]
    start, end = probabilities[-2:]
    inner = probabilities[:-2].reshape(len(ranks), len(SHARES))
    paths = np.concatenate([np.full((len(ranks), 1), start), inner, np.full((len(ranks), 1), end)], axis=1)
    return Curves(np.array([0.0, *SHARES, 1.0]), paths[0], paths[1:].mean(axis=0), is_insertion)


def _first(rank: NDArray[np.int64], share: float, is_insertion: bool) -> NDArray[np.bool_]:
    """Which tiles are out, (tiles,), once a share of them was taken out (or put back) in the order of their rank."""
    out = np.full(len(rank), is_insertion)
    out[rank[: round(share * len(rank))]] = not is_insertion
    return out
