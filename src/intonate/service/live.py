"""`WS /v1/stream`: sound in, events out, one coroutine per connection.

A connection reads, computes and sends in turn, so a client that sends too fast or reads too slowly holds up only
itself: TCP makes it wait. The models run in a pool of threads; a long message is processed piece by piece, each of
them queueing behind the other connections'.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Iterator
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from intonate.audio import kinds
from intonate.errors import IntonateError, did_you_mean
from intonate.service.query import BAD, FULL, SLOW, TAKEN, TOO_LONG, ConnectionEnd, parse, subprotocol
from intonate.service.samples import ENCODINGS, check_beginning, gateway_sound
from intonate.service.sessions import AnyStream, Session
from intonate.service.state import ServiceState

# A message is processed in pieces this long, so that others get their turn.
PIECE_S = 0.25


async def serve(ws: WebSocket, state: ServiceState) -> None:
    """One connection, from handshake to close."""
    await ws.accept(subprotocol=subprotocol(ws))
    state.metrics.connections.inc()
    close = 1000
    try:
        if state.connections >= state.settings.limits.connections:
            raise ConnectionEnd(FULL, "full", "the service has as many connections as it takes; try again later")
        state.connections += 1
        try:
            await _Connection(ws, state).run()
        finally:
            state.connections -= 1
    except ConnectionEnd as end:
        close = end.close
        await _close_with_reason(ws, end)
    except (WebSocketDisconnect, RuntimeError, OSError):
        close = 1006  # the client is gone, or its session was taken over, in the middle of something
    except IntonateError as error:
        close = BAD
        await _close_with_reason(ws, ConnectionEnd(BAD, "audio", str(error)))
    finally:
        state.metrics.connections.dec()
        state.metrics.closed.labels(close).inc()


class _Connection:
    def __init__(self, ws: WebSocket, state: ServiceState) -> None:
        self._ws, self._state, self._limits = ws, state, state.settings.limits
        self._query = parse(ws, state.settings)
        self._head = b""  # the first bytes of this connection
        self._partial_sample = b""  # the beginning of a sample whose end has not come yet

    async def run(self) -> None:
        session, resumed, events = await self._session()
        if session.on_takeover is not None:
            session.on_takeover()
        session.connection, session.on_takeover = self, self._close_for_takeover
        try:
            async with session.lock:  # until the connection before has processed its last piece
                events = session.events_after(self._query.seq) or [] if resumed else events
                await self._send(json.dumps(self._ready_message(session, resumed)))
            for event in events:
                await self._send(event[2])
            await self._receive_all(session)
            self._state.sessions.drop(session)
        finally:
            self._state.sessions.release(session, self)
            self._state.metrics.sessions.set(len(self._state.sessions))

    async def _session(self) -> tuple[Session, bool, list[tuple[int, str, str]]]:
        """The session of this connection, whether it was there before, and the events that the client missed."""
        query, state = self._query, self._state
        known = state.sessions.find(query.session, query.settings_key) if query.session else None
        if known is not None and (missed := known.events_after(query.seq)) is not None:
            return known, True, missed
        streams = await state.in_stream_pool(self._streams)
        session = Session(query.settings_key, streams, query.rate_hz, state.stream_transcriber(query.rate_hz))
        state.sessions.add(session)
        state.metrics.sessions.set(len(state.sessions))
        return session, False, []

    def _streams(self) -> dict[str, AnyStream]:
        query, models = self._query, self._state.settings.models
        return {name: models[name].stream(query.rate_hz, plain=query.plain, **query.options) for name in query.models}

    def _ready_message(self, session: Session, resumed: bool) -> dict[str, Any]:
        name, stream = next(iter(session.streams.items()))
        models = self._state.settings.models
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

    async def _receive_all(self, session: Session) -> None:
        while True:
            message = await self._receive()
            if message["type"] == "websocket.disconnect":
                raise WebSocketDisconnect(message.get("code", 1006))
            data = message.get("bytes")
            if data is not None:
                await self._process_all(session, data)
            elif await self._run_command(session, message.get("text") or ""):
                return

    async def _process_all(self, session: Session, data: bytes) -> None:
        """The sound of one message, refused where it begins like something else than samples."""
        if len(self._head) < kinds.HEAD_BYTES:
            self._head += data[: kinds.HEAD_BYTES - len(self._head)]
            check_beginning(self._head, self._query.format)
        for piece in self._decode_pieces(data, session.rate_hz):
            await self._process(session, piece)

    async def _receive(self) -> Any:
        try:
            async with asyncio.timeout(self._limits.idle_s):
                return await self._ws.receive()
        except TimeoutError:
            raise ConnectionEnd(SLOW, "idle", f"nothing came for {self._limits.idle_s:g} s") from None

    def _decode_pieces(self, data: bytes, rate_hz: int) -> Iterator[bytes]:
        """A message in whole samples, some at a time."""
        width = ENCODINGS[self._query.format].width
        data = self._partial_sample + data
        whole = len(data) - len(data) % width
        self._partial_sample = data[whole:]
        step = max(1, round(PIECE_S * rate_hz)) * width
        for start in range(0, whole, step):
            yield data[start : min(start + step, whole)]

    async def _process(self, session: Session, piece: bytes) -> None:
        received_at = time.monotonic()
        samples = ENCODINGS[self._query.format].decode(piece)
        async with session.lock:
            self._check_owner(session)
            if session.received + len(samples) > self._limits.session_s * session.rate_hz:
                raise ConnectionEnd(TOO_LONG, "too_long", f"a session is at most {self._limits.session_s:g} s long")
            if session.completes(len(samples)):
                events = await self._state.in_stream_pool(session.push, samples)
            else:
                events = session.push(samples)
            session.received += len(samples)
            messages = session.encode_events([*events, *session.transcripts(events, samples)])
        self._state.metrics.audio_seconds.inc(len(samples) / session.rate_hz)
        for _, kind, text in messages:
            await self._send(text)
            self._state.metrics.events.labels(kind).inc()
        if messages:
            self._state.metrics.window_seconds.observe(time.monotonic() - received_at)

    async def _run_command(self, session: Session, text: str) -> bool:
        """Carry out the command of a text message; whether it was the last one."""
        try:
            command = json.loads(text)
            kind = command.get("type")
        except (ValueError, AttributeError, RecursionError):
            raise ConnectionEnd(BAD, "message", 'text messages are JSON objects, e.g. {"type": "finish"}') from None
        if kind is None and "event" in command:
            sound = gateway_sound(command, self._query.format, session.rate_hz)
            if sound is not None:
                await self._process_all(session, sound)
                return False
            kind = "finish"
        if kind == "ping":
            await self._send(json.dumps({"type": "pong", "t": command.get("t")}))
            return False
        if kind != "finish":
            known = did_you_mean(str(kind), ("finish", "ping"))
            raise ConnectionEnd(BAD, "message", f"message type {str(kind)[:50]!r} is not known; {known}")
        async with session.lock:
            self._check_owner(session)
            events = await self._state.in_stream_pool(session.finish)
            messages = session.encode_events([*events, *session.transcripts(events)])
        for event in messages:
            await self._send(event[2])
        # All windows are answered; the transcripts follow, one utterance after the other.
        while session.stream_transcriber is not None and await session.stream_transcriber.wait():
            async with session.lock:
                self._check_owner(session)
                messages = session.encode_events(session.transcripts(()))
            for event in messages:
                await self._send(event[2])
        await self._send('{"type":"done"}')
        await self._ws.close()
        return True

    async def _send(self, text: str) -> None:
        try:
            async with asyncio.timeout(self._limits.send_s):
                await self._ws.send_text(text)
        except TimeoutError:
            raise ConnectionEnd(SLOW, "slow", f"you did not read for {self._limits.send_s:g} s") from None

    def _check_owner(self, session: Session) -> None:
        if session.connection is not self:
            raise ConnectionEnd(TAKEN, "taken", "another connection took this session over")

    def _close_for_takeover(self) -> None:
        end = ConnectionEnd(TAKEN, "taken", "another connection took this session over")
        self._state.in_background(_close_with_reason(self._ws, end))


async def _close_with_reason(ws: WebSocket, end: ConnectionEnd) -> None:
    """Send the reason, if the client still reads, and close."""
    error = json.dumps({"type": "error", "error": str(end), "code": end.code})
    with contextlib.suppress(RuntimeError, OSError, WebSocketDisconnect, TimeoutError):
        if end.code != "slow" and ws.application_state is WebSocketState.CONNECTED:
            async with asyncio.timeout(1.0):
                await ws.send_text(error)
    with contextlib.suppress(RuntimeError, OSError, WebSocketDisconnect):
        # A reason is 123 bytes at most (RFC 6455, 5.5).
        await ws.close(end.close, str(end).encode()[:120].decode(errors="ignore"))
