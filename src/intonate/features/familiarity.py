"""How far a clip lies from what a model was trained on: from the nearest of its corpora.

From the middle of all corpora together, a clip of a corpus that lies apart is as far as a stranger, though it was
trained on; and a stranger in the middle of them is near.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from intonate.schema import Region

_SMALLEST_SD = 1e-4

Array = NDArray[np.float64]


def clip_means(clips: Iterable[NDArray[np.float32]]) -> Array:
    """The mean over the rows of each clip, (rows, columns) or (columns,): (clips, columns)."""
    return np.array([np.atleast_2d(clip).mean(axis=0, dtype=np.float64) for clip in clips])


def regions_of(corpora: Iterable[Array]) -> tuple[Region, ...]:
    """Where the clips of each corpus lie.

    A corpus's own deviation alone is too narrow where it is small: it meets that within the corpora on average halfway.

    Args:
        corpora: of each corpus, `clip_means`, (clips, columns).
    """
    moments = [(means.mean(axis=0), means.std(axis=0)) for means in corpora]
    usual_sd = np.sqrt(np.mean([np.square(sd) for _, sd in moments], axis=0))
    return tuple(
        Region(_rounded(mean), _rounded(np.sqrt(np.maximum(sd * usual_sd, _SMALLEST_SD**2)))) for mean, sd in moments
    )


def distance(clip: NDArray[np.float32], regions: tuple[Region, ...]) -> float:
    """Of a clip, (rows, columns) or (columns,), to the nearest region: the RMS of its columns, in deviations there."""
    means, sds = _arrays(regions)
    return float(np.sqrt(np.square((clip_means([clip]) - means) / sds).mean(axis=1).min()))


@lru_cache(maxsize=16)
def _arrays(regions: tuple[Region, ...]) -> tuple[Array, Array]:
    """Means and deviations, each (regions, columns)."""
    return np.array([region.mean for region in regions]), np.array([region.sd for region in regions])


def _rounded(row: Array) -> tuple[float, ...]:
    """To four digits: the file has them as text."""
    return tuple(float(f"{value:.4g}") for value in row)
