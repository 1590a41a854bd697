import numpy as np

from intonate.models.digest import array_digest


def test_digest_tells_values_order_and_nothing_else():
    row = np.arange(6, dtype=np.float32)
    assert array_digest(row) == array_digest(row.reshape(2, 3))
    assert array_digest(row) == array_digest(np.repeat(row, 2)[::2])
    assert array_digest(row) != array_digest(row[::-1])
    assert array_digest(row, row[:2]) != array_digest(row[:2], row)
    assert array_digest(np.float32(1)) != array_digest(np.float32(2))
