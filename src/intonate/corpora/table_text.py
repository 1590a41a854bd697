"""The text of a table as people save it: what it is by its first bytes, in which encoding, and how it names files."""

from __future__ import annotations

import csv
import itertools
import json
import os
import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from intonate.audio import kinds, stretches
from intonate.audio.stretches import EMPTY
from intonate.corpora.overlap import first_few
from intonate.errors import CorpusError, LabelError

# What a cell says of somebody whom nobody knows, in lower case.
UNKNOWN = frozenset(("unknown", "unk", "n/a", "na", "none", "null", "?", "-"))
# The letters of MSP-Podcast's column EmoClass.
EMOCLASS = {
    **{"A": "angry", "C": "contempt", "D": "disgust", "F": "fear", "H": "happy"},
    **{"N": "neutral", "O": "other", "S": "sad", "U": "surprise", "X": "unknown"},
}
SAVE_AS = "save it as CSV UTF-8 (in Excel: Save as, 'CSV UTF-8')"
# First bytes of what is no table, and what it is.
_FOREIGN: tuple[tuple[bytes, str], ...] = (
    (b"PK\x03\x04", f"is an Excel file or an archive, not a CSV; {SAVE_AS}"),
    (b"\xd0\xcf\x11\xe0", f"is an old Excel file, not a CSV; {SAVE_AS}"),
    (b"PAR1", "is a Parquet file, not a CSV; save it as one (in Python: pandas.read_parquet(…).to_csv(…))"),
)


def read_text(path: Path) -> str:
    """A table's text, from UTF-8, or from UTF-16 where its first bytes say so; line ends are kept.

    Raises:
        CorpusError: it cannot be read, or is no text of that kind.
    """
    try:
        kinds.check_fetched(path, CorpusError)
        data = path.read_bytes()
        for magic, sentence in _FOREIGN:
            if data.startswith(magic):
                raise CorpusError(f"{path} {sentence}")
        text = data.decode("utf-16" if data.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig")
    except OSError as error:
        raise CorpusError(f"{path} cannot be read as a CSV ({error})") from error
    except UnicodeDecodeError as error:
        raise CorpusError(f"{path} cannot be read as a CSV in UTF-8 ({error}); {SAVE_AS}") from error
    if "\0" in text:
        raise CorpusError(f"{path} cannot be read as a CSV in UTF-8 (it has NUL characters); {SAVE_AS}")
    return text


def known(text: str) -> str:
    """A cell's text; empty where it says that it is not known."""
    return "" if text in EMPTY or text.lower() in UNKNOWN else text


def cells_of(row: Sequence[str], places: Mapping[str, int], header: Sequence[str]) -> dict[str, str]:
    """The text of a row by what its columns are; empty for what a program that writes tables made of an empty cell."""
    cells = {}
    for column, place in places.items():
        text = row[place].strip() if place < len(row) else ""
        # What was said may be just that.
        cells[column] = "" if text in EMPTY and column != "text" else text
        if stretches.column_name(header[place]) == "emoclass":
            cells[column] = EMOCLASS.get(text.upper(), text)
    return cells


def refuse_answers(path: Path, header: Sequence[str], place: int) -> None:
    """Refuse to learn from a model's answers, or to score it by them: its `label` stands beside its `guess`.

    Raises:
        CorpusError: the column at `place`, taken for the truth, is such a label.
    """
    names = [stretches.column_name(name) for name in header]
    if names[place] == "label" and {"guess", "abstained"} <= set(names):
        raise CorpusError(
            f"{path} holds answers of a model (columns label, guess, abstained), not what the recordings are; put "
            "the truth in a column 'emotion', or, as answers to score, name it with --predictions"
        )


def data_lines(text: str) -> tuple[int, str]:
    """How many lines stand before a table's header, comments and Excel's `sep=;`, and the text from there on.

    >>> data_lines("sep=;\\n# of 2024; draft 2\\n#;file;label\\n")
    (2, '#;file;label\\n')
    """
    lines = text.splitlines(keepends=True)
    skipped = 0
    for line, following in itertools.pairwise(lines):
        if not _is_comment(line, following) and not re.fullmatch(r"sep=.", line.strip("\r\n")):
            break
        skipped += 1
    return skipped, "".join(lines[skipped:])


def _is_comment(line: str, following: str) -> bool:
    """Whether a line is no header: one that begins with `#` names a file, or has as many cells as the line below."""
    if not line.startswith("#"):
        return False
    cells, cells_below = (
        [next(csv.reader([text], delimiter=separator), []) for separator in ";,\t"] for text in (line, following)
    )
    names_file, is_above_header = (
        any(stretches.column_name(cell) in stretches.COLUMNS["file"] for cell in itertools.chain(*split_lines))
        for split_lines in (cells, cells_below)
    )
    if names_file != is_above_header:
        return is_above_header
    return not any(len(row) == len(below) > 1 for row, below in zip(cells, cells_below, strict=True))


def json_rows(text: str, path: Path) -> list[tuple[int, list[str]]] | None:
    """The rows of a table that has a JSON object on each line (Hugging Face's `metadata.jsonl`), first its columns.

    Returns:
        As `manifest.read_rows`; None for a text that does not begin like JSON.

    Raises:
        CorpusError: it is other JSON.
    """
    if path.suffix.lower() != ".jsonl" and not text.lstrip().startswith(("{", "[")):
        return None
    objects: list[tuple[int, dict[str, object]]] = []
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            try:
                objects.append((number, dict(json.loads(line).items())))
            except (ValueError, AttributeError):
                raise CorpusError(
                    f'{path}, line {number} is no JSON object like {{"file_name": "a.wav", "label": "sad"}}; '
                    "write one on each line, or save the table as CSV with the columns file and label"
                ) from None
    columns = list(dict.fromkeys(name for _, values in objects for name in values))
    rows = [(number, [_cell(values.get(name)) for name in columns]) for number, values in objects]
    return [(0, columns), *rows] if columns else []


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, dict) and isinstance(value.get("path"), str):  # a sound of Hugging Face's `datasets`
        return str(value["path"])
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def with_slashes(name: str, exists: Callable[[str], bool]) -> str:
    r"""A file's name as this machine writes it: `c\a.wav` from Windows is `c/a.wav`, where only that is there."""
    slashed_name = name.replace("\\", "/")
    return slashed_name if slashed_name != name and not exists(name) and exists(slashed_name) else name


def file_in(folder: Path, name: str) -> str:
    """The path of a file that a table in `folder` names, whether it is there or not."""
    return os.path.normpath(folder / with_slashes(name, lambda text: (folder / text).is_file()))


def refuse_faulty_rows(path: Path, problems: Sequence[CorpusError | LabelError]) -> None:
    """Name all faulty rows at once: each fault with its lines, up to ten, then how many more.

    Args:
        path: the table.
        problems: each with a message that begins `PATH, line NUMBER: `.
    """
    if len(problems) == 1:
        raise problems[0]
    lines_by_fault: dict[str, list[str]] = defaultdict(list)
    for problem in problems:
        line, _, fault = str(problem).removeprefix(f"{path}, line ").partition(": ")
        lines_by_fault[fault].append(line)
    faults = [
        f"line{'s' if len(lines) > 1 else ''} {first_few(lines, 10)}: {fault}"
        for fault, lines in lines_by_fault.items()
    ]
    if faults:
        rest = f"; and {len(faults) - 10} more faults" if len(faults) > 10 else ""
        raise type(problems[0])(f"{path} has {len(problems)} rows with faults: {'; '.join(faults[:10])}{rest}")
