"""What the parts of a running service share: its settings, its threads, its sessions, its figures."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from intonate.service.metrics import Metrics
from intonate.service.sessions import Sessions
from intonate.service.settings import Settings
from intonate.transcripts.words import Words

T = TypeVar("T")


class House:
    """See the module.

    Uploads and streams have a pool each: an hour of sound must not hold up what somebody is saying. What is said is
    written down in one thread more, for that takes longest.

    Attributes:
        settings: what the service was told.
        metrics: its figures.
        sessions: its sessions.
        connections: WebSockets open now.
        uploads: uploads being received, waiting or answered now.
    """

    def __init__(self, settings: Settings) -> None:
        limits = settings.limits
        self.settings, self.metrics = settings, Metrics()
        self.sessions = Sessions(limits.resume_s, limits.connections)
        self.connections = self.uploads = 0
        self._streams = ThreadPoolExecutor(limits.workers, "stream")
        self._uploads = ThreadPoolExecutor(limits.workers, "upload")
        self._words = ThreadPoolExecutor(1, "words")
        self._background: set[asyncio.Task[None]] = set()

    async def in_stream_pool(self, work: Callable[..., T], *args: Any) -> T:
        # A thread goes on when its connection is cancelled; waiting for it keeps one stream in one thread.
        return await asyncio.get_running_loop().run_in_executor(self._streams, work, *args)

    async def in_upload_pool(self, work: Callable[..., T], *args: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._uploads, work, *args)

    async def in_words_thread(self, work: Callable[..., T], *args: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._words, work, *args)

    def words(self, rate_hz: int) -> Words | None:
        """For a new session; None where nothing is written down."""
        hear = self.settings.transcriber
        return None if hear is None else Words(lambda sound: self._words.submit(hear, sound), rate_hz)

    def in_background(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)
        return task

    async def sweep(self) -> None:
        """Forget lost sessions in time, also when nobody comes."""
        while True:
            await asyncio.sleep(min(5.0, self.settings.limits.resume_s))
            self.sessions.sweep()
            self.metrics.sessions.set(len(self.sessions))

    def close(self) -> None:
        for task in list(self._background):
            task.cancel()
        self._streams.shutdown(wait=False, cancel_futures=True)
        self._uploads.shutdown(wait=False, cancel_futures=True)
        self._words.shutdown(wait=False, cancel_futures=True)
        self.sessions.clear()
