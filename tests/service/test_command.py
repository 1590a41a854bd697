"""`intonate serve`: it starts, or it says in one sentence why not."""

import shutil
import socket
import ssl
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import pytest
from typer.testing import CliRunner

from intonate.cli import app
from intonate.errors import IntonateError, MissingExtraError
from intonate.service import command
from intonate.service.settings import Limits, Settings


def serve_output(*arguments, **environment):
    done = CliRunner().invoke(app, ["serve", *arguments], env={"INTONATE_TOKEN": ""} | environment)
    return done.exit_code, done.output


def test_no_token_beyond_loopback(tiny_model):
    code, output = serve_output("--host", "0.0.0.0", "--model", str(tiny_model))
    assert code == 1
    assert output.count("\n") == 1
    assert "--token" in output
    assert "16 to 256" in serve_output("--host", "0.0.0.0", INTONATE_TOKEN="short")[1]


def test_https_needs_both_files(tmp_path):
    assert "both" in serve_output("--tls-cert", "cert.pem")[1]
    missing = tmp_path / "key.pem"
    assert "does not exist" in serve_output("--tls-cert", str(missing), "--tls-key", str(missing))[1]


def test_models_that_cannot_be_served(tiny_model):
    assert "does not exist" in serve_output("--model", "nothing.onnx")[1]
    assert "two models are called 'tiny'" in serve_output("--model", str(tiny_model), "--model", str(tiny_model))[1]


def test_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "fastapi", None)
    with pytest.raises(MissingExtraError, match=r"intonate\[service\]"):
        command.serve(())


def test_a_port_that_is_taken(tiny_model):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        # In a thread of its own: the browser tests leave an event loop running in this one.
        with ThreadPoolExecutor(1) as pool, pytest.raises(IntonateError, match=f"could not listen at 127.0.0.1:{port}"):
            pool.submit(command.serve, [str(tiny_model)], port=port).result()


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl to make a certificate")
def test_https(recognizer, tmp_path):
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    make = "openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=localhost -addext subjectAltName=DNS:localhost"
    subprocess.run([*make.split(), "-keyout", key, "-out", cert], check=True, capture_output=True)
    server = command._server(Settings({"tiny": recognizer}, limits=Limits(threads=1, upload_bytes=1000)), 0, cert, key)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    until = time.monotonic() + 30
    while not server.started and time.monotonic() < until:
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    context = ssl.create_default_context(cafile=str(cert))
    with urllib.request.urlopen(f"https://localhost:{port}/healthz", context=context, timeout=20) as answer:
        assert answer.read() == b"ok"
    for _ in range(3):  # who is still sending sees why it is refused
        with pytest.raises(urllib.error.HTTPError, match="413"):
            urllib.request.urlopen(f"https://localhost:{port}/models/tiny", bytes(5 * 2**20), 20, context=context)
    server.should_exit = True
    thread.join(20)


def test_sessions_are_forgotten_in_order():
    from intonate.service.sessions import Session, Sessions

    sessions = Sessions(resume_s=60, limit=2)
    kept = [Session("", {}, 16_000) for _ in range(3)]
    for age, session in enumerate(kept):
        sessions.add(session)
        session.lost_at = time.monotonic() - 10 + age
    assert sessions.find(kept[0].id, "") is None
    assert sessions.find(kept[2].id, "") is kept[2]
    assert sessions.find(kept[2].id, "something else") is None


def test_numbered_events_come_again_until_they_are_forgotten():
    from intonate.recognizer.streaming import Event
    from intonate.service.sessions import BACKLOG_EVENTS, Session

    session = Session("", {}, 16_000)
    session.encode_events([("m", Event("segment", 0.0, 1.0, "sad", {}))] * 3)
    assert [seq for seq, *_ in session.events_after(1)] == [2, 3]
    assert session.events_after(3) == []
    assert session.events_after(4) is None
    session.encode_events([("m", Event("segment", 0.0, 1.0, "sad", {}))] * BACKLOG_EVENTS)
    assert session.events_after(1) is None
    assert len(session.events_after(3)) == BACKLOG_EVENTS
