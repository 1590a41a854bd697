"""`serve --workers N`: several processes that accept connections from one socket, and the one that looks after them.

All of them wait at the same listening sockets, so whoever is free takes the next connection, and what waits there
survives the death of one. The parent computes nothing: it hands on a signal to stop, and puts a new process in the
place of one that died.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing import connection
from pathlib import Path
from typing import Any, Protocol

from intonate.errors import IntonateError, first_line
from intonate.processes import leave_interrupts_to_the_parent, light_start, temporary_environment
from intonate.service.place import Place

# What makes prometheus_client keep its figures in files, which add up whichever process reads them.
METRICS_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
# How often the parent looks for signals, and how long a worker may take beyond the grace to end, seconds.
LOOK_S, BEYOND_GRACE_S = 0.2, 8.0
# One that dies as soon as it listens is not replaced faster than this, seconds.
PAUSE_S = 1.0


class Serve(Protocol):
    """What a worker runs: to the end of the service; `on_start` is called when it listens. It can be pickled."""

    def __call__(self, place: Place, sockets: Sequence[socket.socket], on_start: Callable[[], None]) -> None: ...


@dataclass(frozen=True, slots=True)
class _Worker:
    process: Any  # of multiprocessing's `spawn`
    news: connection.Connection  # "" when it listens, or the sentence that says why it does not


def listen(host: str, port: int, backlog: int) -> list[socket.socket]:
    """Sockets that listen at a host, all at the same port.

    Args:
        host: a name or an address.
        port: 0 for any that is free.
        backlog: connections that wait to be accepted.

    Raises:
        OSError: somebody else does, or there is no such address here.
    """
    addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    sockets: list[socket.socket] = []
    try:
        for family, address in dict.fromkeys((found[0], found[4]) for found in addresses):
            here = (address[0], sockets[0].getsockname()[1] if sockets else port)
            sockets.append(socket.create_server(here, family=family, backlog=backlog))
    except OSError:
        for one in sockets:
            one.close()
        raise
    return sockets


def supervise(
    serve: Serve, count: int, sockets: Sequence[socket.socket], grace_s: float, on_start: Callable[[], None]
) -> None:
    """Run `count` workers until a signal to stop, which all of them get.

    Args:
        serve: what each runs.
        count: how many.
        sockets: that all of them accept connections from; closed at the end.
        grace_s: how long a worker that stops may take for what is under way, seconds.
        on_start: called when all of them listen.

    Raises:
        IntonateError: a worker cannot start.
    """
    with _signals() as received, _folder() as folder:
        loads = multiprocessing.get_context("spawn").RawArray("d", count)
        places = [Place(number, folder, loads) for number in range(count)]
        workers: list[_Worker] = []
        try:
            for place in places:
                workers.append(_start(serve, place, sockets))
            for worker in workers:
                _wait_until_it_listens(worker, received)
            if not received:
                on_start()
            while not received:
                connection.wait([worker.process.sentinel for worker in workers], LOOK_S)
                for number, worker in enumerate(workers):
                    if not received and worker.process.exitcode is not None:
                        _bury(worker, places[number])
                        time.sleep(PAUSE_S)
                        workers[number] = _start(serve, places[number], sockets)
                        _wait_until_it_listens(workers[number], received)
        finally:
            for one in sockets:
                one.close()
            _stop(workers, grace_s, received)
    if signal.SIGTERM in received:  # as a process that serves alone ends
        signal.raise_signal(signal.SIGTERM)


@contextlib.contextmanager
def _signals() -> Iterator[list[int]]:
    """The signals to stop that came, in place of what they would do."""
    received: list[int] = []
    before = {
        one: signal.signal(one, lambda number, _: received.append(number)) for one in (signal.SIGTERM, signal.SIGINT)
    }
    try:
        yield received
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    """For sockets and figures; only this user may look into it."""
    try:
        folder = Path(tempfile.mkdtemp(prefix="intonate-"))
    except OSError as error:  # its own sentence does not say what for
        raise IntonateError(
            f"--workers needs a folder for the sockets of its processes, and there is none ({first_line(error)}); "
            "mount one at /tmp (--tmpfs /tmp in a container), or name one in TMPDIR"
        ) from None
    try:
        (folder / "metrics").mkdir()
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _start(serve: Serve, place: Place, sockets: Sequence[socket.socket]) -> _Worker:
    context = multiprocessing.get_context("spawn")
    news, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(serve, place, list(sockets), theirs), daemon=True)
    with light_start(), temporary_environment({METRICS_FOLDER: str(place.folder / "metrics")}):
        process.start()
    theirs.close()
    return _Worker(process, news)


def _wait_until_it_listens(worker: _Worker, received: Sequence[int]) -> None:
    while not received and not worker.news.poll(LOOK_S):
        pass
    if received:
        return
    try:
        sentence = worker.news.recv()
    except EOFError:
        worker.process.join()
        sentence = f"a worker ended ({_how(worker.process.exitcode)}) before it listened"
    if sentence:
        raise IntonateError(sentence)


def _bury(worker: _Worker, place: Place) -> None:
    """Say that a worker died, and take away what it counted as running."""
    from prometheus_client import multiprocess

    print(
        f"intonate: worker {place.number + 1} ended ({_how(worker.process.exitcode)}) and is replaced; "
        "its streams are lost, and begin anew when they connect again",
        file=sys.stderr,
        flush=True,
    )
    multiprocess.mark_process_dead(worker.process.pid, str(place.folder / "metrics"))
    place.loads[place.number] = 0.0
    worker.news.close()


def _how(exit_code: int) -> str:
    return f"signal {-exit_code}" if exit_code < 0 else f"exit status {exit_code}"


def _stop(workers: Sequence[_Worker], grace_s: float, received: Sequence[int]) -> None:
    """Let all workers drain at the same time; who takes too long, or a second signal, ends them."""
    for worker in workers:
        worker.process.terminate()
    signals, end = len(received), time.monotonic() + grace_s + BEYOND_GRACE_S
    while any(worker.process.is_alive() for worker in workers):
        if time.monotonic() > end or len(received) > max(signals, 1):
            for worker in workers:
                worker.process.kill()
        connection.wait([worker.process.sentinel for worker in workers if worker.process.is_alive()], LOOK_S)
    for worker in workers:
        worker.process.join()
        worker.news.close()


def _work(serve: Serve, place: Place, sockets: Sequence[socket.socket], news: connection.Connection) -> None:
    """In a worker: serve, and tell the parent when it listens, or why not."""
    leave_interrupts_to_the_parent()
    if hasattr(signal, "SIGHUP"):  # a terminal that is closed tells all of them
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    threading.Thread(target=_stop_without_parent, daemon=True).start()
    try:
        serve(place, sockets, lambda: news.send(""))
    except IntonateError as error:
        news.send(str(error))
    except KeyboardInterrupt:
        pass


def _stop_without_parent() -> None:
    """A parent that was killed cannot hand on a signal to stop."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os.kill(os.getpid(), signal.SIGTERM)
