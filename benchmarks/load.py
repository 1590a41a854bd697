"""Many real-time streams and many uploads against one service on this machine.

    python benchmarks/load.py > benchmarks/results/load.json                 # 50 streams for 30 s, 1,000 uploads
    python benchmarks/load.py --streams 1 --uploads 0                        # one stream alone

It starts `intonate serve` in a process of its own, on loopback, and ends it. Each stream sends real speech as a
microphone would: 16-bit, 48 kHz, a chunk every 40 ms, starting at random moments. Reported per stream event: the time
from sending the chunk that completes a window to receiving its event; and the segments that never came. Uploads go
one after the other from each client; resident memory is read from /proc (Linux) after a tenth of them and at the end.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import random
import re
import signal
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import soxr
from websockets.asyncio.client import connect

ROOT = Path(__file__).resolve().parents[1]
RATE_HZ, CHUNK_S, HOP_S, FIRST_S = 48_000, 0.04, 0.5, 1.0
# What one run may ask for at most.
MOST = {"streams": 500, "seconds": 600, "uploads": 100_000, "clients": 64}
PATIENCE_S = 30.0


def speech() -> bytes:
    """The examples of the repository, one after the other, as a microphone would send them."""
    parts = []
    for path in sorted((ROOT / "examples").glob("*.flac")):
        waveform, rate = soundfile.read(path, dtype="float32")
        parts.append(soxr.resample(waveform, rate, RATE_HZ))
    return (np.clip(np.concatenate(parts), -1, 1) * 32767).astype("<i2").tobytes()


async def stream(port: int, query: str, pcm: bytes, seconds: float, wait_s: float) -> dict[str, Any]:
    """One stream in real time: the delay of each segment, and how many were missing."""
    await asyncio.sleep(wait_s)
    size = round(CHUNK_S * RATE_HZ) * 2
    count = int(seconds / CHUNK_S)
    sent_at: list[float] = []
    delays_ms: list[float] = []
    ends: list[float] = []
    behind_s: list[float] = []
    url = f"ws://127.0.0.1:{port}/v1/stream?rate={RATE_HZ}&{query}"
    async with connect(url, compression=None, proxy=None, open_timeout=PATIENCE_S) as ws:
        if json.loads(await ws.recv())["type"] == "error":
            return {"refused": True}

        async def listen() -> None:
            async for message in ws:
                now, event = time.perf_counter(), json.loads(message)
                if event["type"] == "done":
                    return
                if event["type"] == "behind":
                    behind_s.append(event["seconds"])
                if event["type"] == "segment":
                    ends.append(event["end"])
                    completing = round(event["end"] * RATE_HZ * 2 / size + 0.499) - 1
                    if completing < len(sent_at):
                        delays_ms.append((now - sent_at[completing]) * 1000)

        listening = asyncio.create_task(listen())
        began = time.perf_counter()
        offset = random.randrange(len(pcm) // size) * size
        for number in range(count):
            await asyncio.sleep(max(0.0, began + (number + 1) * CHUNK_S - time.perf_counter()))
            at = (offset + number * size) % (len(pcm) - size)
            sent_at.append(time.perf_counter())
            await ws.send(pcm[at : at + size])
        await ws.send('{"type":"finish"}')
        await asyncio.wait_for(listening, PATIENCE_S)
    expected = [FIRST_S + HOP_S * k for k in range(int((count * CHUNK_S - FIRST_S) / HOP_S + 1e-9) + 1)]
    got = {round(end, 3) for end in ends}
    return {
        "refused": False,
        "delays_ms": delays_ms,
        "behind_s": max(behind_s, default=0.0),
        "lost": sum(round(end, 3) not in got for end in expected),
        "twice": len(ends) - len(got),
    }


async def uploads(port: int, count: int, clients: int, body: bytes, memory: Any) -> dict[str, Any]:
    """`count` uploads from `clients` clients, each on one connection at a time."""
    left, times_ms, wrong, rss = count, [], [], []
    head = (
        f"POST /v1/predictions HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Length: {len(body)}\r\n"
        "Content-Type: multipart/form-data; boundary=x\r\n\r\n"
    ).encode()

    async def client() -> None:
        nonlocal left
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while left > 0:
            left -= 1
            began = time.perf_counter()
            writer.write(head + body)
            await writer.drain()
            answer = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), PATIENCE_S)
            length = int(re.search(rb"(?i)content-length: (\d+)", answer).group(1))  # type: ignore[union-attr]
            content = json.loads(await reader.readexactly(length))
            if b" 200 " not in answer or "label" not in content:
                wrong.append(content)
            times_ms.append((time.perf_counter() - began) * 1000)
            if len(times_ms) == max(1, count // 10):
                rss.append(memory())
        writer.close()

    began = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(clients)))
    seconds = time.perf_counter() - began
    return {
        "uploads": count,
        "clients": clients,
        "errors": len(wrong) + count - len(times_ms),
        "first_errors": wrong[:3],
        "per_second": round(count / seconds, 1),
        **percentiles(times_ms),
        "rss_mib_after_a_tenth": rss[0] if rss else None,
        "rss_mib_at_the_end": memory(),
    }


def percentiles(times_ms: list[float]) -> dict[str, float]:
    if not times_ms:
        return {}
    return {f"p{p}_ms": round(float(np.percentile(times_ms, p)), 2) for p in (50, 95, 99)} | {
        "max_ms": round(max(times_ms), 2)
    }


def resident_mib(pid: int) -> float | None:
    status = Path(f"/proc/{pid}/status")
    if not status.exists():
        return None
    found = re.search(r"VmRSS:\s+(\d+) kB", status.read_text())
    return round(int(found.group(1)) / 1024, 1) if found else None


def cpu_s(pid: int) -> float | None:
    """Processor time of a process and of its children so far."""
    stat = Path(f"/proc/{pid}/stat")
    if not stat.exists():
        return None
    user, system = stat.read_text().rpartition(")")[2].split()[11:13]
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK") + sum(cpu_s(int(child)) or 0.0 for child in children)


async def measure(port: int, pid: int, asked: argparse.Namespace) -> dict[str, Any]:
    result: dict[str, Any] = {}
    if asked.streams:
        pcm = speech()
        query = f"activity={asked.activity}" if asked.activity else ""
        waits = [random.random() * 2 for _ in range(asked.streams)]
        before, server_before = time.process_time(), cpu_s(pid)
        runs = await asyncio.gather(
            *(
                asyncio.wait_for(stream(port, query, pcm, asked.seconds, wait_s), asked.seconds + 3 * PATIENCE_S)
                for wait_s in waits
            ),
            return_exceptions=True,
        )
        failed = [repr(run) for run in runs if isinstance(run, BaseException)]
        done = [run for run in runs if isinstance(run, dict) and not run["refused"]]
        delays = [delay for run in done for delay in run["delays_ms"]]
        result["streams"] = {
            "streams": asked.streams,
            "seconds": asked.seconds,
            "segments": len(delays),
            "segments_lost": sum(run["lost"] for run in done),
            "segments_twice": sum(run["twice"] for run in done),
            "streams_answered": len(done),
            "streams_refused": len(runs) - len(done) - len(failed),
            "streams_failed": len(failed),
            "most_behind_s": max((run["behind_s"] for run in done), default=0.0),
            "first_failures": failed[:3],
            **percentiles(delays),
            "server_cpu_s": None if server_before is None else round((cpu_s(pid) or 0) - server_before, 1),
            "client_cpu_s": round(time.process_time() - before, 1),
            "rss_mib": resident_mib(pid),
        }
    if asked.uploads:
        clip = (ROOT / "examples/neutral.flac").read_bytes()
        disposition = b'Content-Disposition: form-data; name="audio"; filename="clip.flac"'
        body = b"--x\r\n" + disposition + b"\r\n\r\n" + clip + b"\r\n--x--\r\n"
        result["uploads"] = await uploads(port, asked.uploads, asked.clients, body, lambda: resident_mib(pid))
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--streams", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=30.0, help="how long each stream lasts")
    parser.add_argument("--uploads", type=int, default=1000)
    parser.add_argument("--clients", type=int, default=16, help="that upload at once")
    parser.add_argument("--model", default="compact", help="a built-in name or a model file")
    parser.add_argument("--activity", default="", help="neural or energy; what is installed if not given")
    asked = parser.parse_args()
    for name, most in MOST.items():
        if not 0 <= getattr(asked, name) <= most:
            parser.error(f"--{name} must be 0 to {most}")
    random.seed(0)

    command = [sys.executable, "-m", "intonate", "serve", "--port", "0", "--model", asked.model]
    command += ["--max-connections", str(max(100, asked.streams))]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        line = server.stdout.readline()  # type: ignore[union-attr]
        port = int(re.search(r":(\d+) ", line).group(1))  # type: ignore[union-attr]
        result = asyncio.run(measure(port, server.pid, asked))
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(20)
    result["machine"] = {"cores": os.cpu_count(), "load_average": os.getloadavg(), "python": platform.python_version()}
    result["versions"] = {name: version(name) for name in ("numpy", "onnxruntime", "uvicorn", "websockets", "fastapi")}
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
