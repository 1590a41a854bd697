"""Damage sound files at random, and see that nothing crashes, nothing hangs, and every shortened answer says so.

    python benchmarks/fuzz_audio.py --count 10000 --output benchmarks/results/fuzz_audio.json

Twelve formats are made by ffmpeg from one chirp of 3 s. An input is one of them with some of: bytes changed, a
stretch overwritten, deleted or repeated, the end cut off, its header hit. Each is loaded in a worker process with a
deadline, so that a crash or a hang of a decoder is counted and not the end of the run. An answer is *shortened* if it
is more than 0.15 s shorter than what the whole file gives, and must carry a warning. Two kinds of damage leave no
trace, and are counted as *traceless* only where that is seen: bare AAC (ADTS) has no length, so if whole frames are
gone, all that are left follow each other up to the end and must all be heard; AIFF and CAF name their sample rate once,
so if that is another, all samples must be heard at it. All that is neither whole, refused in one sentence nor shortened
with a warning is listed.
"""

from __future__ import annotations

import argparse
import collections
import json
import math
import multiprocessing
import os
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

RATE_HZ, SECONDS = 16_000, 3.0
DEADLINE_S = 60.0
SHORTER_S = 0.15
FORMATS: dict[str, tuple[str, ...]] = {
    "wav": (),
    "flac": (),
    "ogg": ("-c:a", "libvorbis"),
    "opus": ("-c:a", "libopus"),
    "mp3": (),
    "aiff": (),
    "caf": ("-c:a", "pcm_s16be"),
    "m4a": ("-c:a", "aac", "-movflags", "+faststart"),
    "webm": ("-c:a", "libopus"),
    "aac": ("-c:a", "aac"),
    "wma": ("-c:a", "wmav2"),
    "mkv": ("-c:a", "aac"),
}
# Where AIFF and CAF name their rate, as ffmpeg writes them, and bytes of their header.
RATE_AT, HEADER_BYTES = {"aiff": 28, "caf": 20}, {"aiff": 54, "caf": 130}
AAC_FRAME_SAMPLES = 1024


def seeds() -> dict[str, bytes]:
    import soundfile

    time_s = np.arange(round(RATE_HZ * SECONDS)) / RATE_HZ
    made = {}
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "source.wav"
        soundfile.write(source, 0.4 * np.sin(2 * np.pi * (300 * time_s + 300 * time_s**2)), RATE_HZ)
        for suffix, arguments in FORMATS.items():
            target = Path(folder) / f"made.{suffix}"
            command = ["ffmpeg", "-nostdin", "-loglevel", "error", "-i", str(source), *arguments, str(target)]
            subprocess.run(command, check=True)
            made[suffix] = target.read_bytes()
    return made


