"""Answers as a person or a program wants to read them: text, JSON, JSON lines, CSV, SRT, WebVTT, RTTM.

Each format is a generator of pieces of text, so that the first answer is seen before the last one is made.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from intonate.emotions import labels_text, merged_labels
from intonate.recognizer.recognizer import Failure
from intonate.schema import UNSURE, ModelSpec, Prediction, Segment

# RTTM's times have three places, seconds.
SAME_MOMENT_S = 0.001
Answers = Iterable[Prediction | Failure]


@dataclass(frozen=True, slots=True)
class Layout:
    """What to show.

    Attributes:
        labels: every label that can be answered, for the columns of the CSV.
        top_k: how many scores; None for all.
        timeline: one row per segment in the CSV.
        single: one object in the JSON instead of an array.
        speakers: tell them: a row per turn in the CSV, and a column with who speaks.
        dimensions: every dimension and event that can be answered, for the columns of the CSV behind the labels.
        several: the model may give several labels at once: a column with all of them in the CSV.
        familiarity: the model tells how much a recording is like its training: a column with that in the CSV.
        language: the model tells which language is spoken: a column with it in the CSV.
    """

    labels: tuple[str, ...]
    top_k: int | None = None
    timeline: bool = False
    single: bool = False
    speakers: bool = False
    dimensions: tuple[str, ...] = ()
    several: bool = False
    familiarity: bool = False
    language: bool = False

    @classmethod
    def of(cls, spec: ModelSpec, labels: str | None, **what: Any) -> Layout:
        """That of a model's answers, in the merge `labels` if there is one; `what` are the fields that are chosen."""
        return cls(
            merged_labels(labels) if labels else spec.labels,
            dimensions=(*spec.dimensions, *spec.events),
            several=spec.multi_label,
            familiarity=spec.tells_familiarity,
            language=bool(spec.spoken_languages),
            **what,
        )


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
    """One row per file, or with a timeline one per segment; a column per label, empty beyond `top_k`.

    Where a model may give several labels at once, the column `labels` has all of them, as a manifest has them.
    """
    several_column = ("labels",) if layout.several else ()
    first_columns = ("file", "start", "end", "label", "guess", "abstained", "score", *several_column)
    language_column = ("language",) if layout.language else ()
    last_columns = (*language_column, "transcript", "model", "error", "warnings")
    numbers = (*layout.labels, *layout.dimensions)
    is_timeline = layout.timeline or layout.speakers
    speaker_columns = ("clips", "speaker") if layout.speakers else ()
    further_columns = (*(("familiarity",) if layout.familiarity else ()), *speaker_columns)
    yield _row([*first_columns, *numbers, *last_columns, *further_columns])
    for answer in answers:
        if isinstance(answer, Failure):
            cells = [""] * (len(first_columns) + len(numbers) + len(language_column) + 1)
            yield _row([answer.file, *cells, answer.error, "", *("" for _ in further_columns)])
            continue
        recording = Segment(
            0.0,
            answer.duration_s,
            answer.shown_label,
            answer.scores,
            dimensions=answer.dimensions,
            events=answer.events,
            labels=answer.labels,
        )
        known = ("" if answer.familiarity is None else f"{answer.familiarity:.3f}",) if layout.familiarity else ()
        clips_of = {speaker.name: str(speaker.clips) for speaker in answer.speakers}
        for segment in answer.segments if is_timeline else (recording,):
            scores = dict(list(segment.scores.items())[: layout.top_k])
            best_score = f"{next(iter(segment.scores.values())):.6f}" if segment.scores else ""
            several = (labels_text(segment.labels or ()),) if layout.several else ()
            scores |= {**segment.dimensions, **segment.events}
            columns = (f"{scores[name]:.6f}" if name in scores else "" for name in numbers)
            times = (f"{segment.start_s:.3f}", f"{segment.end_s:.3f}")
            label = (segment.label, segment.guess, str(segment.abstained).lower())
            transcript = segment.text if is_timeline and answer.transcribed else answer.transcript
            language = (answer.language,) if layout.language else ()
            last_columns = (*language, transcript, answer.model, "", "; ".join(answer.warnings))
            speaker = (clips_of.get(segment.speaker, ""), segment.speaker) if speaker_columns else ()
            yield _row([answer.file, *times, *label, best_score, *several, *columns, *last_columns, *known, *speaker])


