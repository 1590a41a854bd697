"""Two builds of the service under fire, one after the other in one run: connections that never finish their headers.

    python benchmarks/service_load.py OTHER-CHECKOUT > benchmarks/results/service_load.json

Each build is served with 1,024 file descriptors, as a shell usually has. Then 2,000 connections send half a header
and stay; reported are the seconds until `/healthz` answers (five at most), and what was written to standard error.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
CONNECTIONS, DESCRIPTORS, PATIENCE_S, TRIES = 2000, 1024, 5.0, 3


def healthz_s(port: int) -> float | None:
    began = time.monotonic()
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=PATIENCE_S) as answer:
            return round(time.monotonic() - began, 3) if answer.read() == b"ok" else None
    except OSError:
        return None


def measure(source: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "intonate", "serve", "--port", "0"]
    with tempfile.NamedTemporaryFile() as log:
        server = subprocess.Popen(
            ["sh", "-c", f'ulimit -n {DESCRIPTORS}; exec "$@"', "sh", *command],
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env={**os.environ, "PYTHONPATH": str(source)},
        )
        try:
            port = int(re.search(r":(\d+) ", server.stdout.readline()).group(1))  # type: ignore[union-attr]
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
        finally:
            server.kill()
            server.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("other", type=Path, help="a checkout of the build to compare with")
    other = parser.parse_args().other
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, 2 * CONNECTIONS), most))
    result = {"before": measure(other / "src"), "now": measure(ROOT / "src")}
    print(json.dumps({"slow_headers": result, "cores": os.cpu_count()}, indent=2))


if __name__ == "__main__":
    main()
