"""A wire between the browser and a service that can be cut and mended, whatever service it is."""

from __future__ import annotations

import contextlib
import socket
import threading


class Wire:
    """Passes bytes on, from a port of its own, until it is cut.

    Attributes:
        port: where the browser connects.
        broken: while true, nobody gets through.
        upgrades: while false, the header that makes a WebSocket is dropped, as by a proxy that was not told of it.
    """

    def __init__(self, to_port: int) -> None:
        self.to_port, self.broken, self.upgrades = to_port, False, True
        self.open: list[socket.socket] = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self.listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Tear every connection; those to come are refused until `broken` is false again."""
        self.broken = True
        for one in self.open:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        self.open.clear()

    def close(self) -> None:
        self.cut()
        self.listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                browser, _ = self.listener.accept()
                if self.broken:
                    browser.close()
                    continue
                service = socket.create_connection(("127.0.0.1", self.to_port))
                self.open += [browser, service]
                for source, sink in ((browser, service), (service, browser)):
                    threading.Thread(target=self._pass_on, args=(source, sink), daemon=True).start()

    def _pass_on(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65_536):
                sink.sendall(data if self.upgrades else data.replace(b"Upgrade: websocket\r\n", b""))
        for one in (source, sink):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
