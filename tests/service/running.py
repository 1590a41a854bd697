"""A real service on loopback, in a thread, and the few lines that talk to it."""

from __future__ import annotations

import asyncio
import http.client
import io
import json
import shutil
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import soundfile
import tiny
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from intonate.service.command import _server
from intonate.service.settings import Limits, Settings


def wait_until(condition: Callable[[], Any], timeout_s: float = 30.0) -> None:
    """What the service does after its last answer is done a moment later, and on a busy machine not at once."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.01)


needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl to make a certificate")


def certificate(folder: Path, name: str = "one", *options: str) -> tuple[Path, Path]:
    """The files of a certificate and its key."""
    cert, key = folder / f"{name}.pem", folder / f"{name}.key.pem"
    make = "openssl req -x509 -newkey rsa:2048 -days 1 -subj /CN=localhost -addext subjectAltName=DNS:localhost"
    command = [*make.split(), *(options or ["-nodes"]), "-keyout", key, "-out", cert]
    subprocess.run(command, check=True, capture_output=True)
    return cert, key


class Running:
    """`with Running(recognizer, token=…, limits={…}) as service`."""

    def __init__(
        self, *recognizers: Any, limits: dict[str, Any] | None = None, tls: Any = (None, None), **settings: Any
    ) -> None:
        models = {f"{one.spec.name}{number or ''}": one for number, one in enumerate(recognizers)}
        self.tls = tls
        self.settings = Settings(models, limits=Limits(**({"threads": 2} | (limits or {}))), **settings)

    def __enter__(self) -> Running:
        self._server = _server(self.settings, *self.tls)
        self._server.config.log_level = "critical"
        self.thread = threading.Thread(target=lambda: asyncio.run(self._server.serve()), daemon=True)
        self.thread.start()
        wait_until(lambda: self._server.started)
        self.port = self._server.servers[0].sockets[0].getsockname()[1]
        self.state = self._server.config.app.state.service
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self.thread.join(20)

    def request(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            return Answer(response.status, dict(response.getheaders()), response.read())
        finally:
            connection.close()

    def get(self, path: str, **headers: str) -> Answer:
        return self.request("GET", path, headers=headers)

    def upload(self, audio: bytes | None, name: str = "clip.wav", **fields: str) -> Answer:
        return self.request("POST", "/v1/predictions", *form(audio, name, **fields))

    def stream(self, query: str = "rate=16000", **options: Any) -> ClientConnection:
        url = f"ws://127.0.0.1:{self.port}/v1/stream?{query}"
        return connect(url, open_timeout=30, close_timeout=2, **({"proxy": None, "compression": None} | options))


class Answer:
    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.status, self.body = status, body
        self.headers = {name.lower(): value for name, value in headers.items()}

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def wav(seconds: float = 1.0, rate: int = 16_000, **options: Any) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, tiny.speech(seconds, rate), rate, format=options.pop("format", "WAV"), **options)
    return file.getvalue()


def form(audio: bytes | None, name: str = "clip.wav", **fields: str) -> tuple[bytes, dict[str, str]]:
    parts = [f'--x\r\nContent-Disposition: form-data; name="{k}"\r\n\r\n{v}\r\n'.encode() for k, v in fields.items()]
    if audio is not None:
        head = f'--x\r\nContent-Disposition: form-data; name="audio"; filename="{name}"\r\n\r\n'.encode()
        parts.append(head + audio + b"\r\n")
    return b"".join([*parts, b"--x--\r\n"]), {"Content-Type": "multipart/form-data; boundary=x"}


def receive(ws: ClientConnection) -> Any:
    return json.loads(ws.recv(timeout=30))


def closing(ws: ClientConnection, events: list[Any] | None = None) -> tuple[Any, int]:
    """(the error that was told, the close code); what came before it is added to `events`."""
    error = None
    try:
        while True:
            message = receive(ws)
            error = message if message["type"] == "error" else error
            if events is not None:
                events.append(message)
    except ConnectionClosed as closed:
        return error, closed.rcvd.code if closed.rcvd else 1006


def finish(ws: ClientConnection) -> list[Any]:
    """Say that this was all; everything up to `done`."""
    ws.send('{"type": "finish"}')
    events = []
    while (event := receive(ws))["type"] != "done":
        events.append(event)
    return events
