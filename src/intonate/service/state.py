"""The state that the parts of a running service share: settings, threads, sessions, metrics."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from intonate.service.metrics import Metrics
from intonate.service.sessions import Sessions
from intonate.service.settings import Settings
from intonate.transcripts.stream_transcriber import StreamTranscriber

T = TypeVar("T")


class ServiceState:
    """See the module.

    Streams, short uploads and long ones have a pool each, so that an hour of sound holds up nobody else. Transcripts
    have one thread more, for they take longest.

    Attributes:
        settings: the models, limits and token.
        metrics: counts and times for Prometheus.
        sessions: of the WebSockets.
        connections: WebSockets open now.
        uploads: uploads being received, waiting or answered now.
    """

    def __init__(self, settings: Settings) -> None:
        limits = settings.limits
        self.settings, self.metrics = settings, Metrics()
        self.sessions = Sessions(limits.resume_s, limits.connections)
        self.connections = self.uploads = 0
        self._stream_pool = ThreadPoolExecutor(limits.workers, "stream")
        self._upload_pool = ThreadPoolExecutor(limits.workers, "upload")
        self._long_upload_pool = ThreadPoolExecutor(max(1, limits.workers // 2), "long-upload")
        self._transcript_pool = ThreadPoolExecutor(1, "transcripts")
        self._background_tasks: set[asyncio.Task[None]] = set()

    async def in_stream_pool(self, work: Callable[..., T], *args: Any) -> T:
        # A thread goes on when its connection is cancelled; waiting for it keeps one stream in one thread.
        return await asyncio.get_running_loop().run_in_executor(self._stream_pool, work, *args)

    async def in_upload_pool(self, work: Callable[..., T], *args: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._upload_pool, work, *args)

    async def in_long_upload_pool(self, work: Callable[..., T], *args: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._long_upload_pool, work, *args)

    async def in_transcript_thread(self, work: Callable[..., T], *args: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._transcript_pool, work, *args)

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

    async def sweep(self) -> None:
        """Forget lost sessions in time, also without new connections."""
        while True:
            await asyncio.sleep(min(5.0, self.settings.limits.resume_s))
            self.sessions.sweep()
            self.metrics.sessions.set(len(self.sessions))

    def close(self) -> None:
        for task in list(self._background_tasks):
            task.cancel()
        self._stream_pool.shutdown(wait=False, cancel_futures=True)
        self._upload_pool.shutdown(wait=False, cancel_futures=True)
        self._long_upload_pool.shutdown(wait=False, cancel_futures=True)
        self._transcript_pool.shutdown(wait=False, cancel_futures=True)
        self.sessions.clear()
