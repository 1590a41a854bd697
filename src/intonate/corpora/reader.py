"""Walking, sorting and the collecting of problems, written once for every corpus.

A corpus is data (`Corpus`) plus one small function that turns a file's path into an Utterance, or raises with the
reason why it cannot. No file that could be audio is ever dropped silently: it is an utterance or a problem.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePath

from intonate.audio.decode import AUDIO_SUFFIXES
from intonate.audio.listing import refuse_unreadable
from intonate.errors import CorpusError, IntonateError
from intonate.schema import Utterance

# What is known besides the file names, {clip name: {column: value}}; empty where the name says it all. A row that is
# said of a speaker is under the speaker's name, which has a slash (`cremad/1001`).
Table = Mapping[str, Mapping[str, str]]

# Lie beside the audio in a published corpus and say nothing about one clip of it; ignored without a word.
SIDE_SUFFIXES = frozenset(
    (".txt", ".tsv", ".csv", ".md", ".pdf", ".json", ".xml", ".yaml", ".yml", ".html", ".zip", ".docx", ".xlsx")
)
SIDE_NAMES = frozenset({"license", "licence", "readme", "desktop.ini", "thumbs.db"})


@dataclass(frozen=True)
class Corpus:
    """What a published corpus is, and how its file names are read.

    Attributes:
        name: the catalogue name, the first part of its speakers' names.
        title: its full name.
        url: where it is published.
        licence: SPDX identifier, or a sentence where there is none.
        citation: what to cite.
        language: ISO 639-1 code.
        emotions: the official number of clips per canonical emotion.
        speakers: the official number of speakers.
        grammar: the file-name grammar in one line, shown where a file does not follow it.
        example_names: paths that follow it (the contract suite reads them).
        parse: (path relative to the root, table) -> Utterance, or several where one file holds a whole dialogue (none
            where the file only accompanies the clips); raises an IntonateError that says why it cannot.
        size_gb: about how much disk the published audio takes, GB.
        table: root -> what is known of the clips besides their names; {} by default.
        example_table: the {relative path: text} of the table that `example_names` needs.
        side_suffixes: further endings of files that belong to the corpus and are not clips.
        unique_names: no two clips have one name, so that a second one is a copy and is reported.
        clip_name: the name of the clip that lies at a relative path, as the table has it.
        speakers_of: the catalogue name that its speakers carry; its own by default.
        missing_columns: columns that cannot be filled for every clip (`text`, `sentence`).
        faults: {clip name: what is wrong with it}; such clips are read, and told when the corpus is described.
        find: reads the root in another way than by walking its folders; None for the usual way.
    """

    name: str
    title: str
    url: str
    licence: str
    citation: str
    language: str
    emotions: Mapping[str, int]
    speakers: int
    grammar: str
    example_names: tuple[str, ...]
    parse: Callable[[PurePath, Table], Utterance | Sequence[Utterance]]
    size_gb: float = 0.0
    table: Callable[[Path], Table] = lambda root: {}
    example_table: Mapping[str, str] = field(default_factory=dict)
    side_suffixes: frozenset[str] = frozenset()
    unique_names: bool = True
    clip_name: Callable[[PurePath], str] = lambda path: path.stem
    speakers_of: str = ""
    missing_columns: frozenset[str] = frozenset()
    faults: Mapping[str, str] = field(default_factory=dict)
    find: Callable[[Path], Reading] | None = None

    @property
    def clips(self) -> int:
        """The official number of clips; 0 for data of the user's own."""
        return sum(self.emotions.values())

    @property
    def home(self) -> str:
        """Where it is to be had, under which licence, how large it is."""
        return f"{self.title}: {self.url} ({self.licence}; about {self.size_gb:g} GB)"


@dataclass(frozen=True)
class Problem:
    """A file that lies in the corpus and could not be understood, and why."""

    path: str
    reason: str

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


@dataclass(frozen=True)
class Reading:
    """What was found in a folder.

    Attributes:
        corpus: the catalogue name.
        utterances: sorted by path, those of one file by their start.
        problems: sorted by path.
        missing_clips: how many clips the corpus's own table names that are not on disk.
    """

    corpus: str
    utterances: tuple[Utterance, ...]
    problems: tuple[Problem, ...] = ()
    missing_clips: int = 0


