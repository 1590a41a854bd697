"""Any front end with rows over time as one vector: statistics of every column, for models that take a vector.

front_end: pooled
params: {of: mfcc, statistics: [mean, sd]}
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intonate import features
from intonate.catalogue import check_name
from intonate.errors import ModelError

Float = NDArray[np.float32]

STATISTICS: dict[str, Callable[[Float], Any]] = {
    "mean": lambda rows: rows.mean(axis=0),
    "sd": lambda rows: rows.std(axis=0),
    "min": lambda rows: rows.min(axis=0),
    "max": lambda rows: rows.max(axis=0),
    "median": lambda rows: np.median(rows, axis=0),
    # Mean absolute change from row to row: how lively a column is.
    "change": lambda rows: np.abs(np.diff(rows, axis=0, append=rows[-1:])).mean(axis=0),
}


def pooled(
    waveform: Float,
    sample_rate_hz: int,
    *,
    of: str,
    params: Mapping[str, Any] | None = None,
    statistics: Sequence[str] = ("mean", "sd"),
) -> Float:
    """Statistics over time of another front end's columns.

    Args:
        waveform: (samples,) float32.
        sample_rate_hz: of the waveform.
        of: the other front end, one that gives (rows, columns).
        params: its keyword arguments.
        statistics: names of `STATISTICS`, in the order wanted.

    Returns:
        (statistics × columns,) float32, one statistic of all columns after the other.

    Raises:
        ModelError: a statistic or the front end is not known, or it gives no rows.
    """
    for name in statistics:
        check_name(name, STATISTICS, "statistic", ModelError)
    rows = features.rows(of, waveform, sample_rate_hz, params, "to pool")
    return np.concatenate([STATISTICS[name](rows) for name in statistics]).astype(np.float32)
