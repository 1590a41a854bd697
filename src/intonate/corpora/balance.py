"""Even numbers of clips per class, of the training part alone.

    rows = balance.rows(split.train, targets, Balance("count", 2000), rng)

The one place for it is after the split: what comes out names clips of the training part only, some more than once, and
the test and validation parts stay as they were recorded. Balanced first and split later, copies of one recording lie on
both sides and the figures are worthless; so `splits` takes no list that holds a recording twice. Copies are told apart
when they are used: each is augmented in its own way.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from intonate.catalogue import check_name
from intonate.corpora.overlap import Indices
from intonate.errors import RecipeError

# What each class is brought to, from the number of clips that the classes have.
RULES: dict[str, Callable[[NDArray[np.int64]], float]] = {
    # Oversampling: nothing is lost, rare classes are repeated.
    "largest": lambda counts: counts.max(),
    # Undersampling: nothing is repeated.
    "smallest": lambda counts: counts.min(),
    # Between the two, nearer to the rare classes.
    "harmonic_mean": lambda counts: len(counts) / (1 / counts).sum(),
}
COUNT = "count"


@dataclass(frozen=True)
class Balance:
    """What to bring the classes to: `largest`, `smallest`, `harmonic_mean`, or `count`, which is `count` clips each."""

    to: str
    count: int = 0

    def __post_init__(self) -> None:
        check_name(self.to, (*RULES, COUNT), "balance to", RecipeError)
        if (self.to == COUNT) != (self.count > 0):
            raise RecipeError("balance to 'count' needs a count of 1 or more, such as {to: count, count: 2000}; "
                              "the others take none")  # fmt: skip


def rows(train: Indices, targets: NDArray[np.int64], balance: Balance, rng: np.random.Generator) -> Indices:
    """The training part with as many rows of every class.

    A class with too many loses some at random. One with too few keeps them all, each repeated as often as any other of
    the class or once more.

    Args:
        train: indices of the training part (`Split.train`).
        targets: class of every clip, by index.
        balance: how many.
        rng: draws who is left out or repeated.

    Returns:
        Indices into the same list, all of them from `train`, ascending.
    """
    classes, counts = np.unique(targets[train], return_counts=True)
    target_count = balance.count if balance.to == COUNT else max(1, round(float(RULES[balance.to](counts))))
    parts = []
    for label in classes:
        class_rows = train[targets[train] == label]
        repeats, remainder = divmod(target_count, len(class_rows))
        parts += [np.repeat(class_rows, repeats), rng.choice(class_rows, remainder, replace=False)]
    return np.sort(np.concatenate(parts))