def read(corpus: Corpus, root: str | os.PathLike[str]) -> Reading:
    """Read every clip of a corpus below `root`, however its folders are nested.

    Paths are stored as the given root plus the relative path. Reading twice gives the same answer.

    Raises:
        CorpusError: `root` is not a folder, holds no audio, or no file of it follows the corpus's grammar.
    """
    root = Path(root)
    if corpus.find is not None:
        return corpus.find(root)
    if not root.is_dir():
        address = f" ({corpus.url})" if corpus.url else ""
        raise CorpusError(f"{root} is not a folder; expected the folder that holds {corpus.title}{address}")
    table = corpus.table(root)
    utterances: list[Utterance] = []
    problems: list[Problem] = []
    path_of_name: dict[str, str] = {}
    for relative in files(root):
        path = str(root / relative)
        suffix = relative.suffix.lower()
        if suffix not in AUDIO_SUFFIXES:
            if not _is_side_file(relative, corpus):
                problems.append(Problem(path, "neither audio nor a known companion file"))
            continue
        name = corpus.clip_name(relative)
        earlier_path = path_of_name.get(name)
        if corpus.unique_names and earlier_path is not None:
            problems.append(Problem(path, f"a second file of the same name as {earlier_path}: a copy, left out"))
            continue
        try:
            parsed_clips = corpus.parse(relative, table)
        except IntonateError as error:
            problems.append(Problem(path, str(error)))
            continue
        path_of_name[name] = path
        turns = [parsed_clips] if isinstance(parsed_clips, Utterance) else parsed_clips
        utterances += [replace(turn, path=path) for turn in turns]
    if not utterances:
        _refuse_unreadable(corpus, root, problems)
    table_clips = sum("/" not in name for name in table)
    return Reading(corpus.name, tuple(utterances), tuple(problems), missing_clips=max(0, table_clips - len(utterances)))


def files(root: Path) -> list[PurePath]:
    """The relative path of every file below root but hidden ones and macOS archive residue, sorted.

    Raises:
        AudioError: a folder may not be read.
    """
    paths: list[PurePath] = []
    for folder, folders, names in os.walk(root, onerror=refuse_unreadable):
        folders[:] = [name for name in folders if not name.startswith(".") and name != "__MACOSX"]
        paths += [PurePath(folder, name).relative_to(root) for name in names if not name.startswith(".")]
    return sorted(paths, key=PurePath.as_posix)


def table_rows(
    paths: Sequence[Path], columns: Sequence[str], title: str, separator: str = ","
) -> list[dict[str, str]] | None:
    """The rows of a published table, from the first of these places where it is; None where it is in none.

    Raises:
        CorpusError: one of the columns is missing, so that it is not the table of the corpus called `title`.
    """
    path = next((path for path in paths if path.is_file()), None)
    if path is None:
        return None
    with path.open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file, delimiter=separator)
        if missing_columns := [column for column in columns if column not in (rows.fieldnames or ())]:
            raise CorpusError(f"{path} has no column {missing_columns[0]!r}; expected {title}'s own table")
        return list(rows)


def fields(path: PurePath, separator: str, count: int, corpus_grammar: str) -> list[str]:
    """The parts of a file's stem, or an error that shows the grammar.

    Raises:
        CorpusError: there are not `count` of them.
    """
    parts = path.stem.split(separator)
    if len(parts) != count:
        raise CorpusError(f"name does not follow {corpus_grammar}")
    return parts


def look_up(code: str, codes: Mapping[str, str], kind: str) -> str:
    """The meaning of a code of the file name.

    Raises:
        CorpusError: the code has none.
    """
    try:
        return codes[code]
    except KeyError:
        raise CorpusError(f"{kind} {code!r} is not one of {', '.join(codes)}") from None


def _is_side_file(path: PurePath, corpus: Corpus) -> bool:
    suffix = path.suffix.lower()
    return suffix in SIDE_SUFFIXES or suffix in corpus.side_suffixes or path.name.lower() in SIDE_NAMES


def _refuse_unreadable(corpus: Corpus, root: Path, problems: list[Problem]) -> None:
    audio_problems = [problem for problem in problems if PurePath(problem.path).suffix.lower() in AUDIO_SUFFIXES]
    if not audio_problems:
        raise CorpusError(f"{root} holds no audio file; expected the clips of {corpus.title}, named {corpus.grammar}")
    raise CorpusError(
        f"none of the {len(audio_problems)} audio files in {root} can be read as {corpus.title}; "
        f"the first: {audio_problems[0]}"
    )
