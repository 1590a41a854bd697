"""`intonate serve`: it starts, or it says in one sentence why not."""

import socket
import ssl
import sys
import threading
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import pytest
from running import certificate, needs_openssl, wait_until
from typer.testing import CliRunner

from intonate.cli import app
from intonate.errors import IntonateError, MissingExtraError
from intonate.service import command
from intonate.service.settings import Limits, Settings, allowed_host, allowed_origin


def serve_output(*arguments, **environment):
    done = CliRunner().invoke(app, ["serve", *arguments], env={"INTONATE_TOKEN": ""} | environment)
    return done.exit_code, done.output


def test_no_token_beyond_loopback(tiny_model):
    code, output = serve_output("--host", "0.0.0.0", "--model", str(tiny_model))
    assert code == 1
    assert output.count("\n") == 1
    assert "--token" in output
    assert "16 to 256" in serve_output("--host", "0.0.0.0", INTONATE_TOKEN="short")[1]


@pytest.mark.parametrize(
    ("option", "values", "says"),
    [
        ("--allow-host", ["*", "*.example", "https://voice.example", "voice.example/page", ""], "e.g. voice.example"),
        ("--allow-origin", ["*", "app.example", "https://app.example/page", "https://*"], "e.g. https://app.example"),
    ],
)
def test_names_and_pages_that_nobody_could_send(tiny_model, option, values, says):
    for value in values:
        code, output = serve_output(option, value, "--model", str(tiny_model))
        output = " ".join(output.split())
        assert (code, f"{option} {value!r} is no" in output, says in output) == (1, True, True)


def test_names_and_pages_are_compared_as_clients_send_them():
    hosts = {"Voice.Example:8000": "voice.example", "[::1]:80": "[::1]", "::1": "[::1]", "10.0.0.1": "10.0.0.1"}
    assert {text: allowed_host(text) for text in hosts} == hosts
    origins = {
        "https://App.Example/": "https://app.example",
        "https://app.example:443": "https://app.example",
        "app://.": "app://.",
        "http://app.example:443": "http://app.example:443",
        "http://[::1]:8000": "http://[::1]:8000",
        "capacitor://localhost": "capacitor://localhost",
        "null": "null",
    }
    assert {text: allowed_origin(text) for text in origins} == origins


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
        with (
            ThreadPoolExecutor(1) as pool,
            pytest.raises(IntonateError, match=f"127.0.0.1:{port}: something else uses"),
        ):
            pool.submit(command.serve, [str(tiny_model)], port=port).result()


@pytest.mark.parametrize(
    ("host", "says"),
    [
        ("nosuch.invalid", "there is no host of that name"),
        ("192.0.2.7", "this machine has no such address; 0.0.0.0 stands for all that it has"),
    ],
)
def test_a_host_that_is_not_here(tiny_model, host, says):
    code, output = serve_output("--host", host, "--model", str(tiny_model), INTONATE_TOKEN="a-token-of-24-characters")
    assert (code, output.count("\n")) == (1, 1)
    assert f"could not listen at {host}:8000: {says}" in " ".join(output.split())


@needs_openssl
def test_certificates_that_cannot_be_used(tmp_path):
    (cert, key), (_, other_key) = certificate(tmp_path), certificate(tmp_path, "other")
    _, locked = certificate(tmp_path, "locked", "-passout", "pass:secret")
    junk, damaged = tmp_path / "junk.pem", tmp_path / "damaged.pem"
    junk.write_bytes(bytes(range(256)))
    damaged.write_text(cert.read_text().replace("\nM", "\n!"))
    for files, says in (
        ((junk, key), f"{junk} holds no certificate; expected PEM"),
        ((cert, junk), f"{junk} holds no private key; expected PEM"),
        ((key, cert), f"{key} holds no certificate"),
        ((cert, other_key), f"{other_key} is not the key of the certificate in {cert}"),
        ((cert, locked), f"{locked} has a passphrase"),
        ((damaged, key), f"{damaged} and {key} cannot be read, one of them is damaged"),
        ((tmp_path, key), f"{tmp_path} cannot be read: Is a directory"),
    ):
        with pytest.raises(IntonateError) as refused:
            command.serve((), tls_cert=files[0], tls_key=files[1], workers=2)
        assert says in str(refused.value)


@needs_openssl
def test_https(recognizer, tmp_path):
    cert, key = certificate(tmp_path)
    server = command._server(Settings({"tiny": recognizer}, limits=Limits(threads=1, upload_bytes=1000)), cert, key)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    wait_until(lambda: server.started)
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
