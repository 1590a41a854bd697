"""Engine: Ray Data, on a cluster or on this machine. An actor is the other engine with one process, that of the model.

So a sound that ends its process is found out where that happens, as `local.py` does, and the actor lives on: of those
that are lost, Ray itself starts others without end, and has their shards answered again.

Rows come back to the process that writes, so no node needs to see the folder that is written to. The nodes need the
same intonate, the sources under the same names, and the model: a built-in one, or a file at the same path.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import logging
import os
import socket
from collections.abc import Generator, Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

from intonate.archive import local
from intonate.archive.answers import Row
from intonate.archive.job import Job
from intonate.archive.shards import Shard
from intonate.errors import ArchiveError, first_line, require
from intonate.processes import temporary_environment

# Shards that Ray is given at a time: some 40 kB of names each.
WAVE = 2_000
# Shards that an actor has or waits for. Two hide the way of the next one; more would lie with one actor while others
# have none.
IN_FLIGHT = 2
# How often what is left of a wave is given to Ray again when it gave up on it; then this machine answers it.
TRIES = 5
# How long a cluster may take to be there, seconds.
KNOCK_S = 5.0


def run(
    shards: Iterable[Shard], job: Job, workers: int | None, address: str | None = None
) -> Generator[tuple[Shard, list[Row]], None, None]:
    """The rows of each shard, as they come.

    Args:
        shards: read a few thousand at a time.
        job: how to answer.
        workers: how many actors, of one processor each; None for all processors of the cluster.
        address: of a cluster (`auto`, `HOST:6379`, `ray://HOST:10001`); None for one on this machine alone.

    Raises:
        ArchiveError: the cluster cannot be reached, or what the shard function raises.
        MissingExtraError: Ray is not installed.
    """
    ray = require("ray", "distributed")
    require("ray.data", "distributed")
    is_own = not ray.is_initialized()
    if is_own:
        _connect(ray, workers, address)
    try:
        count = workers or max(1, int(ray.cluster_resources().get("CPU", 1)))
        next_shards = iter(shards)
        while wave := list(itertools.islice(next_shards, WAVE)):
            shards_left = {shard.name: shard for shard in wave}
            for _ in range(TRIES):
                if shards_left:
                    yield from _wave(ray, shards_left, job, min(count, len(shards_left)))
            yield from local.run(shards_left.values(), job, 1)
    finally:
        if is_own:
            ray.shutdown()


def _connect(ray: Any, workers: int | None, address: str | None) -> None:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing phones home
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    options: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR, "include_dashboard": False}
    try:
        if address is None:
            # The workers of --engine local yield to nothing either; Ray's would wait for its own bookkeeping.
            with temporary_environment({"RAY_worker_niceness": "0"}):
                # Without the address, it would join a cluster that somebody else has here.
                ray.init(address="local", num_cpus=workers, **options)
        else:
            _knock(address)
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except Exception as error:  # ConnectionError, ValueError, RuntimeError… as Ray has it
        cluster_name = f"the Ray cluster at {address}" if address else "Ray on this machine"
        remedy = "; give the HOST:PORT that ray start names there, or auto" if address else ""
        raise ArchiveError(f"{cluster_name} cannot be reached: {first_line(error)}{remedy}") from error


def _knock(address: str) -> None:
    """See that something listens at `HOST:PORT` or `ray://HOST:PORT`: Ray asks for many minutes where nothing does.

    Raises:
        OSError: nothing does.
        ValueError: the port is no number.
    """
    place = urlsplit(address if "://" in address else f"ray://{address}")
    if place.scheme == "ray" and place.port is not None:
        socket.create_connection((place.hostname, place.port), KNOCK_S).close()


def _wave(
    ray: Any, shards_left: dict[str, Shard], job: Job, actors: int
) -> Generator[tuple[Shard, list[Row]], None, None]:
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    items = [{"name": shard.name, "shard": shard.to_json()} for shard in shards_left.values()]
    rows = ray.data.from_items(items, override_num_blocks=len(items)).map(
        Answerer,
        fn_constructor_args=(job,),
        compute=ray.data.ActorPoolStrategy(size=actors, max_tasks_in_flight_per_actor=IN_FLIGHT),
        num_cpus=1,
    )
    with contextlib.suppress(ray.exceptions.RayError):  # nodes that are lost: what is left is seen by the caller
        for item in rows.iter_rows():
            if item["error"]:
                raise ArchiveError(item["error"])
            if shard := shards_left.pop(item["name"], None):
                yield shard, json.loads(item["rows"])


class Answerer:
    """A shard at a time, as Ray Data's actors answer it. An error of ours is told; only a lost actor is tried again."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._begin()

    def _begin(self) -> None:
        self._shard = Shard("", ())
        self._answers = local.run(iter(lambda: self._shard, None), self._job, 1)

    def __call__(self, item: Mapping[str, Any]) -> dict[str, str]:
        self._shard = Shard.from_json(item["shard"])
        try:
            _, rows = next(self._answers)
            return {"name": item["name"], "rows": json.dumps(rows), "error": ""}
        except Exception as error:
            self._begin()
            return {"name": item["name"], "rows": "[]", "error": f"{error}"}
