"""uvicorn's protocols behind the door (`door.py`); closing a WebSocket never waits for a client that does not read."""

from __future__ import annotations

import ssl
from asyncio import Future, Protocol, TimerHandle, get_running_loop
from asyncio.sslproto import SSLProtocol
from collections.abc import Callable
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.utils import get_remote_addr
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from intonate.service.door import Door
from intonate.service.replies import RefusedError, refusal

# So many short messages may wait before a client is made to wait: to pause and go on with each costs as much as to read
# it. A long one is one of its kind, bytes.
AHEAD, SHORT_BYTES = 8, 16_384
# See `WebSocketProtocol`.
DIRECT = "intonate.direct"
GOODBYE = "intonate.goodbye"
# The close code of a client that went without a word (RFC 6455, 7.1.5).
LOST = 1006
Take = Callable[[bytes], bool]
# A client that wakes up within this long still learns why it was closed; then the connection is cut, seconds.
LINGER_S = 15.0
# Of a request that was refused so much is read on, more than an upload may have as a rule, and for so long when the
# service stops (uvicorn complains of what takes a second), seconds.
LINGER_BYTES, STOP_LINGER_S = 80 * 2**20, 0.5


class _Wire:
    """A connection's transport, except that `close` is another."""

    def __init__(self, transport: Any, close: Callable[[], None]) -> None:
        self._transport, self.close = transport, close

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class HttpProtocol(H11Protocol):
    """uvicorn's HTTP with a deadline for the headers of each request; `behind` makes one with its door.

    Where it closes a connection before the request is read to its end (an upload that is refused), the rest is read on
    and thrown away: closed with bytes that nobody has read, the kernel would reset the connection, and the client, who
    is still sending, would never see the answer.
    """

    door: Door
    header_s: float
    before: Any = None  # the transport under this one, which the door has counted so far
    _deadline: TimerHandle | None = None
    _left_bytes: int | None = None  # to throw away; None while requests are read

    def connection_made(self, transport: Any) -> None:
        self._transport, wire = transport, _Wire(transport, self._close)
        super().connection_made(wire)  # type: ignore[arg-type]
        self.door.leave(self.before)
        if self.door.enter(transport, _address(transport)):
            self._start_deadline()

    def data_received(self, data: bytes) -> None:
        if self._left_bytes is not None:
            self._left_bytes -= len(data)
            if self._left_bytes < 0:
                self._transport.abort()
            return
        if self._transport.is_closing():
            return
        super().data_received(data)
        self._tell_door()
        if self._owes_nothing:
            self._start_deadline()
        elif self._left_bytes is None:
            self._stop_deadline()

    def handle_websocket_upgrade(self, event: Any) -> None:
        self.transport = self._transport
        super().handle_websocket_upgrade(event)

    def on_response_complete(self) -> None:
        if self._left_bytes is not None:
            return
        super().on_response_complete()
        self._tell_door()
        # Of the next request, which has begun already, or of the rest of this one, which nobody needs.
        if self._owes_nothing and (self.conn.their_state is h11.SEND_BODY or self.conn.trailing_data[0]):
            self._start_deadline()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._tell_door()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._tell_door()

    def send_400_response(self, msg: str) -> None:
        """What cannot be read as HTTP is refused in the shape of all errors; uvicorn's is text."""
        sentence = (
            "this is no request of HTTP/1.1; it needs a Host header, and https:// only where there is a certificate"
        )
        response = refusal(RefusedError(400, sentence))
        response.headers["Connection"] = "close"
        head = h11.Response(status_code=400, headers=response.raw_headers, reason="Bad Request")
        for event in (head, h11.Data(data=bytes(response.body)), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event))
        self.transport.close()

    def shutdown(self) -> None:
        if self._left_bytes is None:
            super().shutdown()
        else:
            self._cut_after(STOP_LINGER_S)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_deadline()
        self.door.leave(self._transport)
        super().connection_lost(exc)

    def _close(self) -> None:
        """Close the connection, once the client has had the time to read the answer."""
        if self._left_bytes is not None:
            return
        self.door.wait(self._transport)  # it makes room before one that sends what is answered
        if self._transport.is_closing() or self.conn.their_state not in (h11.SEND_BODY, h11.ERROR):
            self._transport.close()
            return
        self._left_bytes = LINGER_BYTES
        self.flow.resume_reading()
        if self._transport.can_write_eof():  # TLS cannot; there the headers say that it was the last answer
            self._transport.write_eof()
        self._cut_after(LINGER_S)

    @property
    def _owes_nothing(self) -> bool:
        """Whether no request is there to be answered, or the one that is was answered before it came to its end."""
        return self.conn.their_state is h11.IDLE or self.conn.our_state is h11.DONE

    def _tell_door(self) -> None:
        """Where nothing is to be answered, or the answer is not read, the connection may make room."""
        is_ending = self._left_bytes is not None or self._transport.is_closing()
        if is_ending or self._owes_nothing or self.flow.write_paused:
            self.door.wait(self._transport)
        else:
            self.door.work(self._transport)

    def _cut_after(self, seconds: float) -> None:
        self._stop_deadline()
        self._deadline = self.loop.call_later(seconds, self._transport.abort)

    def _start_deadline(self) -> None:
        self._deadline = self._deadline or self.loop.call_later(self.header_s, self._transport.abort)

    def _stop_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


