"""`WS /v1/stream`: sound in, events out, one coroutine per connection.

A connection reads, computes and sends in turn, so a client that sends too fast or reads too slowly holds up nobody but
itself: TCP tells it to wait. The models run in a pool of threads; a long message is heard piece by piece, each of them
queueing behind the other connections'.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Iterator
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from intonate.errors import IntonateError, did_you_mean
from intonate.service.query import BAD, FORMATS, FULL, SLOW, TAKEN, TOO_LONG, Closed, parse, subprotocol
from intonate.service.sessions import AnyStream, Session, new_samples
from intonate.service.state import House

# A message is heard in pieces this long, so that others get their turn.
PIECE_S = 0.25


async def serve(ws: WebSocket, house: House) -> None:
    """One connection, from handshake to close."""
    await ws.accept(subprotocol=subprotocol(ws))
    house.metrics.connections.inc()
    close = 1000
    try:
        if house.connections >= house.settings.limits.connections:
            raise Closed(FULL, "full", "the service has as many connections as it takes; try again later")
        house.connections += 1
        try:
            await _Connection(ws, house).run()
        finally:
            house.connections -= 1
    except Closed as end:
        close = end.close
        await _say_goodbye(ws, end)
    except (WebSocketDisconnect, RuntimeError, OSError):
        close = 1006  # the client is gone, or was told to go, in the middle of something
    except IntonateError as error:
        close = BAD
        await _say_goodbye(ws, Closed(BAD, "audio", str(error)))
    finally:
        house.metrics.connections.dec()
        house.metrics.closed.labels(close).inc()


class _Connection:
    def __init__(self, ws: WebSocket, house: House) -> None:
        self._ws, self._house, self._limits = ws, house, house.settings.limits
        self._query = parse(ws, house.settings)
        self._rest = b""  # the beginning of a sample whose end has not come yet

    async def run(self) -> None:
        session, resumed, again = await self._session()
        if session.leave is not None:
            session.leave()
        session.connection, session.leave = self, self._make_way
        try:
            async with session.lock:  # until the connection before has heard its last piece
                again = session.after(self._query.seq) or [] if resumed else again
                await self._send(json.dumps(self._ready(session, resumed)))
            for event in again:
                await self._send(event[2])
            await self._listen(session)
            self._house.sessions.drop(session)
        finally:
            self._house.sessions.leave(session, self)
            self._house.metrics.sessions.set(len(self._house.sessions))

    async def _session(self) -> tuple[Session, bool, list[tuple[int, str, str]]]:
        """The session of this connection, whether it was there before, and the events that the client missed."""
        query, house = self._query, self._house
        old = house.sessions.find(query.session, query.asked) if query.session else None
        if old is not None and (missed := old.after(query.seq)) is not None:
            return old, True, missed
        streams = await house.in_stream_pool(self._streams)
        session = Session(query.asked, streams, query.rate_hz, house.words(query.rate_hz))
        house.sessions.add(session)
        house.metrics.sessions.set(len(house.sessions))
        return session, False, []

    def _streams(self) -> dict[str, AnyStream]:
        query, models = self._query, self._house.settings.models
        return {name: models[name].stream(query.rate_hz, plain=query.plain, **query.options) for name in query.models}

    def _ready(self, session: Session, resumed: bool) -> dict[str, Any]:
        name, stream = next(iter(session.streams.items()))
        models = self._house.settings.models
        return {
            "type": "ready",
            "session": session.id,
            "resumed": resumed,
            "received": session.received,
            "rate": session.rate_hz,
            "model": name,
            "models": {name: list(models[name].spec.labels) for name in session.streams},
            "labels": list(models[name].spec.labels),
            "window": stream.window_s,
            "hop": stream.hop_s,
            "activity": stream.activity,
        }

    async def _listen(self, session: Session) -> None:
        while True:
            message = await self._receive()
            if message["type"] == "websocket.disconnect":
                raise WebSocketDisconnect(message.get("code", 1006))
            data = message.get("bytes")
            if data is not None:
                for piece in self._pieces(data, session.rate_hz):
                    await self._hear(session, piece)
            elif await self._command(session, message.get("text") or ""):
                return

    async def _receive(self) -> Any:
        try:
            async with asyncio.timeout(self._limits.idle_s):
                return await self._ws.receive()
        except TimeoutError:
            raise Closed(SLOW, "idle", f"nothing came for {self._limits.idle_s:g} s") from None

    def _pieces(self, data: bytes, rate_hz: int) -> Iterator[bytes]:
        """A message in whole samples, some at a time."""
        width = FORMATS[self._query.format]
        data = self._rest + data
        whole = len(data) - len(data) % width
        self._rest = data[whole:]
        step = max(1, round(PIECE_S * rate_hz)) * width
        for start in range(0, whole, step):
            yield data[start : min(start + step, whole)]

    async def _hear(self, session: Session, piece: bytes) -> None:
        came_at = time.monotonic()
        samples = new_samples(piece, self._query.format)
        async with session.lock:
            self._check_mine(session)
            if session.received + len(samples) > self._limits.session_s * session.rate_hz:
                raise Closed(TOO_LONG, "too_long", f"a session is at most {self._limits.session_s:g} s long")
            if session.completes(len(samples)):
                events = await self._house.in_stream_pool(session.push, samples)
            else:
                events = session.push(samples)
            session.received += len(samples)
            numbered = session.number([*events, *session.written(events, samples)])
        self._house.metrics.audio_seconds.inc(len(samples) / session.rate_hz)
        for _, kind, text in numbered:
            await self._send(text)
            self._house.metrics.events.labels(kind).inc()
        if numbered:
            self._house.metrics.window_seconds.observe(time.monotonic() - came_at)

    async def _command(self, session: Session, text: str) -> bool:
        """Do what a text message says; whether it was the last one."""
        try:
            command = json.loads(text)
            kind = command.get("type")
        except (ValueError, AttributeError, RecursionError):
            raise Closed(BAD, "message", 'text messages are JSON objects, e.g. {"type": "finish"}') from None
        if kind == "ping":
            await self._send(json.dumps({"type": "pong", "t": command.get("t")}))
            return False
        if kind != "finish":
            known = did_you_mean(str(kind), ("finish", "ping"))
            raise Closed(BAD, "message", f"message type {str(kind)[:50]!r} is not known; {known}")
        async with session.lock:
            self._check_mine(session)
            events = await self._house.in_stream_pool(session.finish)
            numbered = session.number([*events, *session.written(events)])
        for event in numbered:
            await self._send(event[2])
        # Nobody waits for the voice any more: now for the words, one utterance after the other.
        while session.words is not None and await session.words.next():
            async with session.lock:
                self._check_mine(session)
                numbered = session.number(session.written(()))
            for event in numbered:
                await self._send(event[2])
        await self._send('{"type":"done"}')
        await self._ws.close()
        return True

    async def _send(self, text: str) -> None:
        try:
            async with asyncio.timeout(self._limits.send_s):
                await self._ws.send_text(text)
        except TimeoutError:
            raise Closed(SLOW, "slow", f"you did not read for {self._limits.send_s:g} s") from None

    def _check_mine(self, session: Session) -> None:
        if session.connection is not self:
            raise Closed(TAKEN, "taken", "another connection took this session over")

    def _make_way(self) -> None:
        taken = Closed(TAKEN, "taken", "another connection took this session over")
        self._house.in_background(_say_goodbye(self._ws, taken))


async def _say_goodbye(ws: WebSocket, end: Closed) -> None:
    """Tell the client why, if it still listens, and close."""
    error = json.dumps({"type": "error", "error": str(end), "code": end.code})
    with contextlib.suppress(RuntimeError, OSError, WebSocketDisconnect, TimeoutError):
        if end.code != "slow" and ws.application_state is WebSocketState.CONNECTED:
            async with asyncio.timeout(1.0):
                await ws.send_text(error)
    with contextlib.suppress(RuntimeError, OSError, WebSocketDisconnect):
        # A reason is 123 bytes at most (RFC 6455, 5.5).
        await ws.close(end.close, str(end).encode()[:120].decode(errors="ignore"))
