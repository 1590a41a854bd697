"""Labelled recordings of anybody's own, with any labels: a table, folders, or sessions that were labelled on the page.

What is the label and who speaks is guessed from columns, folders and file names, and every guess is told; a column's
name, or a regular expression with one group for the path of a file, overrides it.
"""

from __future__ import annotations

import json
import os
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePath

from intonate.audio.decode import AUDIO_SUFFIXES
from intonate.corpora.manifest import ALIASES, GENDERS, parse_seconds, read_rows
from intonate.corpora.overlap import first_few
from intonate.corpora.reader import files
from intonate.corpora.table_text import EMPTY, file_in, refuse_faulty_rows
from intonate.emotions import canonical, canonical_or_same
from intonate.errors import CorpusError, LabelError
from intonate.schema import Utterance

CORPUS = "own"
# Column -> the names that it goes by, in lower case; the likeliest first.
COLUMNS: dict[str, tuple[str, ...]] = {
    "file": ("file", *ALIASES["file"], "recording", "clip", "sound", "file_id"),
    "label": ("label", "emotion", *ALIASES["emotion"], "class", "category", "sentiment", "annotation", "tag"),
    "speaker": ("speaker", *ALIASES["speaker"], "caller", "person", "participant", "subject", "user", "voice", "agent"),
    "gender": ("gender", *ALIASES["gender"]),
    "language": ("language", *ALIASES["language"]),
    "start": ("start", *ALIASES["start"]),
    "end": ("end", *ALIASES["end"]),
    "age": ("age",),
}
# What the page saves labels as, and the label that it gives to a piece without speech.
LABELS_FORMAT, SILENCE = "intonate-labels", "silence"
TABLES = (".csv", ".tsv", ".jsonl")
# What folders of a split are called, in lower case: never labels, and nobody's name.
SPLIT_PARTS = frozenset(
    ("train", "training", "test", "testing", "val", "valid", "validation", "dev", "eval", "evaluation")
)
# How the folders end that Intonate writes its own tables into.
REPORT = "-report"


@dataclass(frozen=True)
class Recordings:
    """What was read.

    Attributes:
        utterances: with the labels as `emotion`; speakers begin with `own/`.
        notes: what was taken for what, a sentence each.
    """

    utterances: list[Utterance]
    notes: list[str]

    @property
    def labels(self) -> tuple[str, ...]:
        return tuple(sorted({row.emotion for row in self.utterances}))


def read(source: str | os.PathLike[str], label: str = "", speaker: str = "", file: str = "") -> Recordings:
    """Read a CSV (TSV, JSON lines), a folder, or the labels that the page saved beside the recording of a session.

    Args:
        source: the table, folder or `… labels.json`.
        label: the column of the labels; of a folder, a regular expression with one group for the path of a file.
        speaker: the same for who speaks.
        file: the column of the files.

    Raises:
        CorpusError: nothing is there, a column or a file is missing, no label can be found, or a folder has several
            tables.
    """
    path = Path(source)
    if path.is_dir():
        if (table := _table_of_folder(path, {"label": label, "speaker": speaker, "file": file})) is not None:
            return _with_usual_labels(_read_table(table, label, speaker, file, path))
        if sessions := sorted(path.glob("*labels.json")):
            parts = [_read_session(entry) for entry in sessions]
            return _with_usual_labels(
                Recordings(
                    [row for part in parts for row in part.utterances], [n for part in parts for n in part.notes]
                )
            )
        return _with_usual_labels(_read_folder(path, label, speaker))
    if not path.is_file():
        raise CorpusError(f"{path} does not exist; expected a folder of recordings, a CSV, or labels saved by the page")
    return _with_usual_labels(
        _read_session(path) if path.suffix == ".json" else _read_table(path, label, speaker, file)
    )


def with_labels(recordings: Recordings, labels: Sequence[str]) -> list[Utterance]:
    """The rows with each label spelled as a model spells it, whatever the case; the others as they are."""
    # A model of before may have two labels that differ in case only: what is spelled just so goes first.
    spelling = {_label_key(label): label for label in labels} | {label: label for label in labels}

    def spelled(row: Utterance) -> str:
        names = (row.raw_label, _label_key(row.raw_label), row.emotion, _label_key(row.emotion))
        return next((spelling[name] for name in names if name in spelling), row.emotion)

    return [replace(row, emotion=spelled(row)) for row in recordings.utterances]


def _label_key(label: str) -> str:
    """What all spellings of a label have in common."""
    return label.strip().lower()


