"""The text of a table as people save it: what it is by its first bytes, in which encoding, and how it names files."""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path

from intonate.audio import kinds
from intonate.corpora.overlap import first_few
from intonate.errors import CorpusError, LabelError

# What an empty cell is when a program that writes tables has made text of it.
EMPTY = frozenset(("", "nan", "NaN", "None", "<NA>"))
SAVE_AS = "save it as CSV UTF-8 (in Excel: Save as, 'CSV UTF-8')"
# First bytes of what is no table, and what it is.
_FOREIGN: tuple[tuple[bytes, str], ...] = (
    (b"PK\x03\x04", f"is an Excel file or an archive, not a CSV; {SAVE_AS}"),
    (b"\xd0\xcf\x11\xe0", f"is an old Excel file, not a CSV; {SAVE_AS}"),
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
