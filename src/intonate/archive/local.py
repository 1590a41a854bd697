"""Engine: processes on this machine, a shard each at a time.

A worker that is lost, killed for its memory or by a fault in a decoder, is replaced, and its shard is answered again
from the start. A sound that was under way in three such losses is the reason: it gets a row that says so, and the shard
is answered without it.
"""

from __future__ import annotations

import contextlib
import multiprocessing
from collections import Counter, defaultdict
from collections.abc import Callable, Generator, Iterable, Mapping
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

from intonate.archive.answers import Row, open_job
from intonate.archive.job import Job
from intonate.archive.shards import Shard
from intonate.errors import ArchiveError, IntonateError
from intonate.processes import leave_interrupts_to_the_parent, light_start

# How often a sound may be the last that a lost worker began.
LOSSES = 3
# How long a worker may take to be gone once it was told to, seconds.
GOODBYE_S = 2.0


def run(
    shards: Iterable[Shard], job: Job, workers: int, on_begun: Callable[[int], object] = lambda files: None
) -> Generator[tuple[Shard, list[Row]], None, None]:
    """The rows of each shard, as they come.

    Args:
        shards: read one by one, as workers become free: each when the rows of the one before it were taken.
        job: how to answer.
        workers: how many processes.
        on_begun: called with 1 for each sound that is begun, and with minus those of a shard that was lost.

    Raises:
        ArchiveError: a worker cannot be started, or what the shard function raises.
    """
    next_shards = iter(shards)
    lost_shards: list[Shard] = []
    faults: dict[str, dict[int, str]] = defaultdict(dict)
    losses: Counter[tuple[str, int]] = Counter()
    pool: dict[Any, _Worker] = {}

    def give_next(worker: _Worker | None = None) -> None:
        """The next shard for a worker, or a new one; it ends where there is none."""
        shard = lost_shards.pop() if lost_shards else next(next_shards, None)
        if shard is not None:
            worker = worker or _Worker(job)
            pool[worker.connection] = worker
            worker.give(shard, faults[shard.name])
        elif worker is not None:
            del pool[worker.connection]
            worker.stop()

    try:
        for _ in range(workers):
            give_next()
        while pool:
            for connection in wait(list(pool)):
                worker = pool[connection]
                message, shard = worker.receive(), worker.shard
                if isinstance(message, int):
                    worker.last, worker.count = message, worker.count + 1
                    on_begun(1)
                elif isinstance(message, IntonateError):
                    raise message
                elif isinstance(message, Exception):
                    raise ArchiveError(f"a worker failed: {type(message).__name__}: {message}") from message
                elif message is not None:
                    yield shard, message
                    give_next(worker)
                else:
                    on_begun(-worker.count)
                    del pool[connection]
                    status = worker.stop()
                    losses[shard.name, worker.last] += 1
                    if losses[shard.name, worker.last] >= LOSSES:
                        faults[shard.name][worker.last] = _fault(shard, worker.last, status)
                    lost_shards.append(shard)
                    give_next()
    finally:
        for worker in pool.values():
            worker.stop(at_once=True)


def _fault(shard: Shard, index: int, status: int | None) -> str:
    """Why a sound is not to be touched again.

    Raises:
        ArchiveError: it was not a sound that ended the worker.
    """
    if index < 0:
        raise ArchiveError(f"a worker ends before it begins, {LOSSES} times (exit status {status}); is memory short?")
    return (
        f"{shard.entries[index].file} ended the process that answered it, {LOSSES} times (exit status {status}: memory "
        "that ran out, or a fault of a decoder)"
    )


class _Worker:
    """A process with the model loaded, and what it is at."""

    def __init__(self, job: Job) -> None:
        # A fork of a process that has threads may hang: a new one is spawned.
        context = multiprocessing.get_context("spawn")
        self.connection, worker_end = context.Pipe()
        self._process: BaseProcess = context.Process(target=_work, args=(worker_end, job), daemon=True)
        with light_start():
            self._process.start()
        worker_end.close()  # so that its end is seen here
        self.shard = Shard("", ())
        self.last, self.count = -1, 0  # the sound that it began last, and how many

    def give(self, shard: Shard, faults: Mapping[int, str]) -> None:
        self.shard, self.last, self.count = shard, -1, 0
        with contextlib.suppress(OSError):  # it is gone already, which is seen when it is listened to
            self.connection.send((shard, faults))

    def receive(self) -> Any:
        """What it sends; None if it is gone."""
        try:
            return self.connection.recv()
        except (EOFError, OSError):
            return None

    def stop(self, at_once: bool = False) -> int | None:
        """End it; its exit status."""
        self.connection.close()
        if at_once:
            self._process.kill()
        self._process.join(GOODBYE_S)
        if self._process.exitcode is None:
            self._process.kill()
            self._process.join()
        code = self._process.exitcode
        self._process.close()
        return code


def _work(connection: Connection, job: Job) -> None:
    """The life of a worker: until nobody is at the other end."""
    leave_interrupts_to_the_parent()
    try:
        try:
            answer = open_job(job)
            while True:
                shard, faults = connection.recv()
                connection.send(answer(shard, faults, connection.send))
        except (EOFError, BrokenPipeError, ConnectionResetError):
            return
        except Exception as error:
            connection.send(error)
    except OSError:
        return
