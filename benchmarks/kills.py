"""Does an archive keep its word when it is disturbed: one row for every file, the same to the last bit?

    python benchmarks/kills.py CORPORA [--kills 20] [--files 200] > benchmarks/results/kills.json

RAVDESS's clips, with a file that is no sound in every shard, are answered by `compact` once undisturbed. Then again,
and each time the rows are compared with those: the command is killed (SIGKILL) at random moments, from its start-up on,
and run again until it ends by itself; its workers are killed one after the other while it goes on; and it writes to a
disk that is full, a file system in memory that must be mounted (which needs root on Linux; without, that is left out).
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as parquet
from archive import PROGRAM, _descendants

SHARD_FILES = 5


def sounds(corpora: Path, folder: Path, count: int) -> None:
    """So many of RAVDESS's clips; in every shard, one file is no sound."""
    clips = sorted((corpora / "ravdess").rglob("*.flac"))
    for number, clip in enumerate(clips[:: max(1, len(clips) // count)][:count]):
        target = folder / f"{number:05}.flac"
        if number % SHARD_FILES == 3:
            target.write_bytes(b"no sound at all")
        else:
            shutil.copyfile(clip, target)


def begin(folder: Path, out: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", PROGRAM, "archive", str(folder), "--out", str(out), "--model", "compact"]
    command += ["--shard-files", str(SHARD_FILES)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def end(running: subprocess.Popen[str]) -> None:
    _, errors = running.communicate()
    if running.returncode:
        sys.exit(errors)


def rows(out: Path) -> list[dict]:
    """All rows, in the order of the files; a file with two of them ends the program."""
    found = [row for path in (out / "answers").glob("*.parquet") for row in parquet.read_table(path).to_pylist()]
    if len({row["file"] for row in found}) != len(found):
        sys.exit(f"{out}: a file has two rows")
    return sorted(found, key=lambda row: row["file"])


def shards(out: Path) -> int:
    return len(list((out / "answers").glob("*.parquet")))


def kill_repeatedly(folder: Path, out: Path, kills: int, start_s: float, shard_s: float, rng: random.Random) -> dict:
    """Kill the command again and again: by turns on its way to a first shard, and about the next one."""
    done = []
    for kill in range(kills):
        before, running = shards(out), begin(folder, out)
        if kill % 2:
            while running.poll() is None and shards(out) == before:
                time.sleep(0.01)
        with contextlib.suppress(subprocess.TimeoutExpired):
            running.wait(rng.uniform(0, 2 * shard_s if kill % 2 else start_s))
        if running.poll() is not None:
            break
        running.send_signal(signal.SIGKILL)
        running.wait()
        done.append(shards(out))
    end(begin(folder, out))
    return {"kills": len(done), "shards_at_each": done}


def kill_workers(folder: Path, out: Path, losses: int, shard_s: float, rng: random.Random) -> dict:
    """Kill one of the workers, several times, while the command goes on; each time a shard was written since."""
    running, lost = begin(folder, out), 0
    for _ in range(losses):
        before = shards(out)
        while running.poll() is None and shards(out) == before:
            time.sleep(0.01)
        time.sleep(rng.uniform(0, shard_s))
        workers = _descendants([running.pid])
        if running.poll() is None and workers:
            with contextlib.suppress(ProcessLookupError):
                os.kill(rng.choice(workers), signal.SIGKILL)
                lost += 1
    end(running)
    return {"workers_lost": lost}


@contextlib.contextmanager
def small_disk(folder: Path, size: int) -> Iterator[None]:
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], check=True, capture_output=True)
    try:
        yield
    finally:
        subprocess.run(["umount", folder], check=True)


def run_on_full_disk(folder: Path, disk: Path, size: int, expected: list[dict]) -> dict:
    """On a disk with room for a part; then there is room, and it goes on."""
    with small_disk(disk, size):
        running = begin(folder, disk / "out")
        _, errors = running.communicate()
        kept = rows(disk / "out")
        subprocess.run(["mount", "-o", "remount,size=100%", disk], check=True)
        end(begin(folder, disk / "out"))
        return {
            "sentence": errors.strip().splitlines()[-1].replace(str(disk), "DISK"),
            "exit_code": running.returncode,
            "rows_kept": len(kept),
            "same": rows(disk / "out") == expected,
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpora", type=Path)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--files", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    rng = random.Random(given.seed)
    with tempfile.TemporaryDirectory() as name:
        folder, out = Path(name, "sounds"), Path(name, "undisturbed")
        folder.mkdir()
        sounds(given.corpora, folder, given.files)
        begun_s = time.perf_counter()
        running, start_s = begin(folder, out), 0.0
        while running.poll() is None and not start_s:
            start_s = time.perf_counter() - begun_s if shards(out) else 0.0
            time.sleep(0.05)
        end(running)
        whole_s = time.perf_counter() - begun_s
        expected = rows(out)
        figures: dict[str, object] = {
            "files": len(expected),
            "no_sound": sum(row["error"] is not None for row in expected),
            "shards": shards(out),
        }
        start_s = start_s or whole_s / 2
        shard_s = (whole_s - start_s) / shards(out)
        found = kill_repeatedly(folder, Path(name, "killed"), given.kills, start_s, shard_s, rng)
        figures["the command killed"] = found | {"same": rows(Path(name, "killed")) == expected}
        found = kill_workers(folder, Path(name, "lost"), 5, shard_s, rng)
        figures["workers killed"] = found | {"same": rows(Path(name, "lost")) == expected}
        size = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
        try:
            figures["disk full"] = run_on_full_disk(folder, Path(name, "disk"), size // 2, expected)
        except (subprocess.CalledProcessError, FileNotFoundError):
            figures["disk full"] = "not tried: nothing can be mounted here"
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
