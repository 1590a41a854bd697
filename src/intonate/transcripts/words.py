"""What is said in a stream: each utterance goes to the recogniser of speech when it has ended.

The answers about the voice never wait for it: it has a thread of its own, and its words come later, as events of their
own, with the next sound that arrives.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from intonate.transcripts.recognisers import Transcript

# Of an utterance that is longer than this, seconds, only the end is written down.
LONGEST_S = 60.0
# A recogniser is given this much before and after an utterance too, seconds: soft first and last consonants lie there.
MARGIN_S = 0.3
# Utterances that wait for the recogniser; one that ends while so many wait stays without words.
WAITING = 16


class Event(Protocol):
    """What a stream tells; of a `final`, an utterance that has ended, the times are used."""

    @property
    def type(self) -> str: ...
    @property
    def start_s(self) -> float: ...
    @property
    def end_s(self) -> float: ...


Submit: TypeAlias = Callable[[tuple[NDArray[Any], int]], Future[Transcript]]


@dataclass(frozen=True, slots=True)
class Said:
    """The words of an utterance; its times are those of its `final`."""

    start_s: float
    end_s: float
    text: str
    type: str = "transcript"

    def to_dict(self) -> dict[str, Any]:
        times = {"start": round(self.start_s, 3), "end": round(self.end_s, 3)}
        return {"type": self.type, **times, "transcript": self.text}


@dataclass(eq=False, slots=True)
class Words:
    """The sound of one stream that may still be written down, and what is being written.

    Attributes:
        submit: hands (samples (n,), rate in Hz) to the recogniser.
        rate_hz: of the samples.
    """

    submit: Submit
    rate_hz: int
    _held: deque[NDArray[Any]] = field(default_factory=deque)
    _first: int = 0  # the sample that `_held` starts with
    _last: int = 0
    _waiting: deque[tuple[float, float, Future[Transcript]]] = field(default_factory=deque)

    def follow(self, events: Iterable[Event], samples: NDArray[Any] | None = None) -> list[Said]:
        """Remember the newest samples, have the utterances that ended with them written down; the words of before."""
        if samples is not None:
            self.take(samples)
        for event in events:
            if event.type == "final":
                self.ended(event.start_s, event.end_s)
        return self.done()

    def take(self, samples: NDArray[Any]) -> None:
        """Remember the newest samples."""
        self._held.append(samples)
        self._last += len(samples)
        while self._last - self._first - len(self._held[0]) >= LONGEST_S * self.rate_hz:
            self._first += len(self._held.popleft())

    def ended(self, start_s: float, end_s: float) -> None:
        """An utterance has ended: have it written down."""
        times_s = (start_s - MARGIN_S, end_s + MARGIN_S)
        first, last = (max(0, round(time_s * self.rate_hz) - self._first) for time_s in times_s)
        sound = np.concatenate([*self._held])[first:last] if self._held else np.zeros(0, np.float32)
        if len(sound) and len(self._waiting) < WAITING:
            self._waiting.append((start_s, end_s, self.submit((sound, self.rate_hz))))

    def done(self) -> list[Said]:
        """What was written down since, in the order in which it was said."""
        found = []
        while self._waiting and self._waiting[0][2].done():
            start_s, end_s, future = self._waiting.popleft()
            # A sound that cannot be written down is no reason to end a stream.
            text = "" if future.cancelled() or future.exception() else future.result().text
            if text:
                found.append(Said(start_s, end_s, text))
        return found

    async def next(self) -> bool:
        """Wait until `done` has something more to tell; False where nothing waits."""
        if not self._waiting:
            return False
        await asyncio.wait([asyncio.wrap_future(self._waiting[0][2])])
        return True
