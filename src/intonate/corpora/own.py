"""Labelled recordings of anybody's own, with any labels: a table, folders, or sessions that were labelled on the page.

What is the label and who speaks is guessed from columns, folders and file names, and every guess is told; a column's
name, or a regular expression with one group for the path of a file, overrides it.
"""

from __future__ import annotations

import json
import os
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePath

from intonate.audio import stretches
from intonate.audio.decode import AUDIO_SUFFIXES
from intonate.corpora import own_folder, table_notes
from intonate.corpora.manifest import ALIASES, FOLD_NAMES, GENDERS, SHOWN_COLUMNS, parse_stretch, read_rows
from intonate.corpora.overlap import first_few
from intonate.corpora.own_folder import SPLIT_PARTS, TRAINING_PARTS
from intonate.corpora.reader import files
from intonate.corpora.table_text import cells_of, file_in, known, refuse_answers, refuse_faulty_rows
from intonate.emotions import canonical_or_same
from intonate.errors import CorpusError, LabelError
from intonate.schema import Utterance

CORPUS = "own"
# Column -> the names that it goes by, as `stretches.column_name` writes them; the likeliest first.
COLUMNS: dict[str, tuple[str, ...]] = {
    "file": ("file", *ALIASES["file"], "recording", "clip", "sound", "file_id"),
    "label": ("label", "emotion", *ALIASES["emotion"], "class", "category", "sentiment", "annotation", "tag"),
    "speaker": ("speaker", *ALIASES["speaker"], "caller", "person", "participant", "subject", "user", "voice", "agent"),
    "gender": ("gender", *ALIASES["gender"]),
    "language": ("language", *ALIASES["language"]),
    **{column: names for column, names in stretches.COLUMNS.items() if column != "file"},
    "age": ("age",),
    "split": FOLD_NAMES,
}
# What the page saves labels as, and the label that it gives to a piece without speech.
LABELS_FORMAT, SILENCE = "intonate-labels", "silence"
TABLES = (".csv", ".tsv", ".jsonl")
# How the folders end that Intonate writes its own tables into.
REPORT = "-report"


# Of a row: its file, start and end, seconds.
Clip = tuple[str, float, float | None]


@dataclass(frozen=True)
class Recordings:
    """What was read.

    Attributes:
        utterances: with the labels as `emotion`; speakers begin with `own/`.
        notes: what was taken for what, a sentence each.
        parts: {clip: `train`, `test`…}, where a column of a table says it of all.
    """

    utterances: list[Utterance]
    notes: list[str]
    parts: Mapping[Clip, str] = field(default_factory=dict)

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
    # A model of others may have two labels that differ in case only: what is spelled just so goes first.
    spelling = {_label_key(label): label for label in labels} | {label: label for label in labels}

    def spelled(row: Utterance) -> str:
        names = (row.raw_label, _label_key(row.raw_label), row.emotion, _label_key(row.emotion))
        return next((spelling[name] for name in names if name in spelling), row.emotion)

    return [replace(row, emotion=spelled(row)) for row in recordings.utterances]


def _label_key(label: str) -> str:
    """What all spellings of a label have in common."""
    return label.strip().lower()


def _with_usual_labels(recordings: Recordings) -> Recordings:
    """One name for each label, the commonest spelling; known emotions under their usual names, but for labels that
    would become one by it.
    """
    spellings = Counter(row.raw_label for row in recordings.utterances)
    if invalid_names := [name for name in spellings if "|" in name]:
        raise CorpusError(f"label {invalid_names[0]!r} has a '|' in it, which separates labels; rename it")
    names: dict[str, str] = {}
    for spelling, _ in spellings.most_common():
        names.setdefault(_label_key(spelling), spelling.strip())
    usual_names = {key: canonical_or_same(name) for key, name in names.items()}
    counts = Counter(usual_names.values())
    shared = [name for name, count in counts.items() if count > 1]
    names = {key: name if usual_names[key] in shared else usual_names[key] for key, name in names.items()}
    notes = [
        f"label {spelling!r} is called {names[_label_key(spelling)]!r}"
        for spelling in sorted(spellings)
        if spelling != names[_label_key(spelling)]
    ]
    for usual_name in shared:
        kept = [repr(name) for key, name in names.items() if usual_names[key] == usual_name]
        notes.append(f"labels {' and '.join(kept)} are usually one, {usual_name!r}, and are kept as {len(kept)}")
    rows = [replace(row, emotion=names[_label_key(row.raw_label)]) for row in recordings.utterances]
    label_counts = Counter(row.emotion for row in rows)
    notes.insert(0, "labels: " + first_few([f"{name} {count:,}" for name, count in label_counts.most_common()], 20))
    return replace(recordings, utterances=rows, notes=[*recordings.notes, *notes])


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
        names = next((row for _, row in read_rows(path) if any(row)), [])
    except CorpusError:
        return True
    return {"file", "label"} <= stretches.places(names, _columns_named(chosen_names)).keys()


