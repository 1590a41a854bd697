"""How fast sound is read, beside an older build, and that memory stays flat on hours of it.

    git archive COMMIT src | tar x -C /tmp/older
    python benchmarks/reading.py --older /tmp/older/src [--corpora ../shared/corpora] [--hours 1 3]

An hour of MP3 and of Opus (clips of RAVDESS, joined by ffmpeg) and RAVDESS's FLACs are read by `audio.decode`, in
processes of their own, turn by turn with the older build: CPU seconds, the least of `--rounds`, and their ratio. Then
`intonate predict` on 10 minutes and on hours of FLAC and of MP3: the most memory that each took, MB. Writes
`benchmarks/results/reading.json`.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
# Runs in the build that is measured, which may be of another time.
READ = """
import sys, time
from intonate.audio import decode
began = time.process_time()
samples = 0
for path in sys.argv[1:]:
    samples += sum(map(len, decode.blocks(path))) if len(sys.argv) == 2 else len(decode.load(path))
print(time.process_time() - began, samples)
"""
PREDICT = """
import resource, sys
from intonate.cli import main
try:
    main()
finally:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, file=sys.stderr)
"""


def run(code: str, arguments: list[str], source: Path) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(source), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, env=environment)


def hours_of_sound(clips: list[Path], hours: float, target: Path, *arguments: str) -> Path:
    """The clips over and over, by ffmpeg."""
    table = target.with_suffix(".txt")
    table.write_text("".join(f"file '{clip.resolve()}'\n" for clip in clips))
    command = ["ffmpeg", "-nostdin", "-loglevel", "error", "-y", "-f", "concat", "-safe", "0", "-stream_loop", "-1"]
    command += ["-i", str(table), "-t", str(3600 * hours), *arguments, str(target)]
    subprocess.run(command, check=True)
    return target


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--older", type=Path, help="The folder src of an older build.")
    parser.add_argument("--corpora", type=Path, default=ROOT / "../shared/corpora")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--every", type=int, default=1, help="Of RAVDESS's files, every n-th.")
    parser.add_argument("--hours", type=float, nargs="*", default=[1, 3])
    parser.add_argument("--kinds", nargs="*", default=["flac", "mp3"])
    parser.add_argument("--model", default="compact", help="That answers, where memory is measured.")
    parser.add_argument("--output", type=Path, default=ROOT / "benchmarks/results/reading.json")
    given = parser.parse_args()
    clips = sorted(given.corpora.glob("ravdess/*/*.flac"))
    if not clips:
        sys.exit(f"RAVDESS is not in {given.corpora}")
    command = f"python benchmarks/reading.py --older OLDER/src --every {given.every}"
    result: dict[str, object] = {"command": command}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if given.older:
            sets = {
                "an hour of MP3": [hours_of_sound(clips[:60], 1, folder / "hour.mp3")],
                "an hour of Opus": [hours_of_sound(clips[:60], 1, folder / "hour.opus", "-c:a", "libopus")],
                "RAVDESS": clips[:: given.every],
            }
            for what, paths in sets.items():
                seconds: dict[str, list[float]] = {"older": [], "this": []}
                for _ in range(given.rounds):
                    for build, source in (("older", given.older), ("this", ROOT / "src")):
                        seconds[build].append(float(run(READ, list(map(str, paths)), source).stdout.split()[0]))
                least = {build: round(min(times), 3) for build, times in seconds.items()}
                result[what] = least | {"ratio": round(least["this"] / least["older"], 3)}
                print(what, result[what], flush=True)
        memory: dict[str, float] = {}
        for kind in given.kinds:
            for hours in (1 / 6, *given.hours):
                path = hours_of_sound(clips[:60], hours, folder / f"long.{kind}")
                answer = run(PREDICT, ["predict", str(path), "--model", given.model, "--format", "json"], ROOT / "src")
                memory[f"{60 * hours:.0f} min of {kind.upper()}"] = round(float(answer.stderr.split()[-1]))
                print(memory, flush=True)
        if memory:
            result["most memory of predict, MB"] = memory
    given.output.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