class TlsProtocol(Protocol):
    """TLS under HTTP, with the connection counted before its handshake, for which there is a deadline as for headers.

    A server of asyncio's own tells its protocol of a connection after the handshake only, and waits a minute for it.
    """

    door: Door
    header_s: float
    context: ssl.SSLContext
    http: type[HttpProtocol]

    def __init__(self, **options: Any) -> None:
        self._options, self._connections = options, options["server_state"].connections

    def connection_made(self, transport: Any) -> None:
        loop, self._transport, http = get_running_loop(), transport, self.http(**self._options)
        http.before = transport
        self._connections.add(self)
        shaken: Future[None] = loop.create_future()
        shaken.add_done_callback(self._leave)
        secured = SSLProtocol(
            loop,
            http,
            self.context,
            shaken,
            server_side=True,
            ssl_handshake_timeout=self.header_s,  # type: ignore[arg-type]  # it may be a fraction
            ssl_shutdown_timeout=LINGER_S,
        )
        transport.set_protocol(secured)
        secured.connection_made(transport)
        self.door.enter(transport, _address(transport))

    def shutdown(self) -> None:
        self._transport.abort()

    def _leave(self, shaken: Future[None]) -> None:
        """The handshake is over: HTTP has counted the connection anew, or there is none any more."""
        shaken.exception()  # is nobody's fault here, and not logged
        self._connections.discard(self)
        self.door.leave(self._transport)


class WebSocketProtocol(WebSocketsSansIOProtocol):
    """Whoever serves a WebSocket may take its binary messages as they come, with no task that wakes up for each.

    For this `scope["extensions"][DIRECT]` is called with a function, or with None to end it. It is called with each
    message that nothing waits before, and returns whether it took it; else `receive` has it as usual.

    `scope["extensions"][GOODBYE]` is a future: at the end of the connection, whether the client has closed it, too.
    """

    door: Door
    _take: Take | None = None
    _goodbye: Future[bool] | None = None

    def handle_connect(self, event: Any) -> None:
        super().handle_connect(event)
        if hasattr(self, "scope"):
            self._goodbye = self.loop.create_future()
            self.scope["extensions"] |= {DIRECT: self._set_take, GOODBYE: self._goodbye}  # type: ignore[dict-item]

    def _set_take(self, take: Take | None) -> None:
        self._take = take

    def handle_bytes(self, event: Any) -> None:
        if self._take is None or not event.fin or not self.queue.empty() or not self._take(event.data):
            super().handle_bytes(event)

    def connection_lost(self, exc: Exception | None) -> None:
        self.door.leave(self.transport)
        if self._goodbye is not None and not self._goodbye.done():
            self._goodbye.set_result(self.conn.close_rcvd is not None)
        super().connection_lost(exc)

    def send_receive_event_to_app(self) -> None:
        if self.read_paused or self.queue.qsize() >= AHEAD or sum(map(len, self.frames)) > SHORT_BYTES:
            super().send_receive_event_to_app()
            return
        self.read_paused = True  # so that it is not paused
        super().send_receive_event_to_app()
        self.read_paused = False

    async def send(self, message: Any) -> None:
        if message["type"] in ("websocket.close", "websocket.http.response.body"):  # the last of it
            self.door.wait(self.transport)
        if message["type"] == "websocket.close":
            self.writable.set()
            self.loop.call_later(LINGER_S, self.transport.abort)
        await super().send(message)
        if message["type"] == "websocket.http.response.body":
            self.handshake_complete = True  # it was refused on purpose, which is no error to log


def behind(
    door: Door, header_s: float, context: ssl.SSLContext | None = None
) -> tuple[type[Protocol], type[WebSocketProtocol]]:
    """The two protocols of one service.

    Args:
        door: that both count their connections at.
        header_s: how long the headers of a request may take, and a handshake before them, seconds.
        context: with the certificate, for HTTPS; uvicorn gets none.
    """
    bound = {"door": door, "header_s": header_s}
    http: type[Protocol] = type("BoundHttpProtocol", (HttpProtocol,), bound)
    if context is not None:
        http = type("BoundTlsProtocol", (TlsProtocol,), bound | {"context": context, "http": http})
    return http, type("BoundWebSocketProtocol", (WebSocketProtocol,), {"door": door})


def _address(transport: Any) -> str:
    """Whose connection it is; a socket in a file system has no address, and whoever reaches it is one."""
    client = get_remote_addr(transport)
    return client[0] if client else ""
