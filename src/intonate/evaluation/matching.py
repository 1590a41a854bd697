"""Which file of one table is which of another, made on other machines: by the end of the path, whatever the suffix."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

# Starts that are written with two decimals are the same, seconds.
_SAME_START_S = 0.006
# How many files a sentence names.
SHOWN = 3
# Parts that agree below the root, folders that agree in the whole path, and whether the suffix does: more is better.
_Agreement = tuple[int, int, bool]


@dataclass(frozen=True)
class _Clips:
    """The clips of one file.

    Attributes:
        parts: of its path below the root.
        whole: parts of its path with the root.
        rows: the places of its clips.
    """

    parts: tuple[str, ...]
    whole: tuple[str, ...]
    rows: list[int]


def match(
    files: Sequence[str],
    starts: Sequence[float | None],
    known_files: Sequence[str],
    known_starts: Sequence[float],
    root: Path | str | None = None,
) -> tuple[dict[int, int], list[str]]:
    """Which file is which, by the end of its path; where several could be one clip, those that agree in most of it.

    Args:
        files: of some predictions.
        starts: where their clips start, seconds; None where that is not told.
        known_files: of the clips that they are to be found among.
        known_starts: where those start, seconds.
        root: a folder that is cut off the paths below it.

    Returns:
        {place in `known_files`: place in `files`}, and sentences on what could not be matched for certain.
    """
    by_end = _clips_by_end(known_files, root)
    found: list[tuple[list[int], _Agreement]] = []
    for file, start in zip(files, starts, strict=True):
        rows, agreement = _nearest(file, by_end, root)
        if start is not None and len(rows) > 1:
            rows = [row for row in rows if abs(known_starts[row] - start) < _SAME_START_S]
        found.append((rows, agreement))
    best: dict[int, _Agreement] = {}
    for rows, agreement in found:
        if len(rows) == 1:
            best[rows[0]] = max(agreement, best.get(rows[0], agreement))

    row_of: dict[int, int] = {}
    unknown_files: list[str] = []
    ambiguous_files: list[str] = []
    repeated_files: list[str] = []
    for number, (file, (rows, agreement)) in enumerate(zip(files, found, strict=True)):
        # train/1.wav is not test/1.wav where another row is that. A row of several clips is not given to the one that
        # is left over: that would be a guess.
        if all(best.get(row, agreement) > agreement for row in rows):
            unknown_files.append(file)
        elif len(rows) > 1:
            ambiguous_files.append(file)
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


def _clips_by_end(known_files: Sequence[str], root: Path | str | None) -> dict[tuple[str, ...], list[_Clips]]:
    clips: dict[tuple[str, ...], _Clips] = {}
    for row, name in enumerate(known_files):
        parts = path_parts(name, root)
        if parts not in clips:
            # A manifest in data/test may call its files 1.wav: its folder tells them from those of data/train.
            clips[parts] = _Clips(parts, parts if root is None else path_parts(os.path.abspath(name), None), [])
        clips[parts].rows.append(row)
    by_end: dict[tuple[str, ...], list[_Clips]] = defaultdict(list)
    for parts, clips_of_file in clips.items():
        for end in _ends(parts):
            by_end[end].append(clips_of_file)
    return dict(by_end)


def _ends(parts: tuple[str, ...]) -> list[tuple[str, ...]]:
    """All ends of a path without its suffix, the longest first."""
    return [(*parts[start:-1], PurePosixPath(parts[-1]).stem) for start in range(len(parts))]


def _nearest(
    file: str, by_end: Mapping[tuple[str, ...], list[_Clips]], root: Path | str | None
) -> tuple[list[int], _Agreement]:
    """The clips whose path ends most like this one, several if they are alike in that; and how much of it agrees."""
    parts, whole = path_parts(file, root), path_parts(file, None)
    longest = next((end for end in _ends(parts) if end in by_end), ())
    candidates = by_end.get(longest, [])
    # A name as the manifest has it agrees in all of the path, though it does not write all of it.
    agreements = [
        (
            len(longest),
            len(clips.whole) - 1 if parts == clips.parts else _common_folders(whole, clips.whole),
            parts[-1] == clips.parts[-1],
        )
        for clips in candidates
    ]
    most = max(agreements, default=(0, 0, False))
    nearest = [clips for clips, value in zip(candidates, agreements, strict=True) if value == most]
    return [row for clips in nearest for row in clips.rows], most


def _common_folders(parts: tuple[str, ...], other_parts: tuple[str, ...]) -> int:
    """How many folders before the name are the same, from the end."""
    length = 0
    for part, other_part in zip(parts[-2::-1], other_parts[-2::-1], strict=False):
        if part != other_part:
            break
        length += 1
    return length


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
