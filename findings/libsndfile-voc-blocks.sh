#!/usr/bin/env bash
# libsndfile 1.2.2 (in soundfile 0.14.0): a VOC file keeps its sound in blocks, and FFmpeg writes a new one (type 2, which
# goes on with the last) every 1,024 samples. libsndfile reads the first block's header, and the headers between the later
# blocks as sound: the file is longer than it should be by the samples that its headers make, each a click, and every block is
# late. Seen, on one second of a sine in 16 blocks of 16 bits: 16,030 samples in place of 16,000, though the same sine in one
# block comes back whole; with companded samples, 16,060. intonate reads VOC by PyAV where it is installed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check soundfile==0.14.0 numpy==2.4.2
cd "$folder"
"$folder/env/bin/python" - <<'PYTHON'
import struct

import numpy as np
import soundfile

RATE, BLOCK = 16_000, 1024
sine = (0.5 * 32767 * np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE)).astype("<i2")


def block(kind: int, body: bytes) -> bytes:
    return bytes([kind]) + struct.pack("<I", len(body))[:3] + body


def voc(pieces: list[bytes]) -> bytes:
    """A file of the Creative Voice format: its header, a block of type 9 (16 bits, one channel), its continuations, the end."""
    version = 0x0114
    header = b"Creative Voice File\x1a" + struct.pack("<HHH", 26, version, (~version + 0x1234) & 0xFFFF)
    first = struct.pack("<IBBHI", RATE, 16, 1, 4, 0) + pieces[0]
    return header + block(9, first) + b"".join(block(2, piece) for piece in pieces[1:]) + b"\0"


def read(name: str, pieces: list[bytes]) -> np.ndarray:
    with open(name, "wb") as file:
        file.write(voc(pieces))
    return soundfile.read(name, dtype="int16")[0]


one = read("one.voc", [sine.tobytes()])
many = read("many.voc", [sine[start : start + BLOCK].tobytes() for start in range(0, len(sine), BLOCK)])
print("soundfile", soundfile.__version__, soundfile.__libsndfile_version__)
print("one block:", len(one), "samples, the same" if np.array_equal(one, sine) else "samples, others")
print("blocks of", BLOCK, ":", len(many), "samples; the first block the same:", np.array_equal(many[:BLOCK], sine[:BLOCK]))
headers = 4 * (-(-len(sine) // BLOCK) - 1) // 2
if not np.array_equal(one, sine) or len(many) != len(sine) + headers:
    raise SystemExit("changed: expected the whole sine from one block, and the headers between blocks among the samples")
print("as described")
PYTHON
