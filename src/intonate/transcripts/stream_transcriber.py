"""Transcripts in a stream: each utterance goes to the recogniser of speech when it has ended.

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

# Of an utterance that is longer than this, seconds, only the end is transcribed.
LONGEST_S = 60.0
# A recogniser is given this much before and after an utterance too, seconds: soft first and last consonants lie there.
MARGIN_S = 0.3
# Utterances that wait for the recogniser; one that ends while so many wait gets no transcript.
QUEUE_LIMIT = 16


class TimedEvent(Protocol):
    """An event of a stream, as far as it is used here: the times of a `final`, an utterance that has ended."""

    @property
    def type(self) -> str: ...
    @property
    def start_s(self) -> float: ...
    @property
    def end_s(self) -> float: ...


Submit: TypeAlias = Callable[[tuple[NDArray[Any], int]], Future[Transcript]]


@dataclass(frozen=True, slots=True)
class TranscriptEvent:
    """The transcript of an utterance; its times are those of its `final`."""

    start_s: float
    end_s: float
    text: str
    type: str = "transcript"

    def to_dict(self) -> dict[str, Any]:
        times = {"start": round(self.start_s, 3), "end": round(self.end_s, 3)}
        return {"type": self.type, **times, "transcript": self.text}


@dataclass(eq=False, slots=True)
class StreamTranscriber:
    """The sound of one stream that may still be written down, and what is being written.

    Attributes:
        submit: hands (samples (n,), rate in Hz) to the recogniser.
        rate_hz: of the samples.
    """

    submit: Submit
    rate_hz: int
    _recent_blocks: deque[NDArray[Any]] = field(default_factory=deque)
    _first_sample: int = 0  # the sample that `_recent_blocks` starts with
    _end_sample: int = 0
    _queue: deque[tuple[float, float, Future[Transcript]]] = field(default_factory=deque)

    def update(self, events: Iterable[TimedEvent], samples: NDArray[Any] | None = None) -> list[TranscriptEvent]:
        """Keep the newest samples, queue the utterances that ended with them; return the transcripts that are ready."""
        if samples is not None:
            self.push(samples)
        for event in events:
            if event.type == "final":
                self.submit_utterance(event.start_s, event.end_s)
        return self.ready_transcripts()

    def push(self, samples: NDArray[Any]) -> None:
        """Keep the newest samples, and forget those that no utterance needs any more."""
        self._recent_blocks.append(samples)
        self._end_sample += len(samples)
        while self._end_sample - self._first_sample - len(self._recent_blocks[0]) >= LONGEST_S * self.rate_hz:
            self._first_sample += len(self._recent_blocks.popleft())

    def submit_utterance(self, start_s: float, end_s: float) -> None:
        """Queue an utterance that has ended."""
        times_s = (start_s - MARGIN_S, end_s + MARGIN_S)
        start, end = (max(0, round(time_s * self.rate_hz) - self._first_sample) for time_s in times_s)
        samples = np.concatenate([*self._recent_blocks])[start:end] if self._recent_blocks else np.zeros(0, np.float32)
        if len(samples) and len(self._queue) < QUEUE_LIMIT:
            self._queue.append((start_s, end_s, self.submit((samples, self.rate_hz))))

    def ready_transcripts(self) -> list[TranscriptEvent]:
        """The transcripts that are ready and were not returned yet, in the order of their utterances."""
        transcripts = []
        while self._queue and self._queue[0][2].done():
            start_s, end_s, future = self._queue.popleft()
            # A sound that cannot be transcribed is no reason to end a stream.
            text = "" if future.cancelled() or future.exception() else future.result().text
            if text:
                transcripts.append(TranscriptEvent(start_s, end_s, text))
        return transcripts

    async def wait(self) -> bool:
        """Wait until `ready_transcripts` has more; False where the queue is empty."""
        if not self._queue:
            return False
        await asyncio.wait([asyncio.wrap_future(self._queue[0][2])])
        return True
