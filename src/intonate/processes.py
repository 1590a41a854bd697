"""Processes that compute beside this one: they begin light, with one thread each, and leave Ctrl-C to their parent."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import ModuleType

# Processes that compute side by side need no threads each: these are read when numpy is loaded. Without them the
# threads of all processes wait for each other, which is nine times slower.
ONE_THREAD = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")


@contextmanager
def light_start() -> Iterator[None]:
    """Processes that are started now compute with one thread, and do not run the main script again.

    A spawned process begins by importing the script that the user started, with all that it imports: torch, seconds of
    it, or, in a script without `if __name__ == "__main__"`, the whole training. Nothing of it is needed here.
    """
    main = sys.modules["__main__"]
    with temporary_environment(dict.fromkeys(ONE_THREAD, "1")):
        sys.modules["__main__"] = ModuleType("__main__")
        try:
            yield
        finally:
            sys.modules["__main__"] = main


@contextmanager
def temporary_environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Environment variables that hold for a while; afterwards they are as before."""
    previous_values = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in previous_values.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def leave_interrupts_to_the_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def processor_count() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
