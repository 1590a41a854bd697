"""Answers as a person or a program wants to read them: text, JSON, JSON lines, CSV, SRT.

Each format is a generator of pieces of text, so that the first answer is seen before the last one is made.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from intonate.recognizer.recognizer import Failure
from intonate.recognizer.timeline import UNSURE
from intonate.schema import Prediction, Segment

Answers = Iterable[Prediction | Failure]


@dataclass(frozen=True, slots=True)
class Layout:
    """What to show.

    Attributes:
        labels: every label that can be answered, for the columns of the CSV.
        top_k: how many scores; None for all.
        timeline: one row per segment in the CSV.
        single: one object in the JSON instead of an array.
    """

    labels: tuple[str, ...]
    top_k: int | None = None
    timeline: bool = False
    single: bool = False


def as_json(answers: Answers, layout: Layout) -> Iterator[str]:
    """One object for one file, an array for several; `{"file", "error"}` for what could not be read."""
    if layout.single:
        for answer in answers:
            yield json.dumps(_dict(answer, layout), ensure_ascii=False, indent=2) + "\n"
        return
    opening = "[\n"
    for answer in answers:
        yield opening + json.dumps(_dict(answer, layout), ensure_ascii=False)
        opening = ",\n"
    yield "\n]\n" if opening == ",\n" else "[]\n"


def as_jsonl(answers: Answers, layout: Layout) -> Iterator[str]:
    """One object a line."""
    for answer in answers:
        yield json.dumps(_dict(answer, layout), ensure_ascii=False) + "\n"


def as_csv(answers: Answers, layout: Layout) -> Iterator[str]:
    """One row per file, or with a timeline one per segment; a column per label, empty beyond `top_k`."""
    first, last = ("file", "start", "end", "label", "score", "abstained"), ("transcript", "model", "error", "warnings")
    yield _row([*first, *layout.labels, *last])
    for answer in answers:
        if isinstance(answer, Failure):
            yield _row([answer.file, *[""] * (len(layout.labels) + 7), answer.error, ""])
            continue
        end_s = answer.segments[-1].end_s if answer.segments else 0.0
        whole = Segment(0.0, end_s, answer.label, answer.scores)
        for segment in answer.segments if layout.timeline else (whole,):
            scores = dict(list(segment.scores.items())[: layout.top_k])
            is_unsure = segment.label == UNSURE or (not layout.timeline and answer.abstained)
            best = f"{next(iter(segment.scores.values())):.6f}" if segment.scores else ""
            columns = (f"{scores[label]:.6f}" if label in scores else "" for label in layout.labels)
            times = (f"{segment.start_s:.3f}", f"{segment.end_s:.3f}")
            flag = str(is_unsure).lower()
            transcript = segment.text if layout.timeline and answer.transcribed else answer.transcript
            last = (transcript, answer.model, "", "; ".join(answer.warnings))
            yield _row([answer.file, *times, segment.label, best, flag, *columns, *last])


def as_srt(answers: Answers, layout: Layout) -> Iterator[str]:
    """Subtitles of one recording: a cue per segment with speech, with its words where they were written down."""
    for answer in answers:
        if isinstance(answer, Prediction):
            spoken = [segment for segment in answer.segments if segment.speech]
            for number, segment in enumerate(spoken, start=1):
                best = list(segment.scores.items())[: layout.top_k or 1]
                text = ", ".join(f"{label} {score:.0%}" for label, score in best)
                text = f"{UNSURE} ({text})" if segment.label == UNSURE else text
                lines = "\n".join(filter(None, (text, segment.text)))
                yield f"{number}\n{_srt_time(segment.start_s)} --> {_srt_time(segment.end_s)}\n{lines}\n\n"


FORMATS: dict[str, Callable[[Answers, Layout], Iterator[str]]] = {
    "json": as_json,
    "jsonl": as_jsonl,
    "csv": as_csv,
    "srt": as_srt,
}


def _dict(answer: Prediction | Failure, layout: Layout) -> Mapping[str, object]:
    return answer.to_dict() if isinstance(answer, Failure) else answer.to_dict(layout.top_k)


def _row(cells: list[str]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(cells)
    return line.getvalue()


def _srt_time(seconds: float) -> str:
    """`00:01:02,500`."""
    thousandths = round(seconds * 1000)
    minutes, rest = divmod(thousandths, 60_000)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{rest // 1000:02d},{rest % 1000:03d}"
