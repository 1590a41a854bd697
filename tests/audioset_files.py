"""Weight files of VGGish and YAMNet as they are published, with drawn numbers in them and of any width."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path

import h5py
import numpy as np

from intonate.published import audioset as weights


def varint(number: int) -> bytes:
    head = bytearray()
    while number > 127:
        head.append(number & 127 | 128)
        number >>= 7
    return bytes(head) + bytes([number])


def field(number: int, value: int | bytes) -> bytes:
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def block(entries: list[tuple[bytes, bytes]], compression: int = 0) -> bytes:
    """Without shared beginnings of keys: one restart, at the first."""
    body = b"".join(varint(0) + varint(len(key)) + varint(len(value)) + key + value for key, value in entries)
    return body + struct.pack("<II", 0, 1) + bytes([compression]) + bytes(4)


def write_checkpoint(path: Path, tensors: Mapping[str, np.ndarray], compression: int = 0) -> None:
    """TensorFlow's first format, as `tensor_slice_writer.cc` writes it; every tensor is a block, as large ones are."""

    def shape(array: np.ndarray) -> bytes:
        return b"".join(field(2, field(1, size)) for size in array.shape)

    meta = b"".join(
        field(1, field(1, name.encode()) + field(2, shape(array)) + field(3, 1)) for name, array in tensors.items()
    )
    entries = [(b"", field(1, meta))]
    for name, array in sorted(tensors.items()):
        values = field(5, np.ascontiguousarray(array, "<f4").tobytes())
        entries.append((b"\0" + name.encode(), field(2, field(1, name.encode()) + field(3, values))))
    content, index = b"", []
    for key, value in entries:
        written = block([(key, value)], compression)
        index.append((key, varint(len(content)) + varint(len(written) - 5)))
        content += written
    handles = b""
    for written in (block([]), block(index)):
        handles += varint(len(content)) + varint(len(written) - 5)
        content += written
    path.write_bytes(content + handles.ljust(40, b"\0") + struct.pack("<Q", 0xDB4775248B80FB57))


def drawn(network, seed: int = 0) -> dict[str, np.ndarray]:
    """Numbers for every tensor of a `VGGish` or `YAMNet`, by its published name and in TensorFlow's order of axes."""
    rng = np.random.default_rng(seed)
    found = {}
    for ours, theirs in weights.NAMES[type(network).__name__](network).items():
        shape = tuple(network.state_dict()[ours].shape)
        if theirs.endswith("depthwise_kernel:0"):
            shape = (*shape[2:], shape[0], 1)
        elif len(shape) == 4:
            shape = (*shape[2:], shape[1], shape[0])
        elif len(shape) == 2:
            shape = shape[::-1]
        fan = np.prod(shape[:2] if theirs.endswith("depthwise_kernel:0") else shape[:-1])
        spread = np.sqrt(2 / fan) if len(shape) > 1 else 0.1
        numbers = rng.uniform(0.5, 1.5, shape) if "variance" in theirs else spread * rng.normal(size=shape)
        found[theirs] = numbers.astype("f")
    return found


def write_keras(path: Path, tensors: Mapping[str, np.ndarray]) -> None:
    """As Keras saves weights, with the 521 classes that nobody asks for here."""
    with h5py.File(path, "w") as file:
        for name, tensor in tensors.items():
            file[name] = tensor
        file["logits/logits/kernel:0"] = np.zeros((1024, 521), "f")
        file["logits/logits/bias:0"] = np.zeros(521, "f")
