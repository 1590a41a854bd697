"""Products of matrices on one thread.

numpy leaves them to OpenBLAS, which hands a larger one to a thread for each core; those then wait for the next one by
spinning, so that an answer of three milliseconds keeps all cores of a machine busy. What it does alone it does as
soon, and a server has its other cores for other people.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float32]

# OpenBLAS takes a second thread from half a million multiplications on (524,288 of matrices, and fewer with a vector).
PIECE = 450_000


def product(rows: Float, matrix: Float, out: Float | None = None) -> Float:
    """`rows @ matrix`, in pieces so small that one thread is given each.

    Args:
        rows: (rows, inner) float32.
        matrix: (inner, columns) float32.
        out: (rows, columns) float32 for the answer; None for a new one.

    Returns:
        (rows, columns) float32.
    """
    out = np.empty((len(rows), matrix.shape[1]), np.float32) if out is None else out
    columns = max(1, PIECE // max(1, len(matrix)))
    if columns < matrix.shape[1]:
        product(rows, matrix[:, :columns], out[:, :columns])
        product(rows, matrix[:, columns:], out[:, columns:])
        return out
    step = max(1, PIECE // max(1, matrix.size))
    whole = len(rows) - len(rows) % step
    pieces = rows[:whole].reshape(-1, step, rows.shape[1])
    np.matmul(pieces, matrix, out=out[:whole].reshape(len(pieces), step, out.shape[1]))
    np.matmul(rows[whole:], matrix, out=out[whole:])
    return out
