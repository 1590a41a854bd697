"""Before the token and before HTTP: connections that say nothing are in nobody's way."""

import contextlib
import socket
import ssl
import time
import urllib.request

import pytest
from running import Running, certificate, needs_openssl, wait_until

from intonate.service.command import _tell_once_of_full_tables
from intonate.service.door import Door


class Wire:
    is_cut = False

    def abort(self):
        self.is_cut = True


def test_the_longest_waiting_makes_room():
    door, first, second, third, other = Door(3, 2), Wire(), Wire(), Wire(), Wire()
    assert door.enter(first, "a")
    assert door.enter(second, "a")
    door.work(first)
    assert door.enter(third, "a")
    assert (first.is_cut, second.is_cut, len(door)) == (False, True, 2)
    door.work(third)
    assert not door.enter(Wire(), "a")
    assert door.enter(other, "b")
    assert door.enter(Wire(), "c")
    assert other.is_cut
    door.leave(first)
    door.leave(first)
    assert door.enter(Wire(), "a")


def connected(service, data=b""):
    raw = socket.create_connection(("127.0.0.1", service.port), timeout=10)
    raw.sendall(data)
    return raw


HALF = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Slow: "


@pytest.mark.parametrize("before", [b"", HALF, b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n" + HALF])
def test_headers_that_never_end(recognizer, before):
    with Running(recognizer, limits={"header_s": 0.3}) as service, connected(service, before) as raw:
        began = time.monotonic()
        try:
            while raw.recv(4096):
                pass
        except ConnectionResetError:
            pass
        assert time.monotonic() - began < 5
        assert service.get("/healthz").status == 200


REST = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n"
MANY = b"GET /static/example.mp3 HTTP/1.1\r\nHost: localhost\r\n\r\n" * 200
HELLO = (
    b"GET /v1/stream HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


@pytest.mark.parametrize(
    "says",
    [HALF, REST, MANY, HELLO, b"POST /v1/predictions HTTP/1.1\r\n\r\n"],
    ids=["its headers never end", "its body never ends", "it never reads", "it does not say goodbye", "it is no HTTP"],
)
def test_whoever_has_no_token_is_in_nobodys_way(recognizer, says):
    limits = {"sockets": 2, "address_sockets": 2, "connections": 1, "uploads": 1}
    with (
        Running(recognizer, limits=limits, token="only-for-tests-0123456789") as service,
        contextlib.ExitStack() as stack,
    ):
        flood = [stack.enter_context(connected(service, says)) for _ in range(2)]

        def is_answered():
            for raw in flood:  # a byte at a time
                with contextlib.suppress(OSError):
                    raw.sendall(b"" if says is HELLO else b"x")
            time.sleep(0.2)
            with contextlib.suppress(OSError):
                return service.get("/healthz").body == b"ok"

        wait_until(is_answered, 10)


def test_the_rest_of_an_answered_request_has_a_deadline(recognizer):
    with Running(recognizer, limits={"header_s": 0.3}) as service, connected(service, REST) as raw:
        began = time.monotonic()
        with contextlib.suppress(OSError):
            while time.monotonic() - began < 5:
                raw.sendall(b"x")
                time.sleep(0.05)
        assert time.monotonic() - began < 5


@needs_openssl
def test_a_handshake_that_never_ends_is_in_nobodys_way(recognizer, tmp_path):
    cert, key = certificate(tmp_path)
    context = ssl.create_default_context(cafile=str(cert))
    limits = {"sockets": 2, "address_sockets": 2, "connections": 1, "uploads": 1, "header_s": 60}
    with Running(recognizer, limits=limits, tls=(cert, key)) as service, contextlib.ExitStack() as stack:
        silent = [stack.enter_context(connected(service, says)) for says in (b"", b"\x16\x03\x01", b"")]
        url = f"https://localhost:{service.port}/healthz"
        for _ in range(3):
            with urllib.request.urlopen(url, context=context, timeout=5) as answer:
                assert answer.read() == b"ok"
        assert silent[0].recv(1) == b"", "the first two made room"


@needs_openssl
@pytest.mark.parametrize("before", [None, b"", HALF], ids=["no handshake", "no request", "half a request"])
def test_https_has_the_same_deadlines(recognizer, tmp_path, before):
    cert, key = certificate(tmp_path)
    with Running(recognizer, limits={"header_s": 0.5}, tls=(cert, key)) as service, connected(service) as raw:
        if before is not None:
            context = ssl.create_default_context(cafile=str(cert))
            raw = context.wrap_socket(raw, server_hostname="localhost")
            raw.sendall(before)
        with contextlib.closing(raw):
            began = time.monotonic()
            with contextlib.suppress(ConnectionResetError, ssl.SSLEOFError):
                assert raw.recv(4096) == b""
        assert time.monotonic() - began < 5


def test_a_full_table_of_files_is_told_once(capsys):
    handle = _tell_once_of_full_tables()
    for _ in range(3):
        handle(None, {"message": "socket.accept() out of system resource", "exception": OSError(24, "Too many")})
    printed = capsys.readouterr().err
    assert printed.count("\n") == 1
    assert "ulimit -n" in printed


def test_a_flood_of_slow_headers_holds_up_nobody(recognizer):
    with Running(recognizer, limits={"sockets": 140, "address_sockets": 140, "threads": 2}) as service:
        flood = [connected(service, HALF) for _ in range(300)]
        with service.stream("rate=16000") as ws:
            for raw in flood[-20:]:
                raw.sendall(b"x")
            began = time.monotonic()
            assert service.get("/healthz").body == b"ok"
            assert time.monotonic() - began < 1
            ws.send('{"type": "ping", "t": 1}')
            assert "ready" in ws.recv(timeout=10)
            assert "pong" in ws.recv(timeout=10)
        for raw in flood:
            raw.close()
