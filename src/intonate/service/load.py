"""How busy the streams keep the service, as measured, and whether there is room for one more.

What counts is the processor time of the threads that compute for streams and of the one that talks to the clients, so
that uploads (which wait their turn) keep no stream away; and the lag: how long a window waits for a thread, and a
message for the loop, which also tells of other programs on the machine.
"""

from __future__ import annotations

import asyncio
import math
import threading
import time
from collections import deque
from collections.abc import Callable, MutableSequence, Sequence
from typing import Any, TypeVar

import numpy as np

from intonate.recognizer.recognizer import Recognizer

T = TypeVar("T")

# With a longer lag the streams that run are about to fall behind: no further one is taken, seconds.
MOST_LAG_S = 0.2
# Share of the processors that streams may keep busy: the rest is for what comes in bursts.
MOST_BUSY = 0.9
# Processors that the streams of one process may keep busy, whose threads wait for one lock: at 60 streams of `compact`,
# 1.1 of them, half of the answers come within 10 ms, at 80 (1.5) within a second (`benchmarks/service_load.py`).
MOST_BUSY_PROCESS = 1.2
# What a stream takes of the loop beside what computes for it, in processors: messages of 40 ms, and events.
LOOP_COST = 0.0035
# How often the load is looked at, and the time constant of its mean, seconds.
SAMPLE_S, MEAN_S = 0.25, 1.5
# A new stream has nothing to compute for this long; then it comes into the mean as the mean forgets, seconds.
FIRST_S, NEW_S = 1.0, 10.0
# Silence costs less than speech: what a stream needs is learnt from so much sound, seconds.
COST_MEAN_S = 300.0
# A stream is behind from so much on, and has caught up below so much; it is told again every so often, seconds.
BEHIND_S, CAUGHT_UP_S, TOLD_EVERY_S = 1.0, 0.3, 5.0
# The sound that is measured with at the start: seconds, loudness (full scale 1), syllables per second.
TRIAL_S, TRIAL_RMS, SYLLABLES_HZ = 4.0, 0.2, 4.0


class Load:
    """The load of the streams of one service.

    Args:
        processors: that the service may keep busy.
        table: how busy each process of the service keeps them, its new streams included; shared by all of them.
        place: that of this process in the table.

    Attributes:
        lag_s: how long a window waits to be computed, seconds, smoothed.
        busy: processors that the streams of this process keep busy, smoothed.
        stream_cost: processors that one stream needs.
        sound_s: sound of streams that was processed since the last look, seconds.
    """

    def __init__(self, processors: int, table: MutableSequence[float] | None = None, place: int = 0) -> None:
        self._processors = processors
        self._table, self._place = [0.0] if table is None else table, place
        self.lag_s = self.busy = self.stream_cost = self.sound_s = 0.0
        self._new: deque[float] = deque()
        self._lock = threading.Lock()
        self._waits_s: list[float] = []
        self._computed_s = 0.0

    def run(self, queued_at: float, work: Callable[..., T], *args: Any) -> T:
        """The result of work that was queued then (`time.monotonic`), in the thread that calls this."""
        wait_s, before_s = time.monotonic() - queued_at, time.thread_time()
        try:
            return work(*args)
        finally:
            with self._lock:
                self._waits_s.append(wait_s)
                self._computed_s += time.thread_time() - before_s

    def has_room(self, streams: int) -> bool:
        """Whether one more stream leaves the `streams` that run in time; where none does, the first is taken."""
        self._publish()
        is_free = (
            sum(self._table) + self.stream_cost <= MOST_BUSY * self._processors
            and self._table[self._place] + self.stream_cost <= MOST_BUSY_PROCESS
        )
        return not streams or (self.lag_s <= MOST_LAG_S and is_free)

    def admit(self) -> None:
        """Count a new stream."""
        self._new.append(time.monotonic())
        self._publish()

    def _publish(self) -> None:
        """Write into the table what this process takes: what is measured, and of new streams what is not yet."""
        now_s = time.monotonic()
        while self._new and self._new[0] < now_s - NEW_S:
            self._new.popleft()
        unmeasured_streams = sum(math.exp(min(0.0, came_at + FIRST_S - now_s) / MEAN_S) for came_at in self._new)
        self._table[self._place] = self.busy + unmeasured_streams * self.stream_cost

    async def watch(self, on_sample: Callable[[], None]) -> None:
        """Measure, from the thread of the loop, until cancelled; `on_sample` is called after each look."""
        looked_at_s, loop_s = time.monotonic(), time.thread_time()
        while True:
            await asyncio.sleep(SAMPLE_S)
            now_s, loop_now_s = time.monotonic(), time.thread_time()
            with self._lock:
                waits_s, self._waits_s = self._waits_s, []
                computed_s, self._computed_s = self._computed_s, 0.0
            self._take_sample(now_s - looked_at_s, computed_s, loop_now_s - loop_s, waits_s)
            looked_at_s, loop_s = now_s, loop_now_s
            on_sample()

    def _take_sample(self, passed_s: float, computed_s: float, loop_s: float, waits_s: Sequence[float]) -> None:
        """Put into the means what a look found: seconds since the last one, of both kinds of threads, and in queues."""
        decay = math.exp(-passed_s / MEAN_S)
        # What came while the loop did something else (sixty clients that connect at once) waited half of that.
        lag_s = max(float(np.mean(waits_s)) if waits_s else 0.0, (passed_s - SAMPLE_S) / 2)
        self.lag_s = decay * self.lag_s + (1 - decay) * lag_s
        self.busy = decay * self.busy + (1 - decay) * (computed_s + loop_s) / passed_s
        # By the sound, not by the streams: these may have just come, wait for a thread, or be muted.
        if self.sound_s:
            weight = 1 - math.exp(-self.sound_s / COST_MEAN_S)
            self.stream_cost += weight * (computed_s / self.sound_s + LOOP_COST - self.stream_cost)
            self.sound_s = 0.0
        self._publish()


