"""Reads a TensorFlow checkpoint of the first format, such as `vggish_model.ckpt`, without TensorFlow.

Such a file is a table as in LevelDB whose values are protocol buffers; of both, as much is understood here as
TensorFlow writes (`tensor_slice_writer.cc`, `saved_tensor_slice.proto`): blocks without compression, tensors of float32
in one piece; checksums are not looked at. The second format (`….index` beside `….data-00000-of-00001`) is another one.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from intonate.errors import ModelError
from intonate.published.protobuf import fields, varint

# The last 8 of the 48 bytes at the end of a table.
MAGIC = 0xDB4775248B80FB57
FOOTER = 48
FLOAT = 1  # DT_FLOAT


def read(path: Path) -> dict[str, NDArray[np.float32]]:
    """Every float32 tensor of the checkpoint, by its name in TensorFlow.

    Raises:
        ModelError: the file is not such a checkpoint, is cut off, or holds a tensor in pieces.
    """
    data = memoryview(path.read_bytes())
    if len(data) < FOOTER or int.from_bytes(data[-8:], "little") != MAGIC:
        raise ModelError(
            f"{path} is not a TensorFlow checkpoint of the first format (one file, as vggish_model.ckpt is), "
            "or its end is missing; fetch it again"
        )
    try:
        return _read_tensors(data)
    except (LookupError, TypeError, ValueError, OverflowError, struct.error) as error:
        raise ModelError(f"the TensorFlow checkpoint {path} is damaged ({error}); fetch it again") from error


def _read_tensors(data: memoryview) -> dict[str, NDArray[np.float32]]:
    _, _, position = _block_position(data, len(data) - FOOTER)  # of the meta index, which is empty
    start, size, _ = _block_position(data, position)
    shapes: dict[str, tuple[int, ...]] = {}
    pieces: dict[str, list[NDArray[np.float32]]] = {}
    for block in _block_values(data, start, size):
        start, size, _ = _block_position(block, 0)
        for value in _block_values(data, start, size):
            for number, part in fields(value):  # SavedTensorSlices
                if number == 1:
                    shapes |= _tensor_shapes(part)
                elif number == 2:
                    name, values = _read_tensor_slice(part)
                    pieces.setdefault(name, []).append(values)
    incomplete_tensors = [
        name for name in shapes if [len(piece) for piece in pieces.get(name, [])] != [int(np.prod(shapes[name]))]
    ]
    if incomplete_tensors:
        raise ValueError(f"the tensor {incomplete_tensors[0]} is not there in one piece")
    return {name: pieces[name][0].reshape(shape) for name, shape in shapes.items()}


def _tensor_shapes(meta: memoryview) -> dict[str, tuple[int, ...]]:
    """{name: shape} of the float32 tensors, of a SavedTensorSliceMeta."""
    shapes = {}
    for number, tensor in fields(meta):
        if number == 1:  # SavedSliceMeta
            parts = dict(fields(tensor))
            if parts.get(3) == FLOAT:
                sizes = [dict(fields(size)).get(1, 0) for place, size in fields(parts[2]) if place == 2]
                shapes[bytes(parts[1]).decode()] = tuple(sizes)
    return shapes


def _read_tensor_slice(piece: memoryview) -> tuple[str, NDArray[np.float32]]:
    """Name and values of a SavedSlice; no values if they are not float32."""
    parts = dict(fields(piece))
    packed = [value for number, value in fields(parts[3]) if number == 5]  # TensorProto.float_val
    return bytes(parts[1]).decode(), np.frombuffer(b"".join(packed), "<f4")


def _block_position(data: memoryview, position: int) -> tuple[int, int, int]:
    """Where a block starts, its size, and the position after both."""
    start, position = varint(data, position)
    size, position = varint(data, position)
    return start, size, position


def _block_values(data: memoryview, start: int, size: int) -> Iterator[memoryview]:
    """The values of a block; nobody asks for the keys here."""
    if data[start + size]:
        raise ValueError("its blocks are compressed")
    block = data[start : start + size]
    (restarts,) = struct.unpack("<I", block[-4:])
    position = 0
    while position < size - 4 * (restarts + 1):
        _, position = varint(block, position)  # bytes of the key that are the last key's
        key, position = varint(block, position)
        length, position = varint(block, position)
        yield block[position + key : position + key + length]
        position += key + length
