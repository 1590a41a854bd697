"""The place of one process among those that share a port: where the others are, and what all of them know."""

from __future__ import annotations

import re
from collections.abc import MutableSequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Place:
    """One of several processes of a service.

    Attributes:
        number: of this process, from 0 on; the one that replaces it has the same.
        folder: where each of them has a socket that the others reach it by; only their user may open it.
        loads: how busy each keeps the processors, shared by all.
    """

    number: int
    folder: Path
    loads: MutableSequence[float]

    @property
    def socket(self) -> Path:
        return self._socket_of(self.number)

    @property
    def session_prefix(self) -> str:
        """What the names of the sessions of this process begin with."""
        return f"{self.number}-"

    def owner(self, session: str) -> Path | None:
        """The socket of the process that has a session, by its name; None where that is this one, or none."""
        found = re.match(r"(\d{1,4})-", session, re.ASCII)
        if found is None or int(found[1]) == self.number or int(found[1]) >= len(self.loads):
            return None
        return self._socket_of(int(found[1]))

    def _socket_of(self, number: int) -> Path:
        return self.folder / f"{number}.sock"
