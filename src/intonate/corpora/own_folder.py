"""Recordings that folders and file names tell of: what is the label and who speaks, guessed or by a pattern."""

from __future__ import annotations

import itertools
import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path, PurePath

from intonate import corpora
from intonate.audio.decode import AUDIO_SUFFIXES
from intonate.corpora.overlap import first_few
from intonate.corpora.reader import Corpus, files
from intonate.emotions import is_known
from intonate.errors import CorpusError, IntonateError

# What folders of a split are called, in lower case: never labels, and nobody's name.
SPLIT_PARTS = frozenset(
    ("train", "training", "test", "testing", "val", "valid", "validation", "dev", "eval", "evaluation")
)
TRAINING_PARTS = ("train", "training")
EXPECTED = "lay the files in a folder for each label, give a CSV, or a regular expression such as --label '_([a-z]+)_'"


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
    """The names of the folders, level by level; empty for a file that does not lie as deep."""
    folders = [path.parts[:-1] for path in paths]
    return [list(names) for names in itertools.zip_longest(*folders, fillvalue="")]


def _known_share(names: Sequence[str]) -> float:
    """The share of files whose name is a known emotion."""
    return sum(map(is_known, names)) / len(names)


def _guess_labels(root: Path, paths: Sequence[PurePath]) -> tuple[list[str], str]:
    """What most files have a known emotion for: a level of the folders, the nearest folder, a part of the file names.

    Raises:
        CorpusError: nothing differs, some files have no label, or it is not clear which folders are the labels.
    """
    nearest = [next(filter(is_known, reversed(path.parts[:-1])), "") for path in paths]
    folders = [names for names in (*_folder_levels(paths), nearest) if len(set(names) - {""}) > 1]
    folders = [names for names in folders if not _are_split_parts(names)]
    fields = [re.split(r"[_\-. ]+", path.stem) for path in paths]
    parts = [[field[place] for field in fields] for place in range(min(map(len, fields)))]
    # Words of a file's name may be anything: a few that happen to be emotions are no labels.
    names_with_emotions = [names for names in parts if len(set(names)) > 1 and _known_share(names) > 0.5]
    choices = [*folders, *names_with_emotions]
    if not any(map(_known_share, choices)):
        _refuse_published_corpora(root, paths)
        _refuse_crossing_levels(root, [names for names in folders if "" not in names])
    if not choices:
        raise CorpusError(f"the labels of {root} cannot be guessed, for {_why_nothing_differs(paths)}; {EXPECTED}")
    chosen = max(choices, key=lambda names: (_known_share(names), -names.count("")))
    if chosen not in folders:
        # Folders that part the files just as the emotions in their names do are what their owner calls these.
        count = len(set(chosen))
        chosen = next((names for names in folders if _pairs(names, chosen) == len(set(names)) == count), chosen)
    if stray_paths := [path.as_posix() for path, name in zip(paths, chosen, strict=True) if not name]:
        raise CorpusError(
            f"{len(stray_paths)} of {len(paths)} files in {root} lie in no folder of a label: "
            f"{first_few(stray_paths, 3)}; move them, or tell labels with a CSV or --label"
        )
    if chosen in folders:
        return chosen, f"label: the folders {first_few(sorted(set(chosen)), 6)}"
    return chosen, f"label: part {parts.index(chosen) + 1} of the file names"


def _why_nothing_differs(paths: Sequence[PurePath]) -> str:
    parts = next((sorted(set(names)) for names in _folder_levels(paths) if _are_split_parts(names)), [])
    return f"its folders are parts of a split ({', '.join(parts)})" if parts else "it has no sub-folders that differ"


def _refuse_published_corpora(root: Path, paths: Sequence[PurePath]) -> None:
    """Refuse files that are named as published corpora name theirs: their names tell the emotions in codes."""
    # Corpora of the user's own have no number of clips.
    published = [corpus for corpus in map(corpora.get, corpora.CATALOGUE) if corpus.clips]
    names = [corpus.name for corpus in published if sum(_is_clip_of(corpus, path) for path in paths) > len(paths) / 2]
    if names:
        raise CorpusError(
            f"the files in {root} are named like those of a published corpus ({', '.join(names)}), and its folders are "
            f"no emotions; make a table of them with: intonate manifest table.csv "
            f"{' or '.join(f'{name}={root}' for name in names)}; "
            "or, where its folders are labels of your own, say so with --label '^([^/]+)/'"
        )


def _pairs(first: Sequence[str], second: Sequence[str]) -> int:
    return len(set(zip(first, second, strict=True)))


def _refuse_crossing_levels(root: Path, levels: Sequence[Sequence[str]]) -> None:
    """Refuse two levels neither of which tells the other: each could be the labels, and the other who speaks."""
    for first, second in itertools.combinations(levels, 2):
        if _pairs(first, second) > max(len(set(first)), len(set(second))):
            texts = [first_few(sorted(set(names)), 3) for names in (first, second)]
            raise CorpusError(
                f"the labels of {root} cannot be guessed: they may be the folders {texts[0]}, or {texts[1]}; say which "
                "with --label, e.g. '^([^/]+)/' for the outer ones, '([^/]+)/[^/]+$' for the inner ones"
            )


def _is_clip_of(corpus: Corpus, path: PurePath) -> bool:
    try:
        return bool(corpus.parse(path, {}))
    except (IntonateError, LookupError):
        return False


def _are_split_parts(names: Sequence[str]) -> bool:
    return all(name.lower() in SPLIT_PARTS for name in set(names) - {""})


def _guess_speakers(paths: Sequence[PurePath], labels: Sequence[str]) -> tuple[list[str], str]:
    candidates = [
        (names, "the folders")
        for names in _folder_levels(paths)
        if names != list(labels) and "" not in names and not _are_split_parts(names)
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
            people = first_few(sorted(labels_of), 6)
            return names, f"speaker: {place} ({people}); if these are no people, say who speaks with --speaker"
    return [""] * len(paths), "speaker: not known; tell it with --speaker, a regular expression such as '^([^_]+)_'"
