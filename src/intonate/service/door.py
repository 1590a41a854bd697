"""The door before HTTP: how many connections may stand in it, and for how long without a request.

Nothing is read of a connection before it is counted. Where an address (or the service) has as many as it may, the one
that has waited longest for its request to be complete makes room, so that connections which never finish their
headers are in nobody's way; where all of them are busy, the newcomer is cut off. Nothing of it is logged.
"""

from __future__ import annotations

from asyncio import Transport
from collections import Counter


class Door:
    """The open connections of a service, in the order in which they came.

    Args:
        limit: connections in all.
        limit_per_address: connections of one address; a proxy is one address.
    """

    def __init__(self, limit: int, limit_per_address: int) -> None:
        self._limit, self._limit_per_address = limit, limit_per_address
        self._addresses: dict[Transport, str] = {}
        self._counts: Counter[str] = Counter()
        self._waiting: dict[Transport, None] = {}

    def __len__(self) -> int:
        return len(self._addresses)

    def enter(self, transport: Transport, address: str) -> bool:
        """Count a new connection, which waits for its request; False where it was cut off."""
        if self._counts[address] >= self._limit_per_address:
            room = self._make_room(address)
        else:
            room = len(self._addresses) < self._limit or self._make_room(None)
        if not room:
            transport.abort()
            return False
        self._addresses[transport] = address
        self._counts[address] += 1
        self._waiting[transport] = None
        return True

    def wait(self, transport: Transport) -> None:
        """The connection waits for its next request."""
        if transport in self._addresses:
            self._waiting.setdefault(transport)

    def work(self, transport: Transport) -> None:
        """The request of the connection is there."""
        self._waiting.pop(transport, None)

    def leave(self, transport: Transport | None) -> None:
        """The connection is closed; it may be told more than once."""
        if transport is None:
            return
        address = self._addresses.pop(transport, None)
        self._waiting.pop(transport, None)
        if address is not None:
            self._counts[address] -= 1
            if not self._counts[address]:
                del self._counts[address]

    def _make_room(self, address: str | None) -> bool:
        """Cut off the connection (of an address) that has waited longest; whether there was one."""
        candidates = (
            transport for transport in self._waiting if address is None or self._addresses[transport] == address
        )
        oldest = next(candidates, None)
        if oldest is None:
            return False
        oldest.abort()
        self.leave(oldest)
        return True