def as_srt(answers: Answers, layout: Layout) -> Iterator[str]:
    """Subtitles of one recording: a cue per segment with speech, with its words where they were written down."""
    for number, segment in enumerate(_spoken(answers), start=1):
        speaker = f"{segment.speaker}: " if segment.speaker else ""
        cue_times = f"{_clock(segment.start_s, ',')} --> {_clock(segment.end_s, ',')}"
        yield f"{number}\n{cue_times}\n{speaker}{_cue(segment, layout)}\n\n"


def as_vtt(answers: Answers, layout: Layout) -> Iterator[str]:
    """The same as WebVTT, where a voice tag tells who speaks: `<v Speaker 1>`."""
    yield "WEBVTT\n\n"
    for segment in _spoken(answers):
        speaker = f"<v {segment.speaker}>" if segment.speaker else ""
        text = _cue(segment, layout).replace("&", "&amp;").replace("<", "&lt;")
        yield f"{_clock(segment.start_s, '.')} --> {_clock(segment.end_s, '.')}\n{speaker}{text}\n\n"


def as_rttm(answers: Answers, layout: Layout) -> Iterator[str]:
    """Who speaks when, as NIST's Rich Transcription Time Marked; `speech` where speakers were not told apart.

    Segments of one speaker that touch are one turn: where the emotion changes, nobody else begins to speak. What could
    not be answered is a comment.
    """
    for answer in answers:
        if isinstance(answer, Failure):
            yield f";; {' '.join(answer.file.split())}: {' '.join(answer.error.split())}\n"
        else:
            file = "_".join(answer.file.split()) or "recording"
            turns: list[list[Segment]] = []
            for segment in _spoken([answer]):
                last = turns[-1][-1] if turns else None
                if last and last.speaker == segment.speaker and segment.start_s - last.end_s < SAME_MOMENT_S:
                    turns[-1].append(segment)
                else:
                    turns.append([segment])
            for turn in turns:
                speaker = turn[0].speaker.replace(" ", "_") or "speech"
                start_s, length_s = turn[0].start_s, turn[-1].end_s - turn[0].start_s
                yield f"SPEAKER {file} 1 {start_s:.3f} {length_s:.3f} <NA> <NA> {speaker} <NA> <NA>\n"


FORMATS: dict[str, Callable[[Answers, Layout], Iterator[str]]] = {
    "json": as_json,
    "jsonl": as_jsonl,
    "csv": as_csv,
    "srt": as_srt,
    "vtt": as_vtt,
    "rttm": as_rttm,
}
# A recording each is a file each.
SUBTITLES = ("srt", "vtt")
# They are made of segments.
TIMELINES = (*SUBTITLES, "rttm")


def _spoken(answers: Answers) -> Iterator[Segment]:
    for answer in answers:
        if isinstance(answer, Prediction):
            yield from (segment for segment in answer.segments if segment.speech)


def dimensions_text(dimensions: Mapping[str, float]) -> str:
    """Numbers as a person reads them: from 0 to 1, and no percentages."""
    return ", ".join(f"{name} {value:.2f}" for name, value in dimensions.items())


def _cue(segment: Segment, layout: Layout) -> str:
    best_scores = list(segment.scores.items())[: layout.top_k or max(1, len(segment.labels or ()))]
    shares = [f"{label} {score:.0%}" for label, score in (*best_scores, *segment.events.items())]
    text = ", ".join(filter(None, (*shares, dimensions_text(segment.dimensions))))
    text = f"{UNSURE} ({text})" if segment.abstained else text
    return "\n".join(filter(None, (text, segment.text)))


def _dict(answer: Prediction | Failure, layout: Layout) -> Mapping[str, object]:
    return answer.to_dict() if isinstance(answer, Failure) else answer.to_dict(layout.top_k)


def _row(cells: list[str]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(cells)
    return line.getvalue()


def _clock(seconds: float, point: str) -> str:
    """`00:01:02,500`."""
    thousandths = round(seconds * 1000)
    minutes, thousandths_left = divmod(thousandths, 60_000)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{thousandths_left // 1000:02d}{point}{thousandths_left % 1000:03d}"
