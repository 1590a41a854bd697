"""uvicorn's WebSocket protocol, except that closing never waits for a client that does not read."""

from __future__ import annotations

from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

# A client that wakes up within this long still learns why it was closed; then the connection is cut, seconds.
LINGER_S = 15.0


class WebSocketProtocol(WebSocketsSansIOProtocol):
    """See the module."""

    async def send(self, message: Any) -> None:
        if message["type"] == "websocket.close":
            self.writable.set()
            self.loop.call_later(LINGER_S, self.transport.abort)
        await super().send(message)
        if message["type"] == "websocket.http.response.body":
            self.handshake_complete = True  # it was refused on purpose, which is no error to log
