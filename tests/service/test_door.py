"""Before the token and before HTTP: connections that say nothing are in nobody's way."""

import contextlib
import socket
import time

import pytest
from running import Running, wait_until

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
