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
from dataclasses import dataclass
from typing import Any

from starlette.datastructures import QueryParams
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from intonate.errors import IntonateError, did_you_mean
from intonate.service.guard import TOKEN_PROTOCOL, bearer
from intonate.service.house import House
from intonate.service.sessions import Session, new_samples

PROTOCOL = "intonate.v1"
FORMATS = {"s16le": 2, "f32le": 4}
KNOWN = ("rate", "format", "model", "plain", "window", "hop", "labels", "activity", "session", "seq")
# A message is heard in pieces this long, so that others get their turn.
PIECE_S = 0.25
# Close codes (RFC 6455 leaves 4000-4999 to applications).
BAD, TOKEN, UNKNOWN_MODEL, SLOW, TAKEN, TOO_LONG, FULL, OURS = 4400, 4401, 4404, 4408, 4409, 4413, 4429, 1011


class Closed(Exception):
    """This connection must end: close code, a word for programs, and one sentence."""

    def __init__(self, close: int, code: str, error: str) -> None:
        super().__init__(error)
        self.close, self.code = close, code


@dataclass(frozen=True, slots=True)
class Query:
    """What a client asked for."""

    rate_hz: int
    format: str
    models: tuple[str, ...]
    plain: bool
    options: dict[str, Any]
    session: str
    seq: int

    @property
    def asked(self) -> str:
        return json.dumps([self.rate_hz, self.models, self.plain, self.options], sort_keys=True)


async def serve(ws: WebSocket, house: House) -> None:
    """One connection, from handshake to close."""
    await ws.accept(subprotocol=_subprotocol(ws))
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
        self._query = _parse(ws, house)
        self._rest = b""  # the beginning of a sample whose end has not come yet

    async def run(self) -> None:
        session, resumed, again = self._session()
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

    def _session(self) -> tuple[Session, bool, list[tuple[int, str, str]]]:
        """The session of this connection, whether it was there before, and the events that the client missed."""
        query, house = self._query, self._house
        old = house.sessions.find(query.session, query.asked) if query.session else None
        if old is not None and (missed := old.after(query.seq)) is not None:
            return old, True, missed
        models = {name: house.settings.models[name] for name in query.models}
        streams = {
            name: model.stream(query.rate_hz, plain=query.plain, **query.options) for name, model in models.items()
        }
        session = Session(query.asked, streams, query.rate_hz)
        house.sessions.add(session)
        house.metrics.sessions.set(len(house.sessions))
        return session, False, []

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
            numbered = session.number(events)
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
            numbered = session.number(await self._house.in_stream_pool(session.finish))
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


def _subprotocol(ws: WebSocket) -> str | None:
    """A browser hangs up unless one of those that it offered is chosen."""
    offered = ws.scope.get("subprotocols", [])
    return PROTOCOL if PROTOCOL in offered else next((one for one in offered if one.startswith(TOKEN_PROTOCOL)), None)


def _parse(ws: WebSocket, house: House) -> Query:
    shown = next((one for one in ws.scope.get("subprotocols", []) if one.startswith(TOKEN_PROTOCOL)), "")
    if not house.settings.token_matches(shown.removeprefix(TOKEN_PROTOCOL) or bearer(ws.headers)):
        how = f"offer the subprotocol {TOKEN_PROTOCOL}TOKEN, or send Authorization: Bearer TOKEN"
        raise Closed(TOKEN, "token", f"this service wants its token: {how}")
    query = ws.query_params
    if unknown := [name for name in query if name not in KNOWN]:
        raise Closed(
            BAD, "query", f"parameter {unknown[0][:50]!r} is not known; {did_you_mean(unknown[0][:50], KNOWN)}"
        )
    names = tuple(dict.fromkeys(query.getlist("model"))) or (house.settings.default,)
    if len(names) > house.settings.limits.models:
        raise Closed(
            BAD, "query", f"{len(names)} models were asked for, expected {house.settings.limits.models} at most"
        )
    for name in names:
        if name not in house.settings.models:
            known = did_you_mean(name[:50], house.settings.models)
            raise Closed(UNKNOWN_MODEL, "model", f"model {name[:50]!r} is not served here; {known}")
    sample_format = query.get("format", "s16le")
    if sample_format not in FORMATS:
        raise Closed(
            BAD, "query", f"format {sample_format[:50]!r} is not known; {did_you_mean(sample_format, FORMATS)}"
        )
    plain = query.get("plain", "0") in ("1", "true")
    options: dict[str, Any] = {"window_s": _number(query, "window", 2.0), "labels": query.get("labels") or None}
    if not plain:
        options |= {"hop_s": _number(query, "hop", 0.5), "activity": query.get("activity") or None}
    return Query(
        rate_hz=int(_number(query, "rate", 16_000.0)),
        format=sample_format,
        models=names,
        plain=plain,
        options=options,
        session=query.get("session", ""),
        seq=int(_number(query, "seq", 0.0)),
    )


def _number(query: QueryParams, name: str, default: float) -> float:
    text = query.get(name)
    try:
        number = default if text is None else float(text)
        if number == number and abs(number) < 1e9:
            return number
    except ValueError:
        pass
    raise Closed(BAD, "query", f"parameter {name}={(text or '')[:20]!r} is not a number that makes sense")
