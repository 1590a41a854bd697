"""Transcripts of a manifest's rows, kept beside it: `m.transcripts.csv` beside `m.csv`.

A row belongs to the bytes of a file and to a stretch of it, so a table goes on being right when files are renamed, and
is not believed when they are changed. Rows are added one by one and never changed; of two for one stretch the later
counts. What is interrupted goes on where it stopped.
"""

from __future__ import annotations

import csv
import dataclasses
import io
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from intonate.corpora import manifest
from intonate.errors import AudioError, CorpusError, IntonateError
from intonate.features import cache
from intonate.schema import Utterance
from intonate.transcripts.recognisers import Transcriber

COLUMNS = ("file", "start", "end", "key", "text", "language", "recogniser", "version")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What `transcribe` did.

    Attributes:
        path: the table.
        new_rows: rows that were written down now.
        earlier_rows: rows that the same recogniser had written down before.
        worded_rows: rows that have words of their own, and were left alone.
        problems: a sentence for each row that could not be heard.
    """

    path: Path
    new_rows: int
    earlier_rows: int
    worded_rows: int
    problems: Sequence[str]


def table_path(path: str | os.PathLike[str]) -> Path:
    """Where the transcripts of a manifest are kept."""
    return Path(path).with_suffix(".transcripts.csv")


def transcribe(
    path: str | os.PathLike[str], transcriber: Transcriber, bar: Callable[[Sequence[Any]], Iterable[Any]] = iter
) -> Outcome:
    """Write down what is said in every row of a manifest that has no words of its own.

    Args:
        path: the manifest.
        transcriber: the recogniser of speech.
        bar: wraps the rows in a progress bar.

    Raises:
        CorpusError, LabelError: the manifest or the table cannot be read.
    """
    rows, table = manifest.read(path, any_label=True), table_path(path)
    textless_rows = [row for row in rows if not row.text]
    keys = cache.keys_of(textless_rows, hashed=True)
    lines = {line["key"]: line for line in _read_table(table)}
    identity = (transcriber.name, transcriber.version)
    finished_keys = {key for key, line in lines.items() if (line["recogniser"], line["version"]) == identity}
    # Two rows of one stretch are written down once.
    queue = {key: row for key, row in zip(keys, textless_rows, strict=True) if key not in finished_keys}
    problems, count = [], 0
    _drop_unfinished_line(table)
    with table.open("a", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        if not file.tell():
            writer.writeheader()
        for key, row in bar(list(queue.items())):
            try:
                transcript = transcriber(row.path, row.start_s, row.end_s)
            except AudioError as error:
                problems.append(str(error))
                continue
            writer.writerow(
                {
                    "file": manifest.relative(row.path, table.parent),
                    "start": manifest.number(row.start_s),
                    "end": manifest.number(row.end_s),
                    "key": key,
                    "text": transcript.text,
                    "language": transcript.language,
                    "recogniser": transcriber.name,
                    "version": transcriber.version,
                }
            )
            file.flush()  # whatever happens now, this row is kept
            count += 1
    return Outcome(table, count, sum(key in finished_keys for key in keys), len(rows) - len(textless_rows), problems)


def fill(utterances: Sequence[Utterance], path: str | os.PathLike[str]) -> list[Utterance]:
    """The rows of a manifest, those without words with what was written down of them, if it was.

    Args:
        utterances: as `manifest.read(path)` gave them.
        path: the manifest.

    Raises:
        CorpusError: the table of transcripts cannot be read.
    """
    texts = {line["key"]: line["text"] for line in _read_table(table_path(path))}
    textless_rows = [row for row in utterances if not row.text] if texts else []
    keys = iter(cache.keys_of(textless_rows, hashed=True))
    return [
        row if row.text or not texts else dataclasses.replace(row, text=texts.get(next(keys), "")) for row in utterances
    ]


def command(paths: Sequence[str], transcriber: Transcriber) -> str:
    """`intonate transcribe MANIFEST`: with a bar on a terminal; what was done, in words.

    Raises:
        IntonateError: there are several manifests, or as `transcribe`.
    """
    from rich.console import Console
    from rich.progress import track

    if len(paths) > 1:
        raise IntonateError("one manifest is transcribed at a time, e.g. intonate transcribe manifest.csv")
    console = Console(stderr=True)

    def bar(rows: Sequence[Any]) -> Iterable[Any]:
        return track(rows, "writing down", console=console, disable=not console.is_terminal)

    outcome = transcribe(paths[0], transcriber, bar)
    for problem in outcome.problems:
        print(f"intonate: left out {problem}", file=sys.stderr)
    return (
        f"{outcome.new_rows:,} rows written down by {transcriber.name}; {outcome.earlier_rows:,} were there, "
        f"{outcome.worded_rows:,} have words of their own\nkept in {outcome.path}"
    )


def _read_table(table: Path) -> Iterator[dict[str, str]]:
    """The lines of a table of transcripts, but for one that was not finished."""
    if not table.is_file():
        return
    try:
        text = table.read_bytes().rpartition(b"\n")[0].decode("utf-8")
    except UnicodeDecodeError as error:
        raise CorpusError(f"{table} is no table in UTF-8 ({error}); remove it to begin anew") from None
    lines = csv.DictReader(io.StringIO(text, newline=""))
    if text and tuple(lines.fieldnames or ()) != COLUMNS:
        raise CorpusError(f"{table} has other columns than {', '.join(COLUMNS)}; remove it to begin anew")
    yield from lines


def _drop_unfinished_line(table: Path) -> None:
    """Cut off a line that was not finished when somebody pulled the plug."""
    if table.is_file() and (data := table.read_bytes()) and not data.endswith(b"\n"):
        table.write_bytes(data[: data.rfind(b"\n") + 1])
