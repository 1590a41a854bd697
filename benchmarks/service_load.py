"""Two builds of the service under fire, side by side in one run, and what came of it.

    python benchmarks/service_load.py OTHER-CHECKOUT > benchmarks/results/service_load.json
    python benchmarks/service_load.py OTHER-CHECKOUT --only slow_headers uploads     # without the streams: 2 minutes

- `slow_headers`: served with 1,024 file descriptors, as a shell usually has, 2,000 connections send half a header and
  stay; reported are the seconds until `/healthz` answers (five at most), and what was written to standard error.
- `uploads`: two recordings of nearly an hour are uploaded, and a second later three of two seconds: how long are these?
- `streams`: as `streams.py`, this build also with two workers. It takes a quarter of an hour.

`bars` says of each bar what was found, and whether it is met; `failed` which parts broke off, and why. An idle machine
with two cores is meant: the processors are shared with the clients.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import re
import resource
import socket
import subprocess
import sys
import tempfile
import time
import traceback
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import streams

ROOT = Path(__file__).resolve().parents[1]
CONNECTIONS, DESCRIPTORS, PATIENCE_S, TRIES = 2000, 1024, 5.0, 3
HOSTILE, HOSTILE_S, HOSTILE_HZ, SHORT, UPLOAD_PATIENCE_S = 2, 3500, 8000, 3, 120.0


@contextmanager
def served(source: Path) -> Iterator[tuple[int, Any]]:
    """The port of a service of that build, and the file of its standard error."""
    command = [sys.executable, "-m", "intonate", "serve", "--port", "0", "--model", "compact"]
    with tempfile.NamedTemporaryFile() as log:
        server = subprocess.Popen(
            ["sh", "-c", f'ulimit -n {DESCRIPTORS}; exec "$@"', "sh", *command],
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env={**os.environ, "PYTHONPATH": str(source)},
        )
        try:
            yield int(re.search(r":(\d+) ", server.stdout.readline()).group(1)), log  # type: ignore[union-attr]
        finally:
            server.kill()
            server.wait()


def healthz_s(port: int) -> float | None:
    began = time.monotonic()
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=PATIENCE_S) as answer:
            return round(time.monotonic() - began, 3) if answer.read() == b"ok" else None
    except OSError:
        return None


def slow_headers(source: Path) -> dict[str, Any]:
    with served(source) as (port, log):
        held = []
        for _ in range(CONNECTIONS):
            try:
                held.append(socket.create_connection(("127.0.0.1", port), timeout=1))
                held[-1].sendall(b"GET / HTTP/1.1\r\nX: ")
            except OSError:
                continue
        seconds = [healthz_s(port) for _ in range(TRIES)]
        for one in held:
            one.close()
        return {"connected": len(held), "healthz_s": seconds, "log_bytes": os.path.getsize(log.name)}


def hostile_recording() -> bytes:
    """Soft speech for nearly as long as is allowed, as FLAC of some megabytes."""
    parts = [soundfile.read(path, dtype="float32")[0] for path in sorted((ROOT / "examples").glob("*.flac"))]
    speech = (np.concatenate(parts)[::2] * 400).astype(np.int16)  # 8 kHz, 9 bits
    file = io.BytesIO()
    soundfile.write(file, np.resize(speech, HOSTILE_S * HOSTILE_HZ), HOSTILE_HZ, format="FLAC")
    return file.getvalue()


def short_recording() -> bytes:
    samples, rate = soundfile.read(ROOT / "examples/neutral.flac", dtype="int16", frames=32_000)
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format="FLAC")
    return file.getvalue()


def upload_s(port: int, body: bytes) -> tuple[float | None, int]:
    """Seconds until the answer (None where it did not come in time) and its status."""
    head = b'--x\r\nContent-Disposition: form-data; name="audio"; filename="a.flac"\r\n\r\n'
    content = {"Content-Type": "multipart/form-data; boundary=x"}
    request = urllib.request.Request(f"http://127.0.0.1:{port}/v1/predictions", head + body + b"\r\n--x--\r\n", content)
    began = time.monotonic()
    try:
        with urllib.request.urlopen(request, timeout=UPLOAD_PATIENCE_S) as answer:
            answer.read()
            return round(time.monotonic() - began, 3), answer.status
    except urllib.error.HTTPError as error:
        return round(time.monotonic() - began, 3), error.code
    except OSError:
        return None, 0


def uploads(source: Path) -> dict[str, Any]:
    hostile, short = hostile_recording(), short_recording()
    # The service is ended first, and with it what is still under way.
    with ThreadPoolExecutor(HOSTILE + SHORT) as pool, served(source) as (port, _):
        upload_s(port, short)  # loads what is loaded at first use
        large = [pool.submit(upload_s, port, hostile) for _ in range(HOSTILE)]
        time.sleep(1.0)
        small = [pool.submit(upload_s, port, short) for _ in range(SHORT)]
        short_answers = [one.result() for one in small]
        under_way = sum(not one.done() for one in large)
        return {"hostile_bytes": len(hostile), "short": short_answers, "hostile_still_under_way": under_way}


def bars(result: dict[str, Any]) -> dict[str, Any]:
    """What was found for each bar that was measured, and whether it is met."""
    found: dict[str, tuple[Any, bool]] = {}
    if "slow_headers" in result:
        now = result["slow_headers"]["now"]
        worst = max((PATIENCE_S if one is None else one) for one in now["healthz_s"])
        found["healthz within 1 s of 2,000 slow headers"] = worst, worst <= 1
        found["the log grows by under 100 kB"] = now["log_bytes"], now["log_bytes"] < 100_000
    if "uploads" in result:
        short = result["uploads"]["now"]["short"]
        worst = max(UPLOAD_PATIENCE_S if seconds is None else seconds for seconds, _ in short)
        found["three short uploads within 2 s"] = worst, worst <= 2 and all(status == 200 for _, status in short)
    builds = result.get("streams", {})
    for name in [name for name in builds if name != "before"]:
        ratio = builds[name]["streams_in_time"] / max(1, builds["before"]["streams_in_time"])
        found[f"twice the streams ({name})"] = round(ratio, 2), ratio >= 2
        pairs = zip(builds["before"]["steps"], builds[name]["steps"], strict=False)
        in_time = [pair for pair in pairs if all(step.get("p95_ms", 1e9) <= streams.MOST_P95_MS for step in pair)]
        spent = [sum(step["cpu_per_stream"] for step in steps) for steps in zip(*in_time, strict=True)]
        if spent:
            ratio = spent[1] / spent[0]
            found[f"processor of a stream 0.6 x, where both are in time ({name})"] = round(ratio, 2), ratio <= 0.6
        if "held" in builds[name]:
            held = builds[name]["held"]
            lost = {key: held[key] for key in ("streams_failed", "segments_lost", "streams_refused")}
            is_met = not held["streams_failed"] and not held["segments_lost"]
            found[f"{held['streams']} streams for {held['seconds']:g} s, none dropped ({name})"] = lost, is_met
    return {name: {"found": what, "is_met": is_met} for name, (what, is_met) in found.items()}


PARTS = {"slow_headers": slow_headers, "uploads": uploads}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("other", type=Path, help="a checkout of the build to compare with")
    parser.add_argument("--only", nargs="+", choices=[*PARTS, "streams"], default=[*PARTS, "streams"])
    streams.add_options(parser)
    parser.set_defaults(workers=2)
    asked = parser.parse_args()
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, 2 * CONNECTIONS), most))
    parts: dict[str, Callable[[], Any]] = {
        name: lambda part=part: {"before": part(asked.other / "src"), "now": part(ROOT / "src")}
        for name, part in PARTS.items()
    }
    parts["streams"] = lambda: streams.compare(asked.other, asked)
    result: dict[str, Any] = {}
    failed: dict[str, str] = {}
    began = time.monotonic()
    for name in [name for name in parts if name in asked.only]:
        try:
            result[name] = parts[name]()
            print(name, result[name], file=sys.stderr, flush=True)
        except Exception as error:  # what the other parts found is told all the same
            failed[name] = repr(error)
            traceback.print_exc()
    lengths = {"step_s": asked.seconds, "steps": asked.steps, "held_s": asked.hold_seconds, "held_streams": asked.hold}
    lengths["all_s"] = round(time.monotonic() - began)
    machine = {"cores": os.cpu_count(), "load_average": os.getloadavg()}
    print(json.dumps({"bars": bars(result), "failed": failed, "lengths": lengths, **result, **machine}, indent=2))
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
