"""The state that the parts of a running service share: settings, threads, sessions, load, metrics."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import threading
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import Any, Protocol, TypeVar

from intonate.cancellation import WorkCancelled, cancellable
from intonate.errors import IntonateError
from intonate.processes import processor_count
from intonate.service.load import Load, trial_cost
from intonate.service.metrics import Metrics
from intonate.service.place import Place
from intonate.service.sessions import Sessions
from intonate.service.settings import Settings
from intonate.transcripts.stream_transcriber import StreamTranscriber

T = TypeVar("T")

# How much less than streams and short uploads the long ones count for the scheduler (nice; of a thread, on Linux).
LONG_NICE = 10


class Stoppable(Protocol):
    def stop(self) -> None: ...


class ServiceState:
    """See the module.

    Streams, short uploads and long ones have a pool each, so that an hour of sound holds up nobody else. Transcripts
    have one thread more, for they take longest. Where an upload is cancelled, its thread ends with its next piece.

    Attributes:
        settings: the models, limits and token.
        metrics: counts and times for Prometheus.
        sessions: of the WebSockets.
        load: of the streams.
        place: of this process among several that share a port; None where it serves alone.
        streams: the connections of WebSockets open now.
        relays: the tasks of streams that another process answers.
        requests: the tasks of uploads being received, waiting or answered now.
        is_stopping: whether no more is begun.
    """

    def __init__(self, settings: Settings, place: Place | None = None) -> None:
        limits = settings.limits
        self.settings, self.metrics, self.place = settings, Metrics(), place
        if place is None:
            self.sessions, self.load = Sessions(limits.resume_s, limits.connections), Load(processor_count())
        else:
            self.sessions = Sessions(limits.resume_s, limits.connections, place.session_prefix)
            self.load = Load(processor_count(), place.loads, place.number)
        self.relays: set[asyncio.Task[Any]] = set()
        self.streams: set[Stoppable] = set()
        self.requests: set[asyncio.Task[Any]] = set()
        self.is_stopping = False
        self._stream_pool = ThreadPoolExecutor(limits.threads, "stream")
        self._upload_pool = ThreadPoolExecutor(limits.threads, "upload")
        self._long_upload_pool = ThreadPoolExecutor(limits.long_threads, "long-upload", _yield_to_others)
        self._transcript_pool = ThreadPoolExecutor(1, "transcripts", _yield_to_others)
        self._background_tasks: set[asyncio.Task[None]] = set()

    async def in_stream_pool(self, work: Callable[..., T], *args: Any) -> T:
        # A thread goes on when its connection is cancelled; waiting for it keeps one stream in one thread.
        queued_at = time.monotonic()
        return await asyncio.get_running_loop().run_in_executor(
            self._stream_pool, self.load.run, queued_at, work, *args
        )

    async def in_upload_pool(self, work: Callable[..., T], *args: Any) -> T:
        return await _cancellable(self._upload_pool, work, *args)

    async def in_long_upload_pool(self, work: Callable[..., T], *args: Any) -> T:
        return await _cancellable(self._long_upload_pool, work, *args)

    async def in_transcript_thread(self, work: Callable[..., T], *args: Any) -> T:
        return await _cancellable(self._transcript_pool, work, *args)

    def stream_transcriber(self, rate_hz: int) -> StreamTranscriber | None:
        """For a new session; None where the service has no transcriber."""
        transcriber = self.settings.transcriber
        return (
            None
            if transcriber is None
            else StreamTranscriber(lambda samples: self._transcript_pool.submit(transcriber, samples), rate_hz)
        )

    def in_background(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._background_tasks.add(task)
        task.add_done_callback(self._background_tasks.discard)
        return task

    async def start(self) -> None:
        """Load what is loaded at first use, so that the first client need not wait, and begin to look after things."""
        self.load.stream_cost = await asyncio.get_running_loop().run_in_executor(self._stream_pool, self._trial)
        self.in_background(self._sweep())
        self.in_background(self.load.watch(self._show_load))

    async def drain(self, grace_s: float, is_forced: Callable[[], bool]) -> None:
        """Begin nothing more; end the streams with a word, and wait until what is under way is answered.

        Args:
            grace_s: after so long, what is still under way is told that it is not answered, seconds.
            is_forced: whether to wait no longer.
        """
        self.is_stopping = True
        for stream in list(self.streams):
            stream.stop()
        end = time.monotonic() + grace_s
        while (self.requests or self.streams or self.relays) and time.monotonic() < end and not is_forced():
            await asyncio.sleep(0.02)
        for task in list(self.requests):
            task.cancel()
        end = time.monotonic() + 1.0
        while self.requests and time.monotonic() < end and not is_forced():
            await asyncio.sleep(0.02)

    def close(self) -> None:
        for task in list(self._background_tasks):
            task.cancel()
        for pool in (self._stream_pool, self._upload_pool, self._long_upload_pool, self._transcript_pool):
            pool.shutdown(wait=False, cancel_futures=True)
        self.sessions.clear()

    def _trial(self) -> float:
        costs = [0.0]
        for model in self.settings.models.values():
            with contextlib.suppress(IntonateError):
                costs.append(trial_cost(model))
        return max(costs)

    async def _sweep(self) -> None:
        """Forget lost sessions in time, also without new connections."""
        while True:
            await asyncio.sleep(min(5.0, self.settings.limits.resume_s))
            self.sessions.sweep()
            self.metrics.sessions.set(len(self.sessions))

    def _show_load(self) -> None:
        self.metrics.lag.set(self.load.lag_s)
        self.metrics.load.set(self.load.busy)


async def _cancellable(pool: Executor, work: Callable[..., T], *args: Any) -> T:
    """The result of work in a pool; where this is cancelled, the work ends at its next `cancellation.check`."""
    cancelled = threading.Event()

    def run() -> T:
        with cancellable(cancelled):
            return work(*args)

    try:
        return await asyncio.get_running_loop().run_in_executor(pool, run)
    except asyncio.CancelledError:
        cancelled.set()
        raise
    except WorkCancelled:
        raise asyncio.CancelledError from None


def _yield_to_others() -> None:
    """Let the scheduler prefer other threads to this one (Linux counts each thread for itself)."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), os.getpriority(os.PRIO_PROCESS, 0) + LONG_NICE)
