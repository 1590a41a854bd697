"""Long work that can be called off: whoever computes asks now and then whether anybody still waits for it.

Threads cannot be stopped from outside. So a service runs its work `with cancellable(event)`, and what takes long calls
`check` between two pieces: for a moment's cost, the work of a client that went away ends with its next piece.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_cancelled: ContextVar[threading.Event | None] = ContextVar("cancelled", default=None)


class WorkCancelled(Exception):  # noqa: N818  (no error: nobody waits for the answer)
    """The work was called off. No `IntonateError`: nothing goes on with the next recording after it."""


@contextmanager
def cancellable(event: threading.Event) -> Iterator[None]:
    """Within it, in this thread, `check` raises once the event is set."""
    token = _cancelled.set(event)
    try:
        check()
        yield
    finally:
        _cancelled.reset(token)


def check() -> None:
    """Go on, or stop.

    Raises:
        WorkCancelled: the work of this thread was called off.
    """
    event = _cancelled.get()
    if event is not None and event.is_set():
        raise WorkCancelled