def _with_usual_labels(recordings: Recordings) -> Recordings:
    """One name for each label, the commonest spelling; known emotions under their usual names, where no two labels
    become one by it.
    """
    spellings = Counter(row.raw_label for row in recordings.utterances)
    if invalid_names := [name for name in spellings if "|" in name]:
        raise CorpusError(f"label {invalid_names[0]!r} has a '|' in it, which separates labels; rename it")
    names: dict[str, str] = {}
    for spelling, _ in spellings.most_common():
        names.setdefault(_label_key(spelling), spelling.strip())
    usual_names = {key: canonical_or_same(name) for key, name in names.items()}
    if len(set(usual_names.values())) == len(names):
        names = usual_names
    notes = [
        f"label {spelling!r} is called {names[_label_key(spelling)]!r}"
        for spelling in sorted(spellings)
        if spelling != names[_label_key(spelling)]
    ]
    rows = [replace(row, emotion=names[_label_key(row.raw_label)]) for row in recordings.utterances]
    return Recordings(rows, [*recordings.notes, *notes])


def _table_of_folder(root: Path, chosen_names: dict[str, str]) -> Path | None:
    """The table that tells the labels of a folder: in it, or directly in its sub-folders; None where there is none.

    Raises:
        CorpusError: there are several.
    """
    if "(" in chosen_names["label"]:  # a pattern for the paths of files
        return None
    root_tables = _tables_in(root)
    labelled = [path for path in root_tables if _has_labels(path, chosen_names)]
    if len(labelled) == 1 or (len(root_tables) == 1 and not labelled):
        return (labelled or root_tables)[0]
    for folder in sorted(root.iterdir()):
        if folder.is_dir() and not folder.name.startswith(".") and not folder.name.endswith(REPORT):
            labelled += [path for path in _tables_in(folder) if _has_labels(path, chosen_names)]
    if len(labelled) > 1:
        names = first_few([path.relative_to(root).as_posix() for path in labelled], 10)
        raise CorpusError(
            f"{root} holds {len(labelled)} tables with labels, and it is not clear which one is meant: {names}; "
            f"name one, e.g. {labelled[0]}, or take the names of folders for labels with --label '^([^/]+)/'"
        )
    return labelled[0] if labelled else None


def _tables_in(folder: Path) -> list[Path]:
    return sorted(entry for entry in folder.iterdir() if entry.suffix.lower() in TABLES and entry.is_file())


def _has_labels(path: Path, chosen_names: dict[str, str]) -> bool:
    """Whether a table has files and labels; one that cannot be read may have, and is told of when it is read."""
    try:
        names = {name.strip().lower() for name in next((row for _, row in read_rows(path) if any(row)), [])}
    except CorpusError:
        return True
    return all(
        not names.isdisjoint((chosen_names[column].lower(),) if chosen_names[column] else COLUMNS[column])
        for column in ("file", "label")
    )


def _read_table(path: Path, label: str, speaker: str, file: str, root: Path | None = None) -> Recordings:
    """A table's rows; their files lie beside it, or in `root`."""
    rows = [(line, row) for line, row in read_rows(path) if any(row)]
    if len(rows) < 2:
        raise CorpusError(f"{path} has no rows; expected a header and a row for each recording")
    names = [name.strip() for name in rows[0][1]]
    places = _column_positions(path, names, {"label": label, "speaker": speaker, "file": file})
    find_file = _file_finder(path.parent, root or path.parent)
    utterances, missing_files = [], []
    problems: list[CorpusError | LabelError] = []
    for line, row in rows[1:]:
        texts = {column: row[place].strip() if place < len(row) else "" for column, place in places.items()}
        cell = {column: "" if text in EMPTY else text for column, text in texts.items()}
        try:
            utterance = _parse_row(cell, f"{path}, line {line}")
        except CorpusError as error:
            problems.append(error)
            continue
        if (path_found := find_file(cell["file"])) is None:
            missing_files.append(cell["file"])
        else:
            utterances.append(replace(utterance, path=path_found))
    refuse_faulty_rows(path, problems)
    if missing_files:
        raise CorpusError(f"{path} names {len(missing_files)} files that are not there: {first_few(missing_files, 10)}")
    notes = [f"{column}: column {names[place]!r}" for column, place in places.items()]
    if unused := [name for place, name in enumerate(names) if place not in places.values()]:
        notes.append(f"not used: columns {', '.join(map(repr, unused))}")
    return Recordings(utterances, notes)


