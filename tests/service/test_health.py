"""The health check of the container finds the service whatever options it has, and the container has room for it."""

import os
import re
import shutil
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from intonate.service import health
from intonate.service.settings import MIB, Limits

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="needs Linux")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl to make a certificate")
    folder = tmp_path_factory.mktemp("tls")
    cert, key = folder / "cert.pem", folder / "key.pem"
    make = "openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=voice.example"
    subprocess.run([*make.split(), "-keyout", key, "-out", cert], check=True, capture_output=True)
    return ["--tls-cert", str(cert), "--tls-key", str(key)]


@pytest.mark.parametrize(
    "options",
    [
        [],
        ["--host", "0.0.0.0", "--allow-host", "voice.example:8443", "--allow-origin", "https://app.example/"],
        ["--host", "::1"],
        "tls",
    ],
    ids=["loopback", "everywhere", "ipv6", "tls"],
)
def test_it_is_found_with_every_option(options, tiny_model, request, tmp_path):
    options = request.getfixturevalue("certificate") if options == "tls" else options
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src"), "INTONATE_TOKEN": "a-token-of-24-characters"}
    command = [sys.executable, "-m", "intonate", "serve", "--port", "0", "--model", str(tiny_model), *options]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            line = process.stdout.readline()
            if "::1" in options and not line:
                pytest.skip("this machine has no IPv6")
            port = int(re.search(r":(\d+) \(", line).group(1))
            found = list(health.listening_at(Path("/proc") / str(process.pid)))
            assert [number for _, number in found] == [port]
            assert health.is_alive(*found[0])
            if "--allow-host" in options:  # with a port and a slash, as they stand in an address
                address = f"http://127.0.0.1:{port}/v1/models"
                headers = {"Host": "voice.example:8443", "Origin": "https://app.example"}
                headers["Authorization"] = "Bearer a-token-of-24-characters"
                assert (
                    urllib.request.urlopen(urllib.request.Request(address, headers=headers), timeout=10).status == 200
                )
            assert Path("/proc", str(process.pid)) in set(health._services())
        finally:
            process.terminate()
            process.communicate(timeout=20)
    assert not health.is_alive(*found[0])


def test_without_a_service_it_is_not_well(monkeypatch, capsys):
    monkeypatch.setattr(health, "_services", lambda: iter(()))
    assert health.main() == 1
    assert "no intonate serve" in capsys.readouterr().err


def test_the_container_has_room_for_what_its_options_allow():
    compose = (ROOT / "compose.yaml").read_text()
    uploads = int(re.search(r'--max-uploads, "(\d+)"', compose).group(1))
    limit = int(re.search(r"mem_limit: \$\{INTONATE_MEMORY:-(\d+)g\}", compose).group(1)) * 1024 * MIB
    assert Limits(uploads=uploads, threads=2).memory_bytes <= limit
    assert Limits(threads=2).memory_bytes > limit, "with the usual number of uploads it would not have"
    grace = int(re.search(r"stop_grace_period: (\d+)s", compose).group(1))
    assert grace > Limits().grace_s + 2, "killed only after it was given its grace"
    assert "intonate.service.health" in (ROOT / "Dockerfile").read_text()
