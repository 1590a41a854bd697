"""How many live streams two builds of the service hold, side by side in one run.

    python benchmarks/streams.py OTHER-CHECKOUT > benchmarks/results/streams.json
    python benchmarks/streams.py --hold 100 --hold-seconds 180               # this build alone

First more and more streams, as in `load.py` (real time, 48 kHz, a chunk every 40 ms), until the 95th percentile of the
delay is over 250 ms or a stream is lost or refused; then many for some minutes, on this build. A stream is answered to
its end, or refused when it comes (and counted), or failed: dropped without a word is a failure. The processors of the
machine are shared with the clients, and with whatever else runs: the load average is in the result.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import load

ROOT = Path(__file__).resolve().parents[1]
MOST_P95_MS = 250.0


def serve_and_measure(source: Path, streams: int, seconds: float, options: Sequence[str] = ()) -> dict[str, Any]:
    """The figures of one service with so many streams; processor time is of the process and of its children."""
    command = [sys.executable, "-m", "intonate", "serve", "--port", "0", "--model", "compact", *options]
    command += ["--max-connections", str(max(100, streams))]
    environment = {**os.environ, "PYTHONPATH": str(source)}
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    try:
        port = int(re.search(r":(\d+) ", server.stdout.readline()).group(1))  # type: ignore[union-attr]
        asked = argparse.Namespace(streams=streams, seconds=seconds, uploads=0, activity="")
        figures: dict[str, Any] = asyncio.run(load.measure(port, server.pid, asked))["streams"]
    finally:
        server.terminate()
        try:
            server.wait(30)
        except subprocess.TimeoutExpired:
            server.kill()
    figures["load_average"] = os.getloadavg()[0]
    answered = figures["streams_answered"]
    if answered:
        figures["cpu_per_stream"] = round(figures["server_cpu_s"] / (answered * seconds), 4)
    return figures


def is_in_time(figures: dict[str, Any]) -> bool:
    lost = figures["streams_failed"] or figures["segments_lost"]
    return not lost and bool(figures.get("p95_ms", 1e9) <= MOST_P95_MS)


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--steps", type=int, nargs="*", default=[10, 20, 30, 40, 50, 60, 80, 100, 120, 140])
    parser.add_argument("--seconds", type=float, default=12.0, help="how long each step lasts")
    parser.add_argument("--hold", type=int, default=100, help="streams of the last step; 0 for none")
    parser.add_argument("--hold-seconds", type=float, default=180.0)
    parser.add_argument("--workers", type=int, default=0, help="this build also with so many processes")


def compare(other: Path | None, asked: argparse.Namespace) -> dict[str, Any]:
    """Each build's figures; `asked` has the options. Step by step, so that all builds meet the same machine."""
    sources = {} if other is None else {"before": (other / "src", ())}
    sources["now"] = (ROOT / "src", ())
    if asked.workers:
        sources[f"now, {asked.workers} workers"] = (ROOT / "src", ("--workers", str(asked.workers)))
    builds: dict[str, Any] = {name: {"streams_in_time": 0, "steps": []} for name in sources}
    running = list(sources)
    for streams in asked.steps:
        for name in list(running):
            source, options = sources[name]
            figures = serve_and_measure(source, streams, asked.seconds, options)
            print(name, figures, file=sys.stderr, flush=True)
            builds[name]["steps"].append(figures)
            if is_in_time(figures):
                builds[name]["streams_in_time"] = figures["streams_answered"]
            if not is_in_time(figures) or figures["streams_refused"]:
                running.remove(name)
    for name in [name for name in sources if name != "before"] if asked.hold else []:
        source, options = sources[name]
        builds[name]["held"] = serve_and_measure(source, asked.hold, asked.hold_seconds, options)
        print(name, builds[name]["held"], file=sys.stderr, flush=True)
    return builds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("other", type=Path, nargs="?", help="a checkout of the build to compare with")
    add_options(parser)
    asked = parser.parse_args()
    builds = compare(asked.other, asked)
    print(json.dumps({"streams": builds, "cores": os.cpu_count()}, indent=2))


if __name__ == "__main__":
    main()