def _read_table(path: Path, label: str, speaker: str, file: str, root: Path | None = None) -> Recordings:
    """A table's rows; their files lie beside it, or in `root`."""
    rows = [(line, row) for line, row in read_rows(path) if any(row)]
    if len(rows) < 2:
        raise CorpusError(f"{path} has no rows; expected a header and a row for each recording")
    names = [name.strip() for name in rows[0][1]]
    chosen_names = {"label": label, "speaker": speaker, "file": file}
    places = _column_positions(path, names, [row for _, row in rows[1:]], chosen_names)
    find_file = _file_finder(path.parent, root or path.parent)
    utterances, cells, missing_files = [], [], []
    problems: list[CorpusError | LabelError] = []
    for line, row in rows[1:]:
        cell = cells_of(row, places, names)
        try:
            utterance = _parse_row(cell, f"{path}, line {line}")
        except CorpusError as error:
            problems.append(error)
            continue
        if (path_found := find_file(cell["file"])) is None:
            missing_files.append(cell["file"])
        else:
            utterances.append(replace(utterance, path=path_found))
            cells.append(cell)
    refuse_faulty_rows(path, problems)
    if missing_files:
        raise CorpusError(f"{path} names {len(missing_files)} files that are not there: {first_few(missing_files, 10)}")
    parts, remarks = _parts(cells, utterances), table_notes.notes_on(cells, utterances)
    if "split" in places and not parts:
        remarks.append(
            f"split: column {names[places.pop('split')]!r} is not followed, for it does not say train or test in all "
            "rows; name the speakers to test on with --hold-out"
        )
    notes = [f"{column}: column {names[place]!r}" for column, place in places.items()]
    if unused := [name for place, name in enumerate(names) if place not in places.values()]:
        notes.append(f"not used: columns {first_few([repr(name) for name in unused], SHOWN_COLUMNS)}")
    return Recordings(utterances, [*notes, *remarks], parts)


def clip_of(row: Utterance) -> Clip:
    return row.path, row.start_s, row.end_s


def _parts(cells: Sequence[Mapping[str, str]], utterances: Sequence[Utterance]) -> dict[Clip, str]:
    """The part of a split of each row, where the column has nothing else, and one to train on beside another."""
    parts = [cell.get("split", "").lower() for cell in cells]
    kinds = {part in TRAINING_PARTS for part in parts}
    if not set(parts) <= SPLIT_PARTS or len(kinds) < 2:
        return {}
    return {clip_of(row): part for row, part in zip(utterances, parts, strict=True)}


def _parse_row(cell: dict[str, str], location: str) -> Utterance:
    if not cell["file"] or not cell["label"]:
        empty = "label" if cell["file"] else "file"
        raise CorpusError(f"{location}: the {empty} is empty; fill it or drop the row")
    gender = known(cell.get("gender", "")).lower()
    start_s, end_s = parse_stretch(cell, location)
    return replace(
        _utterance(cell["file"], cell["label"], known(cell.get("speaker", ""))),
        gender=GENDERS.get(gender, gender),
        language=cell.get("language", ""),
        age=table_notes.parse_age(cell.get("age", "")),
        start_s=start_s,
        end_s=end_s,
    )


def _columns_named(chosen_names: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """`COLUMNS`, where a column that was named goes by that name alone, however it is written."""
    chosen = {
        column: (name.strip(), name.strip().lower(), stretches.column_name(name))
        for column, name in chosen_names.items()
        if name
    }
    return {column: chosen[column] for column in chosen} | {k: v for k, v in COLUMNS.items() if k not in chosen}


def _column_positions(
    path: Path, names: list[str], rows: Sequence[list[str]], chosen_names: Mapping[str, str]
) -> dict[str, int]:
    # Beside answers of a model the truth is the emotion.
    if not chosen_names["label"] and {"guess", "abstained", "emotion"} <= set(map(stretches.column_name, names)):
        chosen_names = {**chosen_names, "label": "emotion"}
    positions = stretches.places(names, _columns_named(chosen_names), rows)
    for column, chosen_name in chosen_names.items():
        if column not in positions and (chosen_name or column != "speaker"):
            problem = f"no column {chosen_name!r}" if chosen_name else f"no column that is known for the {column}"
            raise CorpusError(
                f"{path} has {problem}: it has {first_few(names, SHOWN_COLUMNS)}; name one with --{column} COLUMN"
            )
    if not chosen_names["label"]:
        refuse_answers(path, names, positions["label"])
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
    rows, notes = own_folder.read(root, label, speaker)
    return Recordings([_utterance(*row) for row in rows], notes)


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