def _parse_row(cell: dict[str, str], location: str) -> Utterance:
    if not cell["file"] or not cell["label"]:
        empty = "label" if cell["file"] else "file"
        raise CorpusError(f"{location}: the {empty} is empty; fill it or drop the row")
    gender = cell.get("gender", "").lower()
    return replace(
        _utterance(cell["file"], cell["label"], cell.get("speaker", "")),
        gender=GENDERS.get(gender, gender),
        language=cell.get("language", ""),
        age=parse_seconds(cell.get("age", ""), "age", location),
        start_s=parse_seconds(cell.get("start", ""), "start", location) or 0.0,
        end_s=parse_seconds(cell.get("end", ""), "end", location),
    )


def _column_positions(path: Path, names: list[str], chosen_names: dict[str, str]) -> dict[str, int]:
    lower_names = [name.lower() for name in names]
    positions = {}
    for column, aliases in COLUMNS.items():
        chosen_name = chosen_names.get(column, "")
        matching_names = [name for name in ((chosen_name.lower(),) if chosen_name else aliases) if name in lower_names]
        if matching_names:
            positions[column] = lower_names.index(matching_names[0])
        elif chosen_name or column in ("file", "label"):
            problem = f"no column {chosen_name!r}" if chosen_name else f"no column that is known for the {column}"
            raise CorpusError(f"{path} has {problem}: it has {', '.join(names)}; name one with --{column} COLUMN")
    return positions


def _file_finder(folder: Path, root: Path) -> Callable[[str], str | None]:
    """Where a file that a table names lies: as it says, or anywhere below, with another ending if need be."""
    paths_by_name: dict[str, list[Path]] = defaultdict(list)

    def find_file(name: str) -> str | None:
        for place in (folder, root):
            if os.path.isfile(path := file_in(place, name)):
                return path
        if not paths_by_name:
            for entry in files(root):
                if entry.suffix.lower() in AUDIO_SUFFIXES:
                    paths_by_name[entry.name].append(root / entry)
                    paths_by_name[entry.stem].append(root / entry)
        last_part = PurePath(name.replace("\\", "/"))
        for key in (last_part.name, last_part.stem if last_part.suffix.lower() in AUDIO_SUFFIXES else name):
            # Of two with one name the one beside the table: train/a.wav for train/metadata.csv.
            paths = set(paths_by_name.get(key, ()))
            paths = {path for path in paths if path.is_relative_to(folder)} or paths
            if len(paths) == 1:
                return str(next(iter(paths)))
        return None

    return find_file


def _read_folder(root: Path, label: str, speaker: str) -> Recordings:
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
    rows = [
        _utterance(str(root / path), name, speaker_name)
        for path, name, speaker_name in zip(paths, labels, speakers, strict=True)
    ]
    return Recordings(rows, notes)


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
        return chosen, f"label: the folders {_listing(set(chosen))}"
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
            return names, f"speaker: {place} ({_listing(labels_of)})"
    return [""] * len(paths), "speaker: not known; tell it with --speaker, a regular expression such as '^([^_]+)_'"


def _listing(names: Collection[str], most: int = 6) -> str:
    return ", ".join(sorted(names)[:most]) + f" and {len(names) - most} more" * (len(names) > most)


def _read_session(path: Path) -> Recordings:
    try:
        saved = json.loads(path.read_text(encoding="utf-8"))
        if saved["format"] != LABELS_FORMAT:
            raise ValueError
        pieces = [(float(row["start"]), float(row["end"]), str(row["label"])) for row in saved["labels"]]
        name = str(saved["file"])
    except (ValueError, KeyError, TypeError, UnicodeDecodeError):
        raise CorpusError(f"{path} holds no labels that the page saved; choose one saved with 'Save labels'") from None
    stems = (name, PurePath(name).stem)
    sound_files = [entry for entry in sorted(path.parent.iterdir()) if entry.suffix.lower() in AUDIO_SUFFIXES]
    recording = next((entry for entry in sound_files if entry.name == name), None) or next(
        (entry for entry in sound_files if entry.stem in stems), None
    )
    if recording is None:
        raise CorpusError(
            f"the recording {name!r} of {path} is not beside it; save it there as well (WAV), under this name"
        )
    counts = Counter(label for _, _, label in pieces)
    rows = [
        replace(_utterance(str(recording), label, ""), start_s=start, end_s=end)
        for start, end, label in pieces
        if label != SILENCE
    ]
    notes = [f"label: {len(rows)} pieces of {recording.name}, labelled on the page", "speaker: not known"]
    if counts[SILENCE]:
        notes.append(f"left out: {counts[SILENCE]} pieces without speech")
    return Recordings(rows, notes)


def _utterance(path: str, label: str, speaker: str) -> Utterance:
    speaker_name = f"{CORPUS}/{speaker}" if speaker else ""
    return Utterance(path=path, emotion=label, raw_label=label, speaker=speaker_name, corpus=CORPUS)