def damage(data: bytes, draw: np.random.Generator) -> tuple[bytes, str]:
    """The data with one to three kinds of damage, and which."""
    out, kinds = bytearray(data), []
    for _ in range(draw.integers(1, 4)):
        kind = str(draw.choice(["bytes", "stretch", "header", "cut", "deleted", "repeated"]))
        kinds.append(kind)
        at, size = int(draw.integers(0, max(1, len(out)))), int(draw.integers(1, 1 + max(1, len(out) // 8)))
        if kind == "bytes":
            for place in draw.integers(0, max(1, len(out)), draw.integers(1, 30)):
                out[place : place + 1] = bytes([draw.integers(0, 256)])
        elif kind == "header":
            for place in draw.integers(0, min(200, max(1, len(out))), draw.integers(1, 6)):
                out[place : place + 1] = bytes([draw.integers(0, 256)])
        elif kind == "stretch":
            out[at : at + size] = draw.bytes(len(out[at : at + size]))
        elif kind == "cut":
            del out[at:]
        elif kind == "deleted":
            del out[at : at + size]
        else:
            out[at:at] = out[at : at + size]
    return bytes(out), "+".join(sorted(set(kinds)))


def named_rate_hz(data: bytes, suffix: str) -> float:
    """The rate that an AIFF (80 bits) or a CAF (64) names."""
    at = RATE_AT[suffix]
    if suffix == "caf":
        return float(struct.unpack(">d", data[at : at + 8])[0])
    exponent, mantissa = struct.unpack(">HQ", data[at : at + 10])
    return math.ldexp(mantissa, (exponent & 0x7FFF) - 16383 - 63)


def adts_frames(data: bytes) -> int:
    """How many frames of ADTS a file consists of; 0 where there is anything else in it."""
    position = count = 0
    while data[position : position + 1] == b"\xff" and len(data) >= position + 7:
        position += (data[position + 3] & 3) << 11 | data[position + 4] << 3 | data[position + 5] >> 5
        count += 1
    return count if position == len(data) else 0


def is_traceless(data: bytes, suffix: str, seconds: float) -> bool:
    """Whether all that a damaged file has is heard, and nothing in it says that there was more."""
    if suffix == "aac":
        return 0 < adts_frames(data) * AAC_FRAME_SAMPLES / RATE_HZ < seconds + SHORTER_S
    if suffix not in RATE_AT:
        return False
    rate_hz, samples = named_rate_hz(data, suffix), (len(data) - HEADER_BYTES[suffix]) / 2
    return rate_hz > RATE_HZ and seconds * rate_hz > 0.99 * samples


def worker(pipe: multiprocessing.connection.Connection) -> None:
    """Load what comes: (seconds, warnings) or a refusal."""
    from intonate.audio.decode import load
    from intonate.errors import AudioError

    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)  # libmpg123 writes about damage to standard error
    while (data := pipe.recv()) is not None:
        warnings: list[str] = []
        try:
            samples = load(data, RATE_HZ, longest_s=600.0, warnings=warnings)
            pipe.send(("answer", len(samples) / RATE_HZ, warnings, bool(np.isfinite(samples).all())))
        except AudioError as error:
            pipe.send(("refused", str(error)))
        except BaseException as error:  # a fault of ours: counted as a crash
            pipe.send(("raised", f"{type(error).__name__}: {error}"))


class Loader:
    """A worker process that is started again where it dies or hangs."""

    def __init__(self) -> None:
        self._process: multiprocessing.Process | None = None

    def __call__(self, data: bytes) -> tuple:
        if self._process is None:
            self._pipe, other = multiprocessing.Pipe()
            self._process = multiprocessing.get_context("spawn").Process(target=worker, args=(other,), daemon=True)
            self._process.start()
            other.close()
        try:
            self._pipe.send(data)
            if self._pipe.poll(DEADLINE_S):
                return self._pipe.recv()
            outcome = ("hang",)
        except (EOFError, OSError):
            self._process.join(5)
            outcome = ("crash", self._process.exitcode)
        self._process.kill()
        self._process = None
        return outcome

    def close(self) -> None:
        if self._process is not None:
            self._pipe.send(None)
            self._process.join(10)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    made, draw, load = seeds(), np.random.default_rng(options.seed), Loader()
    whole_s = {suffix: load(data)[1] for suffix, data in made.items()}
    counts: collections.Counter[str] = collections.Counter()
    faults: list[dict[str, object]] = []
    began = time.monotonic()
    for number in range(options.count):
        suffix = list(made)[number % len(made)]
        data, kinds = damage(made[suffix], draw)
        outcome = load(data)
        name = outcome[0]
        if name == "answer":
            _, seconds, warnings, is_finite = outcome
            if seconds < whole_s[suffix] - SHORTER_S:
                name = "shortened with a warning" if warnings else "shortened without a warning"
                if not warnings and is_traceless(data, suffix, seconds):
                    name = "shortened, traceless"
            else:
                name = "whole with a warning" if warnings else "whole"
            name = name if is_finite else "not finite"
        counts[name] += 1
        if name in ("crash", "hang", "raised", "not finite", "shortened without a warning", "shortened, traceless"):
            faults.append(
                {"number": number, "format": suffix, "damage": kinds, "outcome": [name, *map(str, outcome[1:3])]}
            )
        if sys.stderr.isatty():
            print(f"\r{number + 1} of {options.count}", end="", file=sys.stderr)
    load.close()
    result = {
        "command": f"python benchmarks/fuzz_audio.py --count {options.count} --seed {options.seed}",
        "formats": list(FORMATS),
        "seconds": round(time.monotonic() - began, 1),
        "outcomes": dict(counts.most_common()),
        "listed": faults,
    }
    print(json.dumps({**result, "listed": len(faults)}, indent=1))
    if options.output:
        options.output.parent.mkdir(parents=True, exist_ok=True)
        options.output.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
