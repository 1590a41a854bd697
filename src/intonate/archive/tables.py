"""The columns of the table: one row per sound, an answer or the reason why there is none.

Scores and dimensions are structs with a field per label, so that `scores.angry` is a column wherever Parquet is read.
Numbers are as the model gave them, not rounded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from intonate.archive.job import Job
from intonate.archive.places import Entry
from intonate.errors import require
from intonate.schema import Prediction

# Written into every file of the table: a reader can tell which shape it has, and a run that this one cannot go on.
VERSION = 2
COMPRESSION = "zstd"
# The last bytes of every Parquet file.
MAGIC = b"PAR1"
# Of a sound, a segment and a speaker alike (`schema.Answer`).
LABEL = {"label": "string", "guess": "string", "abstained": "bool"}


def columns(
    labels: Sequence[str], dimensions: Sequence[str], events: Sequence[str] = (), several: bool = False
) -> dict[str, Any]:
    """{column: type} as JSON: a name of pyarrow's, a list of one type, or {field: type}.

    The columns are: `file`, and `start` and `end` (seconds) where a stretch of it was asked for; `hash` (SHA-256) and
    `bytes` of what was read; `duration` (seconds); `label`, where the model abstains `unsure`, and `guess`, its best
    label all the same; `labels`, all of them, of a model that may give several at once; `scores`; `dimensions`,
    `events` and `language` of a model that has them; `segments`;
    `speakers`; `transcript`; `warnings`; `familiarity`; `model` and `model_hash`; `error`, null where there is an
    answer.
    """
    label = LABEL | ({"labels": ["string"]} if several else {})
    scores, numbers, sounds = (dict.fromkeys(names, "double") for names in (labels, dimensions, events))
    segment: dict[str, Any] = {"start": "double", "end": "double", **label, "scores": scores}
    segment |= {"dimensions": numbers} if numbers else {}
    segment |= {"events": sounds} if sounds else {}
    segment |= {"speech": "bool", "text": "string", "speaker": "string"}
    speaker: dict[str, Any] = {"speaker": "string", **label, "scores": scores, "speech": "double"}
    speaker |= {"dimensions": numbers} if numbers else {}
    table: dict[str, Any] = {"file": "string", "start": "double", "end": "double", "hash": "string", "bytes": "int64"}
    table |= {"duration": "double", **label, "scores": scores}
    table |= {"dimensions": numbers} if numbers else {}
    table |= {"events": sounds, "language": "string"} if sounds else {}
    table |= {"segments": [segment], "speakers": [speaker], "transcript": "string", "warnings": ["string"]}
    return table | {"familiarity": "double", "model": "string", "model_hash": "string", "error": "string"}


def row(entry: Entry, job: Job, answer: Prediction, digest: str, size: int) -> dict[str, Any]:
    """The row of a sound that was answered."""
    return {
        **_about(entry, job, digest, size),
        "duration": answer.duration_s,
        **answer.label_dict(),
        "scores": dict(answer.scores) or None,
        "dimensions": dict(answer.dimensions) or None,
        "events": dict(answer.events) or None,
        "language": answer.language or None,
        "segments": [
            {
                "start": segment.start_s,
                "end": segment.end_s,
                **segment.label_dict(),
                "scores": dict(segment.scores) or None,
                "dimensions": dict(segment.dimensions) or None,
                "events": dict(segment.events) or None,
                "speech": segment.speech,
                "text": segment.text,
                "speaker": segment.speaker,
            }
            for segment in answer.segments
        ],
        "speakers": [
            {
                "speaker": speaker.name,
                **speaker.label_dict(),
                "scores": dict(speaker.scores),
                "speech": speaker.speech_s,
                "dimensions": dict(speaker.dimensions) or None,
            }
            for speaker in answer.speakers
        ],
        "transcript": answer.transcript,
        "warnings": [_text(warning) for warning in dict.fromkeys(answer.warnings)],
        "familiarity": answer.familiarity,
        "model": answer.model,
        "error": None,
    }


def failure(entry: Entry, job: Job, error: str, digest: str | None = None, size: int | None = None) -> dict[str, Any]:
    """The row of a sound that could not be answered; hash and bytes are null where it could not even be read."""
    return {**_about(entry, job, digest, size), "error": _text(error)}


def _text(text: str) -> str:
    """The same as Unicode: the name of a file may be none, and stands in sentences, too."""
    return text.encode("utf-8", "backslashreplace").decode()


def _about(entry: Entry, job: Job, digest: str | None, size: int | None) -> dict[str, Any]:
    return {
        "file": _text(entry.file),
        "start": entry.start_s,
        "end": entry.end_s,
        "hash": digest,
        "bytes": size,
        "model": job.model,
        "model_hash": job.model_hash,
    }


def schema(column_types: Mapping[str, Any]) -> Any:
    """The `pyarrow.Schema` of `columns`."""
    pyarrow = require("pyarrow", "archive")

    def arrow(kind: Any) -> Any:
        if isinstance(kind, list):
            return pyarrow.list_(arrow(kind[0]))
        if isinstance(kind, dict):
            return pyarrow.struct([(name, arrow(inner)) for name, inner in kind.items()])
        return pyarrow.type_for_alias(kind)

    fields = [(name, arrow(kind)) for name, kind in column_types.items()]
    return pyarrow.schema(fields, metadata={"intonate.archive": str(VERSION)})


def as_table(rows: Sequence[Mapping[str, Any]], column_types: Mapping[str, Any]) -> Any:
    """The rows as a `pyarrow.Table`: these columns in each, null where a row has none, and no others."""
    return require("pyarrow", "archive").Table.from_pylist(list(rows), schema=schema(column_types))


def as_parquet(table: Any) -> bytes:
    """A table as one Parquet file."""
    sink = require("pyarrow", "archive").BufferOutputStream()
    require("pyarrow.parquet", "archive").write_table(table, sink, compression=COMPRESSION)
    return bytes(sink.getvalue())
