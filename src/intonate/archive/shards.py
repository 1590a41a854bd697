"""Shards: what a worker answers at a time, and what one file of the table holds."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from intonate.archive.places import Entry

# A shard is what a kill costs: seconds of one core for short clips, a minute or two for long recordings.
FILES, LONGEST_S = 256, 4 * 3600.0
# Workers end together where the last shard is a small part of the whole: a shard holds no more than this share of what
# was cut before it. The first ones hold this much; smaller ones would cost more to write than to answer.
SHARE, SHORTEST_S = 1 / 64, 240.0
# How many bytes a second of sound usually has, by the end of a name; of others as many as FLAC.
BYTES_PER_S = {".opus": 3_000, ".ogg": 6_000, ".mp3": 8_000, ".m4a": 8_000, ".flac": 16_000, ".wav": 32_000}


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
        return json.dumps([entry.planned for entry in self.entries], ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Shard:
        return shard_of(tuple(Entry(*fields) for fields in json.loads(text)))


def cut(
    entries: Iterable[Entry], files: int = FILES, longest_s: float = LONGEST_S, shortest_s: float = SHORTEST_S
) -> Iterator[Shard]:
    """Shards of at most `files` sounds. The same entries, the same shards.

    One is closed once it has `longest_s` seconds of sound, as the listing lets guess, or a small share of what there
    was before it, but not less than `shortest_s`.
    """
    shard_entries: list[Entry] = []
    shard_s = earlier_s = 0.0
    for entry in entries:
        shard_entries.append(entry)
        shard_s += likely_s(entry)
        if len(shard_entries) >= files or shard_s >= min(longest_s, max(shortest_s, SHARE * earlier_s)):
            yield shard_of(tuple(shard_entries))
            earlier_s += shard_s
            shard_entries, shard_s = [], 0.0
    if shard_entries:
        yield shard_of(tuple(shard_entries))


def likely_s(entry: Entry) -> float:
    """How many seconds of sound an entry has, as far as its size and its name tell; nothing is opened."""
    if entry.end_s is not None:
        return entry.end_s - entry.start_s
    rate = BYTES_PER_S.get(entry.file[entry.file.rfind(".") :].lower(), BYTES_PER_S[".flac"])
    return entry.size / rate


def shard_of(entries: tuple[Entry, ...]) -> Shard:
    """Some sounds with the name that they have together."""
    text = Shard("", entries).to_json()
    return Shard(hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16], entries)
