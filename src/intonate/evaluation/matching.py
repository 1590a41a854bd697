"""Which file of one table is which of another, made on other machines: by the end of the path, whatever the suffix."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

# Starts that are written with two decimals are the same, seconds.
_SAME_START_S = 0.006
# How many files a sentence names.
SHOWN = 3


def match(
    files: Sequence[str],
    starts: Sequence[float | None],
    known_files: Sequence[str],
    known_starts: Sequence[float],
    root: Path | str | None = None,
) -> tuple[dict[int, int], list[str]]:
    """Which file is which, by the end of its path.

    Args:
        files: of some predictions.
        starts: where their clips start, seconds; None where that is not told.
        known_files: of the clips that they are to be found among.
        known_starts: where those start, seconds.
        root: a folder that is cut off the paths below it.

    Returns:
        {place in `known_files`: place in `files`}, and sentences on what could not be matched for certain.
    """
    clips: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for row, name in enumerate(known_files):
        clips[path_parts(name, root)].append(row)
    by_stem: dict[str, list[tuple[str, ...]]] = defaultdict(list)
    for parts in clips:
        by_stem[PurePosixPath(parts[-1]).stem].append(parts)
    row_of: dict[int, int] = {}
    unknown_files: list[str] = []
    ambiguous_files: list[str] = []
    repeated_files: list[str] = []
    for number, (file, start) in enumerate(zip(files, starts, strict=True)):
        rows = [row for parts in _nearest(path_parts(file, root), by_stem) for row in clips[parts]]
        if start is not None and len(rows) > 1:
            rows = [row for row in rows if abs(known_starts[row] - start) < _SAME_START_S]
        if len(rows) != 1:
            (ambiguous_files if rows else unknown_files).append(file)
        elif rows[0] in row_of:
            repeated_files.append(file)
        else:
            row_of[rows[0]] = number
    notes = [
        _sentence(unknown_files, "not among the clips, not used"),
        _sentence(ambiguous_files, "could be several clips (give more of the path, or start), not used"),
        _sentence(repeated_files, "repeated, the first of each counts"),
    ]
    return row_of, [note for note in notes if note]


def _nearest(parts: tuple[str, ...], by_stem: Mapping[str, list[tuple[str, ...]]]) -> list[tuple[str, ...]]:
    """The files whose path ends most like this one; several if they are alike in that."""
    candidates = by_stem.get(PurePosixPath(parts[-1]).stem, [])
    if len(candidates) < 2:
        return candidates

    def common_ending(candidate: tuple[str, ...]) -> tuple[int, bool]:
        length = 0
        for part, other_part in zip(parts[-2::-1], candidate[-2::-1], strict=False):
            if part != other_part:
                break
            length += 1
        return length, parts[-1] == candidate[-1]

    longest = max(map(common_ending, candidates))
    return [candidate for candidate in candidates if common_ending(candidate) == longest]


def path_parts(path: str, root: Path | str | None) -> tuple[str, ...]:
    text = path.replace("\\", "/")
    if root is not None and Path(text).is_relative_to(root):
        text = Path(text).relative_to(root).as_posix()
    return tuple(part for part in PurePosixPath(text).parts if part not in (".", "..", "/"))


def _sentence(files: Sequence[str], reason: str) -> str:
    if not files:
        return ""
    more = f" and {len(files) - SHOWN:,} more" if len(files) > SHOWN else ""
    rows = f"{len(files):,} row{'s' * (len(files) > 1)}"
    return f"{rows} of the predictions {reason}: {', '.join(files[:SHOWN])}{more}."
