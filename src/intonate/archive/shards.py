"""Shards: what a worker answers at a time, and what one file of the table holds."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from intonate.archive.sources import Entry

# A shard is what a kill costs: about ten seconds of short clips, or minutes of long recordings, on one core.
FILES, BYTES = 256, 64_000_000


@dataclass(frozen=True, slots=True)
class Shard:
    """Some sounds, and a name that follows from their names, places and sizes."""

    name: str
    entries: tuple[Entry, ...]

    @property
    def size(self) -> int:
        """Bytes of sound, as listed."""
        return sum(entry.size for entry in self.entries)

    def to_json(self) -> str:
        return json.dumps(self.entries, ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Shard:
        return _shard_of(tuple(Entry(*fields) for fields in json.loads(text)))


def cut(entries: Iterable[Entry], files: int = FILES, size: int = BYTES) -> Iterator[Shard]:
    """Shards of at most `files` sounds; one is closed once it has `size` bytes. The same entries, the same shards."""
    shard_entries: list[Entry] = []
    shard_size = 0
    for entry in entries:
        shard_entries.append(entry)
        shard_size += entry.size
        if len(shard_entries) >= files or shard_size >= size:
            yield _shard_of(tuple(shard_entries))
            shard_entries, shard_size = [], 0
    if shard_entries:
        yield _shard_of(tuple(shard_entries))


def _shard_of(entries: tuple[Entry, ...]) -> Shard:
    text = Shard("", entries).to_json()
    return Shard(hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16], entries)
