"""Before the token and before HTTP: connections that say nothing are in nobody's way."""

import socket
import time

import pytest
from running import Running

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
