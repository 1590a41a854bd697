"""`WS /v1/stream`: sound in, events out, two coroutines per connection.

One reads: it answers pings at once, whatever the models are doing, and queues the sound when there is enough of it for
an answer, some seconds of it at most (TCP makes a client wait that sends faster). Most messages are sound that is not
yet enough: uvicorn's protocol hands those over itself, and the reader sleeps on. The other takes the sound piece by
piece to the models, which run in a pool of threads, and sends their events: a client that reads too slowly holds up
only itself. Whether a stream is behind its sound is seen here, and told: a `behind` event says by how much, and again
when it has caught up.
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
from intonate.service.load import LagClock
from intonate.service.protocol import DIRECT, GOODBYE, LOST
from intonate.service.query import BAD, FULL, RESTART, SLOW, TAKEN, TOO_LONG, ConnectionEnd, decoded, parse, subprotocol
from intonate.service.relay import relay
from intonate.service.replies import RETRY_AFTER_S
from intonate.service.samples import ENCODINGS, beginning, check_beginning, gateway_sound
from intonate.service.sessions import AnyStream, Session
from intonate.service.state import ServiceState

# Sound is processed in pieces this long, so that others get their turn, and seldom in shorter ones: what comes in tens
# of milliseconds is put together first, until it completes a window.
PIECE_S = 0.5
# What a message that waits takes beside its sound.
MESSAGE_BYTES = 128
GOODBYE_S = 2.0  # for a client to close after `done`, seconds


async def serve(ws: WebSocket, state: ServiceState) -> None:
    """One connection, from handshake to close."""
    if await _is_relayed(ws, state):
        return
    await ws.accept(subprotocol=subprotocol(ws))
    state.metrics.connections.inc()
    close = 1000
    try:
        connection = _Connection(ws, state)
        state.streams.add(connection)
        try:
            await connection.run()
        finally:
            state.streams.discard(connection)
    except ConnectionEnd as end:
        close = end.close
        await _close_with_reason(ws, end)
    except (WebSocketDisconnect, RuntimeError, OSError):
        close = LOST  # the client is gone, or its session was taken over, in the middle of something
    except IntonateError as error:
        close = BAD
        await _close_with_reason(ws, ConnectionEnd(BAD, "audio", str(error)))
    finally:
        state.metrics.connections.dec()
        state.metrics.closed.labels(close).inc()


async def _is_relayed(ws: WebSocket, state: ServiceState) -> bool:
    """Whether another process had the session and has answered."""
    owner = None if state.place is None else state.place.owner(ws.query_params.get("session", ""))
    task = asyncio.current_task()
    if owner is None or task is None:
        return False
    state.relays.add(task)
    try:
        return await relay(ws, owner, state.settings.limits.message_bytes)
    finally:
        state.relays.discard(task)


class _Connection:
    def __init__(self, ws: WebSocket, state: ServiceState) -> None:
        self._ws, self._state, self._limits = ws, state, state.settings.limits
        self._query = parse(ws, state.settings)
        self._head = b""  # the first bytes of this connection
        self._queue: asyncio.Queue[tuple[float, bytes | str | Exception]] = asyncio.Queue()
        self._pending_bytes = 0  # of the queue, of what is processed now, and of what is not queued yet
        self._width = ENCODINGS[self._query.format].width
        self._unqueued = bytearray()  # less than a window, what comes while one is computed, a piece of a sample
        self._due_at = 0.0  # since when there is a window in it; 0 for not yet
        self._has_room = asyncio.Event()
        self._idle_timer: asyncio.TimerHandle | None = None
        self._waiting_since = time.monotonic()  # for the next message
        self._is_gone = False
        self._clock = LagClock()

    async def run(self) -> None:
        session, is_resumed, events = await self._session()
        if session.on_takeover is not None:
            session.on_takeover()
        session.connection, session.on_takeover = self, self._close_for_takeover
        reader_task: asyncio.Task[None] | None = None
        try:
            async with session.lock:  # until the connection before has processed its last piece
                events = session.events_after(self._query.seq) or [] if is_resumed else events
                await self._send(json.dumps(self._ready_message(session, is_resumed)))
            for event in events:
                await self._send(event[2])
            reader_task = asyncio.create_task(self._read(session))
            self._watch_idleness()
            if self._state.is_stopping:
                self.stop()
            await self._work(session)
            if self._ws.client is not None:  # else a relay said goodbye, who cannot tell whether its client had it all
                self._state.sessions.drop(session)
        finally:
            if reader_task is not None:
                reader_task.cancel()
            if self._idle_timer is not None:
                self._idle_timer.cancel()
            self._state.sessions.release(session, self)
            self._state.metrics.sessions.set(len(self._state.sessions))

    def stop(self) -> None:
        """The service stops: end after what was read."""
        sentence = "the service stops; connect again, it may be started anew"
        self._end_after_queue(ConnectionEnd(RESTART, "stopping", sentence))

    def _end_after_queue(self, error: Exception) -> None:
        """Process the sound that is there, and end with an error."""
        self._queue_sound()
        self._queue.put_nowait((0.0, error))

    def _watch_idleness(self) -> None:
        """End where nothing came for too long: looked at when it might be so, and not with each message."""
        left_s = self._waiting_since + self._limits.idle_s - time.monotonic()
        if left_s <= 0 and self._pending_bytes == len(self._unqueued):
            self._end_after_queue(ConnectionEnd(SLOW, "idle", f"nothing came for {self._limits.idle_s:g} s"))
            return
        wait_s = left_s if left_s > 0 else self._limits.idle_s  # what came is still being processed
        self._idle_timer = asyncio.get_running_loop().call_later(wait_s, self._watch_idleness)

    async def _session(self) -> tuple[Session, bool, list[tuple[int, str, str]]]:
        """The session of this connection, whether it was there before, and the events that the client missed."""
        query, state = self._query, self._state
        kept_session = state.sessions.find(query.session, query.settings_key) if query.session else None
        if kept_session is None or (missed := kept_session.events_after(query.seq)) is None:
            self._check_room()
            streams = await state.in_stream_pool(self._streams)
            session = Session(query.settings_key, streams, query.rate_hz, state.stream_transcriber(query.rate_hz))
            state.sessions.add(session)
            state.metrics.sessions.set(len(state.sessions))
            return session, False, []
        return kept_session, True, missed

    def _check_room(self) -> None:
        """Refuse a stream that would make those that run wait; one that comes back has its place."""
        if len(self._state.streams) > self._limits.connections:
            raise ConnectionEnd(FULL, "full", "the service has as many connections as it takes; try again later")
        if not self._state.load.has_room(len(self._state.streams) - 1):
            raise ConnectionEnd(FULL, "busy", "the service is busy with the streams that it has; try again later")
        self._state.load.admit()

    def _streams(self) -> dict[str, AnyStream]:
        query, models = self._query, self._state.settings.models
        return {name: models[name].stream(query.rate_hz, plain=query.plain, **query.options) for name in query.models}

    def _ready_message(self, session: Session, is_resumed: bool) -> dict[str, Any]:
        name, stream = next(iter(session.streams.items()))
        models = self._state.settings.models
        return {
            "type": "ready",
            "session": session.id,
            "resumed": is_resumed,
            "received": session.received,
            "rate": session.rate_hz,
            "model": name,
            "models": {name: list(models[name].spec.labels) for name in session.streams},
            "labels": list(models[name].spec.labels),
            "multi_label": models[name].spec.multi_label,
            "dimensions": list(models[name].spec.dimensions),
            "window": stream.window_s,
            "hop": stream.hop_s,
            "activity": stream.activity,
        }

    # Reading

    async def _read(self, session: Session) -> None:
        """Queue what comes, until the last message; how it ended is queued, too."""
        most_bytes = self._limits.pending_s * session.rate_hz * self._width

        def take(data: bytes) -> bool:
            if len(self._head) < kinds.HEAD_BYTES or self._pending_bytes > most_bytes:
                return False  # something is to be checked, or waited for
            self._waiting_since = time.monotonic()
            self._collect(session, data)
            return True

        set_take = self._ws.scope["extensions"][DIRECT]
        set_take(take)
        try:
            while True:
                self._waiting_since = time.monotonic()
                message = await self._ws.receive()
                if message["type"] == "websocket.disconnect":
                    raise WebSocketDisconnect(message.get("code", LOST))
                data = message.get("bytes")
                if data is None:
                    data = await self._run_command(message.get("text") or "", session.rate_hz)
                if data is None:
                    return
                self._collect(session, data)
                while self._pending_bytes > most_bytes:
                    self._has_room.clear()
                    await self._has_room.wait()
        except (WebSocketDisconnect, RuntimeError, OSError) as error:
            self._is_gone = True  # what is still to be processed comes again with the next connection
            self._queue.put_nowait((0.0, error))
        except (ConnectionEnd, IntonateError) as error:
            self._end_after_queue(error)
        finally:
            set_take(None)

    def _collect(self, session: Session, data: bytes) -> None:
        """Put sound to what came before, and queue it where it completes a window and none is computed.

        Raises:
            AudioError: the connection begins like something else than samples.
        """
        if len(self._head) < kinds.HEAD_BYTES:
            self._head = beginning(self._head + data)
            check_beginning(self._head, self._query.format)
        is_idle = self._pending_bytes == len(self._unqueued)
        self._unqueued += data
        self._pending_bytes += len(data)
        if not self._due_at and self._is_due(session):
            self._due_at = time.monotonic()
        if is_idle and self._due_at:
            self._queue_sound()

    def _is_due(self, session: Session) -> bool:
        """Whether what is not queued completes a window, or is much."""
        samples = len(self._unqueued) // self._width
        return samples >= PIECE_S * session.rate_hz or session.completes(samples)

    def _queue_sound(self) -> None:
        """Queue the whole samples that wait for it."""
        whole_bytes = len(self._unqueued) - len(self._unqueued) % self._width
        if whole_bytes:
            self._queue.put_nowait((self._due_at or time.monotonic(), bytes(self._unqueued[:whole_bytes])))
            self._due_at = 0.0
            del self._unqueued[:whole_bytes]
            self._pending_bytes += MESSAGE_BYTES

    async def _run_command(self, text: str, rate_hz: int) -> bytes | None:
        """Carry out the command of a text message: the sound in it, or None where it was the last one."""
        command = decoded(text)
        kind = command.get("type")
        if kind is None and "event" in command:
            sound = gateway_sound(command, self._query.format, rate_hz)
            if sound is not None:
                return sound
            kind = "finish"
        if kind == "ping":
            await self._send(json.dumps({"type": "pong", "t": command.get("t")}))
            return b""
        if kind != "finish":
            expected_kinds = did_you_mean(str(kind), ("finish", "ping"))
            raise ConnectionEnd(BAD, "message", f"message type {str(kind)[:50]!r} is not known; {expected_kinds}")
        self._queue_sound()
        self._queue.put_nowait((time.monotonic(), "finish"))
        return None

    # Processing

    async def _work(self, session: Session) -> None:
        """Process what was queued, in order, until the end."""
        while True:
            arrived_at, item = await self._queue.get()
            if isinstance(item, bytes):
                await self._process_all(session, item, arrived_at)
                self._pending_bytes -= len(item) + MESSAGE_BYTES
                if self._is_due(session):  # what came meanwhile, in one piece
                    self._queue_sound()
                self._has_room.set()
                await self._tell_lag(session)
            elif isinstance(item, str):
                await self._finish(session)
                await self._send('{"type":"done"}')
                await self._ws.close()
                await self._wait_for_goodbye()
                return
            else:
                if isinstance(item, ConnectionEnd) and item.close == RESTART:
                    await self._finish(session)
                raise item

    async def _process_all(self, session: Session, data: bytes, arrived_at: float) -> None:
        """Sound from the queue."""
        self._clock.sound_came(arrived_at, session.received / session.rate_hz)
        for piece in self._pieces(data, session.rate_hz):
            if self._is_gone:
                raise WebSocketDisconnect(LOST)
            await self._process(session, piece, arrived_at)

    def _pieces(self, data: bytes, rate_hz: int) -> Iterator[bytes]:
        """Sound, some at a time."""
        step = max(1, round(PIECE_S * rate_hz)) * self._width
        for start in range(0, len(data), step):
            yield data[start : start + step]

    async def _process(self, session: Session, piece: bytes, arrived_at: float) -> None:
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
        self._state.load.sound_s += len(samples) / session.rate_hz
        self._state.metrics.audio_seconds.inc(len(samples) / session.rate_hz)
        for _, kind, text in messages:
            await self._send(text)
            self._state.metrics.events.labels(kind).inc()
        if messages:
            self._state.metrics.window_seconds.observe(time.monotonic() - arrived_at)

    async def _tell_lag(self, session: Session) -> None:
        """Say how far the answers are behind the sound, where that is news."""
        if self._queue.empty():
            self._clock.caught_up()
        lag_s = self._clock.news(session.received / session.rate_hz)
        if lag_s is not None:
            if lag_s:
                self._state.metrics.behind.inc()
            await self._send(json.dumps({"type": "behind", "seconds": round(lag_s, 1), "received": session.received}))

    async def _finish(self, session: Session) -> None:
        """Send the rest of the answers; no more sound comes."""
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

    async def _wait_for_goodbye(self) -> None:
        """Until the client has closed, too: one that is lost before may lack the last answers, and comes back for them.

        Raises:
            WebSocketDisconnect, TimeoutError: it is lost.
        """
        async with asyncio.timeout(GOODBYE_S):
            if not await self._ws.scope["extensions"][GOODBYE]:
                raise WebSocketDisconnect(LOST)

    async def _send(self, text: str) -> None:
        try:
            async with asyncio.timeout(self._limits.send_s):
                await self._ws.send_text(text)
        except TimeoutError:
            raise ConnectionEnd(SLOW, "slow", f"you did not read for {self._limits.send_s:g} s") from None

    def _check_owner(self, session: Session) -> None:
        if session.connection is not self:
            raise _taken()

    def _close_for_takeover(self) -> None:
        self._state.in_background(_close_with_reason(self._ws, _taken()))


def _taken() -> ConnectionEnd:
    return ConnectionEnd(TAKEN, "taken", "another connection took this session over")


async def _close_with_reason(ws: WebSocket, end: ConnectionEnd) -> None:
    """Send the reason, if the client still reads, and close."""
    error: dict[str, Any] = {"type": "error", "error": str(end), "code": end.code}
    if end.close == FULL:
        error["retry_after"] = RETRY_AFTER_S
    with contextlib.suppress(RuntimeError, OSError, WebSocketDisconnect, TimeoutError):
        if end.code != "slow" and ws.application_state is WebSocketState.CONNECTED:
            async with asyncio.timeout(1.0):
                await ws.send_text(json.dumps(error))
    with contextlib.suppress(RuntimeError, OSError, WebSocketDisconnect):
        # A reason is 123 bytes at most (RFC 6455, 5.5).
        await ws.close(end.close, str(end).encode()[:120].decode(errors="ignore"))
