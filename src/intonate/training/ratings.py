"""`task: dimensions`: ratings of utterances (arousal, valence, dominance…) as targets from 0 to 1, and what fits them.

The loss is 1 − CCC, as in the challenges of the field: a model that always answers the middle has a small error and
learnt nothing, and Lin's concordance tells the two apart (Trigeorgis et al. 2016; Atmaja and Akagi 2021).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from intonate.emotions import target_of
from intonate.errors import CorpusError
from intonate.schema import Utterance

# Lowest and highest value on the raters' scale, of each dimension.
Scales = Mapping[str, Sequence[float]]


def rows(utterances: Iterable[Utterance], scales: Scales, merge_name: str = "") -> list[Utterance]:
    """The utterances with a rating of at least one dimension; with labels, too, those with a label of the merge.

    Raises:
        CorpusError: there is none, or a dimension that nobody rated.
    """
    kept = [
        row
        for row in utterances
        if (target_of(row, merge_name) is not None if merge_name else not scales.keys().isdisjoint(row.ratings))
    ]
    for name in scales:
        if not any(name in row.ratings for row in kept):
            raise CorpusError(
                f"no utterance has a rating of {name!r}; expected a column {name} in the manifest, or a column ratings "
                f'with {{"{name}": 3.5}}'
            )
    return kept


def targets(utterances: Sequence[Utterance], scales: Scales) -> NDArray[np.float32]:
    """(utterances, dimensions) from 0 to 1; NaN where there is no rating.

    Raises:
        CorpusError: a rating lies outside its scale.
    """
    found = np.full((len(utterances), len(scales)), np.nan, np.float32)
    for place, (name, (low, high)) in enumerate(scales.items()):
        for row, utterance in enumerate(utterances):
            if name not in utterance.ratings:
                continue
            rating = utterance.ratings[name]
            if not low <= rating <= high:
                raise CorpusError(
                    f"{utterance.path}: {name} is {rating:g}, outside the scale {low:g} to {high:g}; say which scale "
                    "the ratings have: data.ratings in a recipe, --scale LOW-HIGH with evaluate"
                )
            found[row, place] = (rating - low) / (high - low)
    return found
