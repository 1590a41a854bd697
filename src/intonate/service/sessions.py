"""Sessions: what a WebSocket was hearing, kept for a while when its connection is lost.

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

import numpy as np
from numpy.typing import NDArray

from intonate.recognizer.plain_stream import PlainStream
from intonate.recognizer.streaming import Event, Stream
from intonate.transcripts.words import Said, Words

# Ten minutes of one model at two events a second; a client that missed more begins anew.
BACKLOG_EVENTS = 1200

AnyStream = Stream | PlainStream


@dataclass(eq=False, slots=True)
class Session:
    """One voice, heard by one or several models.

    Attributes:
        asked: what the query said; a session can be resumed only by the same.
        streams: {model name: stream}.
        rate_hz: of the samples.
        words: has what is said written down; None for nothing.
        id: a secret: who has it can resume the session.
        received: samples so far.
        seq: number of the last event.
        events: the last ones, (seq, type, JSON).
        lock: held while samples are heard.
        connection: identity of the connection that owns it now; None where it waits for one.
        leave: tells the connection that owns it that another one took it over.
        left_at: when the connection was lost (`time.monotonic`).
    """

    asked: str
    streams: Mapping[str, AnyStream]
    rate_hz: int
    words: Words | None = None
    id: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    received: int = 0
    seq: int = 0
    events: deque[tuple[int, str, str]] = field(default_factory=lambda: deque(maxlen=BACKLOG_EVENTS))
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    connection: object | None = None
    leave: Callable[[], None] | None = None
    left_at: float = 0.0

    def completes(self, samples: int) -> bool:
        """Whether so many more samples complete a window, and need more than a moment."""
        return any(stream.completes(samples) for stream in self.streams.values())

    def push(self, samples: NDArray[Any]) -> list[tuple[str, Event]]:
        """(model, event) of what the samples bring."""
        return [(name, event) for name, stream in self.streams.items() for event in stream.push(samples)]

    def finish(self) -> list[tuple[str, Event]]:
        return [(name, event) for name, stream in self.streams.items() for event in stream.finish()]

    def written(
        self, events: Sequence[tuple[str, Event]], samples: NDArray[Any] | None = None
    ) -> list[tuple[str, Said]]:
        """Give the samples and the utterances of the first model to be written down; (model, words) that are ready."""
        if self.words is None:
            return []
        first = next(iter(self.streams))
        own = [event for name, event in events if name == first]
        return [(first, said) for said in self.words.follow(own, samples)]

    def number(self, events: Sequence[tuple[str, Event | Said]]) -> list[tuple[int, str, str]]:
        """The events as they are sent, numbered and remembered."""
        numbered = []
        for name, event in events:
            self.seq += 1
            shape = event.to_dict() | {"model": name, "seq": self.seq, "received": self.received}
            numbered.append((self.seq, event.type, json.dumps(shape, separators=(",", ":"))))
        self.events.extend(numbered)
        return numbered

    def after(self, seq: int) -> list[tuple[int, str, str]] | None:
        """The events after number `seq`; None where some are forgotten, or it was never reached."""
        if seq > self.seq or (self.events and seq < self.events[0][0] - 1):
            return None
        return [event for event in self.events if event[0] > seq]


class Sessions:
    """All sessions of a service."""

    def __init__(self, resume_s: float, most: int) -> None:
        self._resume_s, self._most = resume_s, most
        self._sessions: dict[str, Session] = {}

    def __len__(self) -> int:
        return len(self._sessions)

    def add(self, session: Session) -> None:
        """Keep a session; where there are too many, the one that has waited longest is forgotten."""
        self._forget_old()
        waiting = sorted(
            (one for one in self._sessions.values() if one.connection is None), key=lambda one: one.left_at
        )
        for one in waiting[: max(0, len(self._sessions) + 1 - self._most)]:
            self.drop(one)
        self._sessions[session.id] = session

    def find(self, id: str, asked: str) -> Session | None:
        """The session of that id, if it is still there and was asked for the same."""
        self._forget_old()
        session = self._sessions.get(id)
        return session if session is not None and session.asked == asked else None

    def leave(self, session: Session, connection: object) -> None:
        """A connection is lost: the session waits, unless another connection has it already."""
        if session.connection is connection:
            session.connection, session.leave, session.left_at = None, None, time.monotonic()

    def drop(self, session: Session) -> None:
        self._sessions.pop(session.id, None)

    def clear(self) -> None:
        self._sessions.clear()

    def sweep(self) -> None:
        """Forget the sessions that nobody came back for."""
        self._forget_old()

    def _forget_old(self) -> None:
        oldest = time.monotonic() - self._resume_s
        for session in [one for one in self._sessions.values() if one.connection is None and one.left_at < oldest]:
            self.drop(session)


def new_samples(data: bytes, sample_format: str) -> NDArray[Any]:
    """Little-endian PCM as numpy reads it."""
    return np.frombuffer(data, "<i2" if sample_format == "s16le" else "<f4")
