"""`task: multi_label`: clips of which several labels are true at once, from the column `labels` of a manifest.

Each label is a question of its own, yes or no: the loss is the binary cross-entropy of each, their mean; the scores
need not sum to one. Epochs are chosen by the mean average precision, which asks only that clips with a label come
before clips without; then the temperature, and the score from which a label counts, on the same validation clips.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from intonate.emotions import OWN, canonical_or_same, merge, merged_labels
from intonate.errors import CorpusError, did_you_mean
from intonate.schema import Utterance


def rows(utterances: Iterable[Utterance], where: str) -> list[Utterance]:
    """The utterances that somebody labelled, be it with none.

    Args:
        utterances: of a manifest.
        where: its name.

    Raises:
        CorpusError: there is none.
    """
    kept = [row for row in utterances if row.labels is not None]
    if not kept:
        raise CorpusError(
            f"{where} gives no clip several labels; expected a column labels, as in happy; laughing (an empty cell is "
            "a clip that nobody labelled, [] one with none of the labels)"
        )
    return kept


def merge_of(utterances: Sequence[Utterance]) -> str:
    """The merge that keeps every label that occurs as it is.

    Raises:
        CorpusError: no clip has any.
    """
    names = sorted({name for row in utterances for name in row.labels or ()})
    if not names:
        raise CorpusError("no clip has a label: every list of the column labels is empty")
    return OWN + "|".join(names)


def check(utterances: Sequence[Utterance], merge_name: str) -> None:
    """See that every label of a merge can be learnt: some clips have it, and some have not.

    Raises:
        CorpusError: one of them cannot.
    """
    present = truth(utterances, merge_name)
    counts = Counter(name for row in utterances for name in row.labels or ())
    for name, share in zip(merged_labels(merge_name), present.mean(axis=0).tolist(), strict=True):
        if share == 0 and merge_name.startswith(OWN) and (usual := canonical_or_same(name)) != name:
            raise CorpusError(
                f"no clip has the label {name!r}, for a manifest's {name!r} is called {usual!r}; write that"
            )
        if share == 0:
            raise CorpusError(f"no clip has the label {name!r}; {did_you_mean(name, sorted(counts))}")
        if share == 1:
            raise CorpusError(
                f"every clip has the label {name!r}: there is nothing to tell; leave it out of data.labels"
            )


def truth(utterances: Sequence[Utterance], merge_name: str) -> NDArray[np.bool_]:
    """(utterances, labels): whether each is true; a label that the merge has no place for counts for nothing.

    Where a clip has an emotion and no labels, it is the only one.
    """
    table, labels = merge(merge_name), merged_labels(merge_name)
    place = {label: column for column, label in enumerate(labels)}
    present = np.zeros((len(utterances), len(labels)), bool)
    for row, utterance in enumerate(utterances):
        present[row, [place[table[name]] for name in utterance.all_labels if name in table]] = True
    return present


def rarest(present: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Of each clip (clips, labels) the label that the fewest clips have: what balancing draws equally often.

    Clips without any share a class of their own, behind the labels.
    """
    counts = np.where(present, present.sum(axis=0), len(present) + 1)
    return np.asarray(np.where(present.any(axis=1), counts.argmin(axis=1), present.shape[1]), np.int64)
