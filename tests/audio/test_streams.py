"""Looking into a stream without reading it all."""

from __future__ import annotations

import io

import numpy as np
import pytest

from intonate.audio.streams import BLOCK_BYTES, Content, Part

MARK = b"fLaC\0\0\0\x22"


@pytest.mark.parametrize("seen", [0, 5, BLOCK_BYTES - 3, 2 * BLOCK_BYTES])
def test_a_mark_is_found_wherever_it_stands(seen: int) -> None:
    """At the seams of what is read at a time too, the first of several, within its bounds, whatever was read before."""
    places = [9, BLOCK_BYTES - 4, 2 * BLOCK_BYTES - 8, 2 * BLOCK_BYTES + 1, 3 * BLOCK_BYTES - 8]
    data = bytearray(np.random.default_rng(0).integers(0, 256, 3 * BLOCK_BYTES, np.uint8).tobytes())
    for place in places:
        data[place : place + len(MARK)] = MARK
    content = Content(io.BytesIO(data))
    for start in (0, 9, 10, *places[1:], places[2] - BLOCK_BYTES, len(data) - 4):
        for end in (None, 17, *places, places[-1] + 7, len(data)):
            content.read(seen, 1)
            assert content.find(MARK, start, end) == data.find(MARK, start, end)


def test_holes_are_left_out_of_a_part() -> None:
    data = np.random.default_rng(0).bytes(2 * BLOCK_BYTES)
    holes = ((100, 200), (300, 301), (BLOCK_BYTES, BLOCK_BYTES + 70_000))
    expected = b"head" + data[10:100] + data[200:300] + data[301:BLOCK_BYTES] + data[BLOCK_BYTES + 70_000 : -5]
    content = Content(io.BytesIO(data))
    short = content.view(Part(10, 400, b"head", holes=holes[:2]))
    assert short.read() == b"head" + data[10:100] + data[200:300] + data[301:400]
    view = content.view(Part(10, len(data) - 5, b"head", holes=holes))
    assert view.seek(0, io.SEEK_END) == len(expected)
    for place, size in ((0, -1), (0, 200), (3, 5), (94, 101), (BLOCK_BYTES - 200, 1000), (len(expected) - 7, 99)):
        view.seek(place)
        assert view.read(size) == expected[place:][: size if size >= 0 else None]
