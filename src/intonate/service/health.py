"""`python -m intonate.service.health`: whether the service on this machine lives, whatever options it was started with.

For the HEALTHCHECK of a container, which cannot know the options: the process is found by its command, its port by the
socket that it listens at, and HTTPS is tried where HTTP is not spoken. Nothing is sent but `GET /healthz`, which needs
no token. Exit status 0 or 1. It reads /proc, so it works on Linux.
"""

from __future__ import annotations

import ipaddress
import ssl
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

PATIENCE_S = 2.0
# In /proc/net/tcp: the state of a socket that listens.
LISTENS = "0A"


def main() -> int:
    """Ask every `intonate serve` of this machine that can be seen; 0 if there is one and all of them live."""
    answers = [is_alive(address, port) for process in _services() for address, port in listening_at(process)]
    if not answers:
        print("no intonate serve was found that listens", file=sys.stderr)
    return 0 if answers and all(answers) else 1


def is_alive(address: str, port: int) -> bool:
    """Whether `/healthz` says ok, over HTTP or HTTPS; whose certificate it is makes no difference to that."""
    # Whoever listens everywhere listens here, too.
    ip = ipaddress.ip_address(address)
    reachable_ip = ip if not ip.is_unspecified else ipaddress.ip_address("::1" if ip.version == 6 else "127.0.0.1")
    host = f"[{reachable_ip}]" if reachable_ip.version == 6 else str(reachable_ip)
    tls_context = ssl.create_default_context()
    tls_context.check_hostname, tls_context.verify_mode = False, ssl.CERT_NONE
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=tls_context)
    )
    for scheme in ("http", "https"):
        try:
            with opener.open(f"{scheme}://{host}:{port}/healthz", timeout=PATIENCE_S) as answer:
                return bool(answer.read() == b"ok")
        except OSError:
            continue
    return False


def listening_at(process: Path) -> Iterator[tuple[str, int]]:
    """(address, port) of each socket that a process listens at.

    Args:
        process: its folder in /proc.
    """
    try:
        links = [link.readlink().name for link in (process / "fd").iterdir()]
    except OSError:  # not ours, or gone
        return
    sockets = {link.removeprefix("socket:[").removesuffix("]") for link in links if link.startswith("socket:[")}
    for table in ("tcp", "tcp6"):
        path = process / "net" / table
        for row in path.read_text().splitlines()[1:] if path.exists() else ():
            fields = row.split()
            if fields[3] == LISTENS and fields[9] in sockets:
                address, _, port = fields[1].partition(":")
                yield _address(address), int(port, 16)


def _address(text: str) -> str:
    """An address as /proc writes it: words of 32 bits, each in the order of the machine's bytes."""
    words = [
        bytes.fromhex(text[place : place + 8])[:: 1 if sys.byteorder == "big" else -1]
        for place in range(0, len(text), 8)
    ]
    return str(ipaddress.ip_address(b"".join(words)))


def _services() -> Iterator[Path]:
    """The folder in /proc of each process that serves."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue
        # `intonate serve …` as the script that pip made, or `python -m intonate serve …`.
        if "serve" in words and any(Path(word).name == "intonate" for word in words[: words.index("serve")]):
            yield process


if __name__ == "__main__":
    sys.exit(main())
