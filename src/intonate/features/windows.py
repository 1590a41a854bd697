"""Overlapping windows over the rows of another front end, each as one row (P1's overlapping sliding windows).

front_end: windows
params: {of: mfcc, length: 50, hop: 25}
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from intonate import features
from intonate.errors import ModelError

Float = NDArray[np.float32]
Scalar = TypeVar("Scalar", bound=np.generic)


def overlapping(rows: NDArray[Scalar], length: int, hop: int) -> NDArray[Scalar]:
    """Windows of `length` rows, one every `hop`, a read-only view (windows, length, ...).

    Every row is in at least one window: the last one is filled with zeros where the rows end, and so is the only
    window of a clip that is shorter than one, or empty.

    Raises:
        ModelError: not 1 <= hop <= length.
    """
    if not 1 <= hop <= length:
        raise ModelError(
            f"windows need 1 <= hop <= length, so that no frame is left out, got hop {hop}, length {length}"
        )
    count = 1 + max(0, -(-(len(rows) - length) // hop))
    padded = np.zeros(((count - 1) * hop + length, *rows.shape[1:]), rows.dtype)
    padded[: len(rows)] = rows
    # The view puts a window's rows last: back to the place after the windows.
    return np.moveaxis(np.lib.stride_tricks.sliding_window_view(padded, length, axis=0)[::hop], -1, 1)


def windows(
    waveform: Float,
    sample_rate_hz: int,
    *,
    of: str,
    params: Mapping[str, Any] | None = None,
    length: int = 50,
    hop: int = 25,
) -> Float:
    """Overlapping windows over another front end's rows.

    Args:
        waveform: (samples,) float32.
        sample_rate_hz: of the waveform.
        of: the other front end, one that gives (rows, columns).
        params: its keyword arguments.
        length: rows in a window; of rows every 10 ms, 50 are half a second.
        hop: rows between the starts of two windows, at most `length`.

    Returns:
        (windows, length * columns) float32, row after row. The last window, and that of a clip shorter than one, is
        filled with zeros (`overlapping`): 1 + ceil((rows - length) / hop) windows, and at least one.

    Raises:
        ModelError: the front end is not known or gives no rows, or length and hop do not fit.
    """
    window_rows = overlapping(features.rows(of, waveform, sample_rate_hz, params, "to cut into windows"), length, hop)
    # A copy: the view cannot be written to.
    return np.array(window_rows, order="C").reshape(len(window_rows), -1)
