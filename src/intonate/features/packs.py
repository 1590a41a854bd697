"""Packs: many named arrays in one file that is read as memory, written once and never changed.

    write(folder, {"3f9a…": Entry(array, 48_000)})
    read(path, {"3f9a…"})["3f9a…"].array    # looked at, not copied

    bytes of each array, at a multiple of 64
    index: JSON {name: [offset, shape, dtype, crc32, samples]}
    tail:  offset of the index, its length, its crc32, MAGIC

A pack appears under its name when it is whole, so that several processes can write to one folder. Whatever does not
match its checksum is left out by `read`, as if it had never been written.
"""

from __future__ import annotations

import json
import math
import os
import struct
import uuid
import zlib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

MAGIC = b"intonate pack 1\n"
# Arrays begin where a processor likes to read them: at a line of its cache.
ALIGN = 64
_TAIL_FORMAT = struct.Struct("<QQI4x16s")


class Entry(NamedTuple):
    """What a front end made of a clip, and how many samples the clip had after cleaning."""

    array: NDArray[Any]
    samples: int


def write(folder: Path, entries: Mapping[str, Entry]) -> Path:
    """Write a new pack into an existing folder.

    Raises:
        OSError: the disk is full, or may not be written to.
    """
    temporary = folder / f"{uuid.uuid4().hex}.tmp"
    index: dict[str, list[Any]] = {}
    try:
        with temporary.open("xb") as file:
            for name, (array, samples) in entries.items():
                flat = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
                file.write(b"\0" * (-file.tell() % ALIGN))
                index[name] = [file.tell(), array.shape, array.dtype.str, zlib.crc32(flat.data), samples]
                file.write(flat.data)
            header = json.dumps(index).encode()
            start = file.tell()
            file.write(header)
            file.write(_TAIL_FORMAT.pack(start, len(header), zlib.crc32(header), MAGIC))
        pack = temporary.with_suffix(".pack")
        os.replace(temporary, pack)
    finally:
        temporary.unlink(missing_ok=True)
    return pack


def read(path: Path, names: Collection[str]) -> dict[str, Entry] | None:
    """Those of `names` that are in a pack and undamaged, read-only; None where the pack as a whole is damaged."""
    try:
        mapped = np.memmap(path, np.uint8, mode="r")
        start, length, checksum, magic = _TAIL_FORMAT.unpack(mapped[-_TAIL_FORMAT.size :].tobytes())
        header = mapped[start : start + length].tobytes()
        if magic != MAGIC or start + length + _TAIL_FORMAT.size != len(mapped) or zlib.crc32(header) != checksum:
            return None
        index = json.loads(header)
    except (OSError, ValueError, struct.error):
        return None
    entries = {}
    for name in index.keys() & set(names):
        offset, shape, dtype, checksum, samples = index[name]
        kind, count = np.dtype(dtype), math.prod(shape)
        if zlib.crc32(mapped[offset : offset + count * kind.itemsize].data) == checksum:
            entries[name] = Entry(np.frombuffer(mapped, kind, count, offset).reshape(shape), samples)
    return entries