class LagClock:
    """How far the answers of one stream are behind its sound.

    Measured is from when the first message came that found nothing waiting: what was processed since then, beside the
    time that went by. So sound that comes faster than it was spoken (a file) is not behind, and a pause is none either.
    """

    def __init__(self) -> None:
        self._came_at: float | None = None
        self._processed_before_s = self._told_s = self._told_at = 0.0

    def sound_came(self, time_s: float, processed_s: float) -> None:
        """A message came at that time (`time.monotonic`), when so much of the stream was processed."""
        if self._came_at is None:
            self._came_at, self._processed_before_s = time_s, processed_s

    def caught_up(self) -> None:
        """Nothing waits."""
        self._came_at = None

    def lag_s(self, processed_s: float) -> float:
        """How far behind it is, seconds, with so much processed."""
        if self._came_at is None:
            return 0.0
        return max(0.0, time.monotonic() - self._came_at - (processed_s - self._processed_before_s))

    def news(self, processed_s: float) -> float | None:
        """The same where it is worth telling, 0 where it has caught up; else None."""
        lag_s, now_s = self.lag_s(processed_s), time.monotonic()
        if self._told_s and lag_s < CAUGHT_UP_S:
            self._told_s = 0.0
            return 0.0
        if lag_s < BEHIND_S or now_s - self._told_at < TOLD_EVERY_S:
            return None
        self._told_s, self._told_at = lag_s, now_s
        return lag_s


def trial_cost(model: Recognizer) -> float:
    """Processors that one stream of this model needs, from a few seconds of sound; loads what first use loads.

    The sound rises and falls like syllables, which the detector on energy takes for speech and so the model is asked;
    what the usual detector costs is measured beside it.
    """
    rate_hz = model.spec.sample_rate_hz
    times_s = np.arange(round(TRIAL_S * rate_hz)) / rate_hz
    noise = TRIAL_RMS * np.random.default_rng(0).standard_normal(len(times_s))
    syllables = (noise * np.sin(np.pi * SYLLABLES_HZ * times_s) ** 2).astype(np.float32)
    cost = LOOP_COST
    for activity in ("energy", None):
        stream = model.stream(rate_hz, activity=activity)
        stream.push(syllables)
        before_s = time.thread_time()
        stream.push(syllables)
        cost += (time.thread_time() - before_s) / TRIAL_S
    return cost
