"""Recordings that folders and file names tell of: what is the label and who speaks, guessed or by a pattern."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path, PurePath

from intonate.audio.decode import AUDIO_SUFFIXES
from intonate.corpora.overlap import first_few
from intonate.corpora.reader import files
from intonate.emotions import canonical
from intonate.errors import CorpusError, LabelError

# What folders of a split are called, in lower case: never labels, and nobody's name.
SPLIT_PARTS = frozenset(
    ("train", "training", "test", "testing", "val", "valid", "validation", "dev", "eval", "evaluation")
)
TRAINING_PARTS = ("train", "training")


def read(root: Path, label: str, speaker: str) -> tuple[list[tuple[str, str, str]], list[str]]:
    """The recordings of a folder: path, label, and who speaks, empty where it is not known; and what was guessed.

    Args:
        root: the folder.
        label, speaker: a regular expression with one group for the path of a file; guessed where it is empty.

    Raises:
        CorpusError: there are none, or their labels cannot be told.
    """
    paths = [path for path in files(root) if path.suffix.lower() in AUDIO_SUFFIXES]
    if not paths:
        raise CorpusError(f"{root} holds no audio file; expected LABEL/recording.wav, or a CSV with files and labels")
    notes = []
    if label:
        labels, notes = _pattern_matches(paths, label, "label"), [f"label: by the pattern {label}"]
    else:
        labels, note = _guess_labels(root, paths)
        notes.append(note)
    if speaker:
        speakers = _pattern_matches(paths, speaker, "speaker")
        notes.append(f"speaker: by the pattern {speaker}")
    else:
        speakers, note = _guess_speakers(paths, labels)
        notes.append(note)
    return list(zip([str(root / path) for path in paths], labels, speakers, strict=True)), notes


def _pattern_matches(paths: Sequence[PurePath], pattern: str, kind: str) -> list[str]:
    try:
        expression = re.compile(pattern)
    except re.error as error:
        raise CorpusError(
            f"--{kind} {pattern!r} is no regular expression ({error}); expected e.g. '^([^_]+)_'"
        ) from None
    if expression.groups != 1:
        raise CorpusError(f"--{kind} {pattern!r} needs one group in parentheses: what is the {kind}, e.g. '^([^_]+)_'")
    matches = [expression.search(path.as_posix()) for path in paths]
    if unmatched_paths := [path for path, match in zip(paths, matches, strict=True) if not match]:
        raise CorpusError(
            f"--{kind} {pattern!r} finds nothing in {len(unmatched_paths)} files, as in {unmatched_paths[0].as_posix()}"
        )
    return [match[1] for match in matches if match]


def _folder_levels(paths: Sequence[PurePath]) -> list[list[str]]:
    """The names of the folders, level by level, of those levels that all files have."""
    depth = min(len(path.parts) for path in paths) - 1
    return [[path.parts[level] for path in paths] for level in range(depth)]


def _is_known_emotion(name: str) -> bool:
    try:
        return bool(canonical(name))
    except LabelError:
        return False


def _guess_labels(root: Path, paths: Sequence[PurePath]) -> tuple[list[str], str]:
    levels = [names for names in _folder_levels(paths) if len(set(names)) > 1 and not _are_split_parts(names)]
    if chosen := next((names for names in levels if all(map(_is_known_emotion, names))), levels[0] if levels else []):
        return chosen, f"label: the folders {first_few(sorted(set(chosen)), 6)}"
    fields = [re.split(r"[_\-. ]+", path.stem) for path in paths]
    for place in range(min(map(len, fields))):
        names = [field[place] for field in fields]
        if len(set(names)) > 1 and all(map(_is_known_emotion, names)):
            return names, f"label: part {place + 1} of the file names"
    parts = next((sorted(set(names)) for names in _folder_levels(paths) if _are_split_parts(names)), [])
    reason = f"its folders are parts of a split ({', '.join(parts)})" if parts else "it has no sub-folders that differ"
    raise CorpusError(
        f"the labels of {root} cannot be guessed, for {reason}; lay the files in a folder for each "
        "label, give a CSV, or a regular expression such as --label '_([a-z]+)_'"
    )


def _are_split_parts(names: Sequence[str]) -> bool:
    return all(name.lower() in SPLIT_PARTS for name in set(names))


def _guess_speakers(paths: Sequence[PurePath], labels: Sequence[str]) -> tuple[list[str], str]:
    candidates = [
        (names, "the folders")
        for names in _folder_levels(paths)
        if names != list(labels) and not _are_split_parts(names)
    ]
    first_fields = [re.split(r"[_\-. ]+", path.stem)[0] for path in paths]
    if not any(name.isdigit() for name in first_fields):
        candidates.append((first_fields, "the beginning of the file names"))
    for names, place in candidates:
        labels_of = defaultdict(set)
        for name, label in zip(names, labels, strict=True):
            labels_of[name].add(label)
        # A speaker is met several times, and mostly under more than one label; a take or a word is not.
        speakers_with_labels = sum(len(speaker_labels) > 1 for speaker_labels in labels_of.values())
        if 1 < len(labels_of) <= len(paths) / 3 and speakers_with_labels > len(labels_of) / 2:
            return names, f"speaker: {place} ({first_few(sorted(labels_of), 6)})"
    return [""] * len(paths), "speaker: not known; tell it with --speaker, a regular expression such as '^([^_]+)_'"
