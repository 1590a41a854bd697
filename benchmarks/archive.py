"""How fast and how large `intonate archive` is: RAVDESS's FLACs and hours of Opus and MP3, decoding included.

    python benchmarks/archive.py CORPORA [--ray] [--before PYTHON] > benchmarks/results/archive.json

One after the other on the same files, all processors: `intonate archive` with `compact` and with `standard`; as many
processes of `intonate predict --format jsonl`, with --before those of an older build in that interpreter's
environment, too; `compact` on twice the files; and with --ray on Ray, once and twice. × real time is seconds of sound
by seconds of the whole command, from its start to its end; a worker's memory is its peak (VmHWM), of the command's own
children. `start_s` is the command with one short clip, and `without_start` what is left of the others without it: ×
real time, and, of twice the files, how many times the seconds.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from intonate.audio.decode import load
from intonate.processes import processor_count

RATE_HZ = 16_000
HOUR_S = 3600
PIECES = 12  # files that an hour is cut into
PROGRAM = "import sys; sys.argv[0] = 'intonate'; from intonate.cli import main; main()"


def sounds(corpora: Path, folder: Path) -> float:
    """RAVDESS's FLACs, and an hour each of Opus and MP3 made of them; how many seconds they are."""
    clips = sorted((corpora / "ravdess").rglob("*.flac"))
    for clip in clips:
        shutil.copy(clip, folder / clip.name)
    duration_s = sum(soundfile.info(clip).duration for clip in clips)
    waveform = np.concatenate([load(clip) for clip in clips])
    hour = np.resize(waveform, HOUR_S * RATE_HZ)
    for suffix, form, subtype in (("opus", "OGG", "OPUS"), ("mp3", "MP3", None)):
        for number, piece in enumerate(np.split(hour, PIECES)):
            soundfile.write(folder / f"hour{number:02}.{suffix}", piece, RATE_HZ, format=form, subtype=subtype)
    return duration_s + 2 * HOUR_S


def run(commands: list[list[str]]) -> tuple[float, float]:
    """Seconds until all of the commands have ended, and the peak memory of their largest child, MiB."""
    start_s, peaks = time.perf_counter(), [0.0]
    # An older build is not to find this one by the path.
    own = {
        name: value for name, value in os.environ.items() if name != "PYTHONPATH" or commands[0][0] == sys.executable
    }
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    running = [subprocess.Popen(command, env=own, **quiet) for command in commands]
    is_over = threading.Event()

    def watch() -> None:
        while not is_over.wait(0.2):
            peaks.extend(_peak_mib(pid) for pid in _descendants([process.pid for process in running]))

    watcher = threading.Thread(target=watch)
    watcher.start()
    codes = [process.wait() for process in running]
    wall_s = time.perf_counter() - start_s
    is_over.set()
    watcher.join()
    if any(codes):
        sys.exit(f"{' '.join(commands[0][:5])}… failed")
    return wall_s, max(peaks)


def _descendants(pids: list[int]) -> list[int]:
    found = []
    for pid in pids:
        try:
            text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
        except OSError:
            continue
        children = [int(child) for child in text.split()]
        found += children + _descendants(children)
    return found


def _peak_mib(pid: int) -> float:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")), 0.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpora", type=Path)
    parser.add_argument("--ray", action="store_true")
    parser.add_argument("--before", metavar="PYTHON", help="interpreter that an older build is installed for")
    given = parser.parse_args()
    cores = processor_count()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name, "sounds")
        folder.mkdir()
        duration_s = sounds(given.corpora, folder)
        files = sorted(folder.iterdir())
        figures: dict[str, Any] = {"files": len(files), "hours": round(duration_s / 3600, 2), "processes": cores}

        def archive(label: str, sources: list[str], times: int = 1, **options: str) -> None:
            out = Path(name, label)
            flags = [part for key, value in options.items() for part in (f"--{key}", value)]
            command = [sys.executable, "-c", PROGRAM, "archive", *sources, "--out", str(out), *flags]
            wall_s, peak_mib = run([command])
            figures[label] = _figures(times * duration_s, wall_s) | {"worker_peak_mib": round(peak_mib)}

        def predict(label: str, python: str) -> None:
            shares = [[str(file) for file in files[place::cores]] for place in range(cores)]
            wall_s, _ = run(
                [
                    [python, "-c", PROGRAM, "predict", *share, "--model", "compact", "--format", "jsonl"]
                    for share in shares
                ]
            )
            figures[label] = _figures(duration_s, wall_s)

        # Read once, so that the first does not pay for the disk.
        for file in files:
            file.read_bytes()
        os.environ["OPENBLAS_NUM_THREADS"] = "1"
        twice = Path(name, "twice")
        shutil.copytree(folder, twice)
        single = next(file for file in files if file.suffix == ".flac")

        def engine(label: str, **options: str) -> None:
            """One clip, all files, twice the files."""
            archive(f"{label}, one clip", [str(single)], times=0, **options)
            archive(label, [str(folder)], **options)
            archive(f"{label}, twice the files", [str(folder), str(twice)], times=2, **options)
            start_s, once_s, twice_s = (
                figures[f"{label}{part}"]["wall_s"] for part in (", one clip", "", ", twice the files")
            )
            figures[f"{label}, one clip"] = {"start_s": start_s}
            figures[label]["without_start"] = round(duration_s / (once_s - start_s), 1)
            figures[f"{label}, twice the files"]["without_start"] = round((twice_s - start_s) / (once_s - start_s), 2)

        engine("archive compact", model="compact")
        predict("predict compact", sys.executable)
        if given.before:
            predict("predict compact, older build", given.before)
        archive("archive standard", [str(folder)], model="standard")
        if given.ray:
            engine("archive compact, Ray", model="compact", engine="ray")
    print(json.dumps(figures, indent=2))


def _figures(duration_s: float, wall_s: float) -> dict[str, float]:
    return {"wall_s": round(wall_s, 1), "times_real_time": round(duration_s / wall_s, 1)}


if __name__ == "__main__":
    main()
