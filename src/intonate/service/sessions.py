"""Sessions: the state of a WebSocket's streams, kept for a while when its connection is lost.

A session is its streams (one per model) and its last events, in memory only. A client that comes back says which event
it has last; it gets the later ones again and sends its sound from where the session has it.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from intonate.recognizer.plain_stream import PlainStream
from intonate.recognizer.streaming import Event, Stream
from intonate.transcripts.stream_transcriber import StreamTranscriber, TranscriptEvent

# Ten minutes of one model at two events a second; a client that missed more begins anew.
BACKLOG_EVENTS = 1200

AnyStream = Stream | PlainStream


@dataclass(eq=False, slots=True)
class Session:
    """One voice, and one or several models that listen to it.

    Attributes:
        settings_key: of the query (`Query.settings_key`); only a query with the same can resume the session.
        streams: {model name: stream}.
        rate_hz: of the samples.
        stream_transcriber: transcribes the utterances; None for no transcripts.
        id: a secret: a client that has it can resume the session.
        received: samples so far.
        seq: number of the last event.
        events: the last ones, (seq, type, JSON).
        lock: held while samples are processed.
        connection: identity of the connection that owns it now; None where it waits for one.
        on_takeover: called when another connection takes the session over.
        lost_at: when the connection was lost (`time.monotonic`).
    """

    settings_key: str
    streams: Mapping[str, AnyStream]
    rate_hz: int
    stream_transcriber: StreamTranscriber | None = None
    id: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    received: int = 0
    seq: int = 0
    events: deque[tuple[int, str, str]] = field(default_factory=lambda: deque(maxlen=BACKLOG_EVENTS))
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    connection: object | None = None
    on_takeover: Callable[[], None] | None = None
    lost_at: float = 0.0

    def completes(self, samples: int) -> bool:
        """Whether so many more samples complete a window, and need more than a moment."""
        return any(stream.completes(samples) for stream in self.streams.values())

    def push(self, samples: NDArray[Any]) -> list[tuple[str, Event]]:
        """(model, event) for each event that the samples complete."""
        return [(name, event) for name, stream in self.streams.items() for event in stream.push(samples)]

    def finish(self) -> list[tuple[str, Event]]:
        return [(name, event) for name, stream in self.streams.items() for event in stream.finish()]

    def transcripts(
        self, events: Sequence[tuple[str, Event]], samples: NDArray[Any] | None = None
    ) -> list[tuple[str, TranscriptEvent]]:
        """Queue the utterances of the first model; (model, transcript) for each that is ready."""
        if self.stream_transcriber is None:
            return []
        model = next(iter(self.streams))
        model_events = [event for name, event in events if name == model]
        return [(model, event) for event in self.stream_transcriber.update(model_events, samples)]

    def encode_events(self, events: Sequence[tuple[str, Event | TranscriptEvent]]) -> list[tuple[int, str, str]]:
        """(number, type, JSON) of each event, as it is sent; kept for a client that comes back."""
        messages = []
        for name, event in events:
            self.seq += 1
            shape = event.to_dict() | {"model": name, "seq": self.seq, "received": self.received}
            messages.append((self.seq, event.type, json.dumps(shape, separators=(",", ":"))))
        self.events.extend(messages)
        return messages

    def events_after(self, seq: int) -> list[tuple[int, str, str]] | None:
        """The events after number `seq`; None where some are forgotten, or it was never reached."""
        if seq > self.seq or (self.events and seq < self.events[0][0] - 1):
            return None
        return [event for event in self.events if event[0] > seq]


class Sessions:
    """All sessions of a service."""

    def __init__(self, resume_s: float, limit: int, prefix: str = "") -> None:
        """Args: seconds that a lost one is kept, how many are, and what their names begin with."""
        self._resume_s, self._limit, self._prefix = resume_s, limit, prefix
        self._sessions: dict[str, Session] = {}

    def __len__(self) -> int:
        return len(self._sessions)

    def add(self, session: Session) -> None:
        """Keep a session; where there are too many, the one that has waited longest is forgotten."""
        self._forget_old()
        waiting = sorted(
            (candidate for candidate in self._sessions.values() if candidate.connection is None),
            key=lambda candidate: candidate.lost_at,
        )
        for candidate in waiting[: max(0, len(self._sessions) + 1 - self._limit)]:
            self.drop(candidate)
        session.id = self._prefix + session.id
        self._sessions[session.id] = session

    def find(self, id: str, settings_key: str) -> Session | None:
        """The session of that id, if it is still there and its settings are the same."""
        self._forget_old()
        session = self._sessions.get(id)
        return session if session is not None and session.settings_key == settings_key else None

    def release(self, session: Session, connection: object) -> None:
        """A connection is lost: the session waits, unless another connection has it already."""
        if session.connection is connection:
            session.connection, session.on_takeover, session.lost_at = None, None, time.monotonic()

    def drop(self, session: Session) -> None:
        self._sessions.pop(session.id, None)

    def clear(self) -> None:
        self._sessions.clear()

    def sweep(self) -> None:
        """Forget the sessions that were not resumed in time."""
        self._forget_old()

    def _forget_old(self) -> None:
        oldest_kept = time.monotonic() - self._resume_s
        for session in [
            session
            for session in self._sessions.values()
            if session.connection is None and session.lost_at < oldest_kept
        ]:
            self.drop(session)
