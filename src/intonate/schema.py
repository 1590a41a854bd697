"""The data that travels between the rooms: what was said, what a model is, what it answered.

Frozen dataclasses with units in the field names, and their JSON. What a model is has its own file, `model_spec.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from intonate.model_spec import ModelInput, ModelSpec, Normalisation, Pool, Region

__all__ = (
    "UNSURE",
    "Answer",
    "ModelInput",
    "ModelSpec",
    "Normalisation",
    "Pool",
    "Prediction",
    "Region",
    "Segment",
    "Speaker",
    "Utterance",
    "listed",
)

# The label where a model abstains.
UNSURE = "unsure"
# An answer whose familiarity is no more than this says so: nine in ten unknown recordings lie nearer to the training.
UNFAMILIAR = 0.1


@dataclass(frozen=True, slots=True)
class Utterance:
    """One labelled piece of speech: a row of a manifest.

    Attributes:
        path: the audio file; for text without a sound, its file and id, `test.tsv#edcu99z`.
        emotion: canonical label (`intonate.emotions`).
        raw_label: the label as the corpus writes it.
        speaker: unique across corpora, e.g. `ravdess/03`; empty where it is not known.
        corpus: the catalogue name, e.g. `ravdess`.
        start_s: where the utterance starts in the file, seconds.
        end_s: where it ends, seconds; None for the end of the file.
        gender: `female`, `male` or empty.
        age: years, or None.
        language: ISO 639-1 code, e.g. `en`.
        sentence: the id of what was said, unique in the corpus; empty for free speech.
        intensity: the corpus's own word (`normal`, `strong`, `low`…), or empty.
        text: what was said, or empty.
        soft_labels: {canonical emotion: share of the raters}, or empty.
        ratings: {`valence`, `arousal`, `dominance`…: mean rating on the corpus's own scale}, or empty.
        labels: of a corpus that may give a clip several, all of this one, emotions under their canonical names; () for
            none of them, None where there is nothing of the kind.
    """

    path: str
    emotion: str
    raw_label: str
    speaker: str
    corpus: str
    start_s: float = 0.0
    end_s: float | None = None
    gender: str = ""
    age: float | None = None
    language: str = ""
    sentence: str = ""
    intensity: str = ""
    text: str = ""
    soft_labels: Mapping[str, float] = field(default_factory=dict)
    ratings: Mapping[str, float] = field(default_factory=dict)
    labels: tuple[str, ...] | None = None

    @property
    def all_labels(self) -> tuple[str, ...]:
        """Every label of the clip: `labels`, or else its emotion alone; () where it has none."""
        return ((self.emotion,) if self.emotion else ()) if self.labels is None else self.labels


class Answer:
    """What every answer has: whether the model abstained, its best label, and what is shown."""

    __slots__ = ()
    label: str
    scores: Mapping[str, float]
    labels: tuple[str, ...] | None

    @property
    def abstained(self) -> bool:
        """Whether no label was likely enough: then `unsure` is shown."""
        return self.label == UNSURE

    @property
    def guess(self) -> str:
        """The label; the best one all the same where the model abstained."""
        return next(iter(self.scores), self.label) if self.abstained else self.label

    @property
    def shown_label(self) -> str:
        """What is drawn, and `label` in JSON, CSV, tables and events: `unsure` where the model abstained."""
        return UNSURE if self.abstained else self.label

    def label_dict(self) -> dict[str, Any]:
        """`label`, `guess` and `abstained`, as they stand in JSON; `labels` too, of a model that gives several."""
        several = {} if self.labels is None else {"labels": list(self.labels)}
        return {"label": self.shown_label, "guess": self.guess, "abstained": self.abstained, **several}


@dataclass(frozen=True, slots=True)
class Segment(Answer):
    """A stretch of the timeline.

    Attributes:
        start_s: seconds from the start of the recording.
        end_s: seconds.
        label: the best label, `unsure` where the model abstains, `silence` or `noise` where `speech` is false.
        scores: {label: probability}, best first; empty where there is no speech.
        text: the words in it, where a transcript was asked for.
        speaker: who speaks, where speakers or channels were told apart.
        dimensions: {`arousal`, `valence`…: 0 to 1}, of a model with them; empty in silence.
        events: {`laughter`, `applause`…: 0.5 to 1}, of a model with them, where nobody speaks too.
        labels: of a model that may give several at once, all that are likely enough, best first; else None.
    """

    start_s: float
    end_s: float
    label: str
    scores: Mapping[str, float]
    speech: bool = True
    text: str = ""
    speaker: str = ""
    dimensions: Mapping[str, float] = field(default_factory=dict)
    events: Mapping[str, float] = field(default_factory=dict)
    labels: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Speaker(Answer):
    """What one person in a conversation sounds like, all turns together.

    Attributes:
        name: `Speaker 1`, `Left`, `Channel 3`, `Voice 2`… as in the segments.
        label: the best label, `unsure` where the model abstains.
        scores: {label: probability}, best first: the mean of the turns by their length.
        speech_s: seconds of speech.
        clips: from how many recordings the voice was learnt.
        labels, dimensions: as in the segments.
    """

    name: str
    label: str
    scores: Mapping[str, float]
    speech_s: float
    clips: int = 1
    labels: tuple[str, ...] | None = None
    dimensions: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Prediction(Answer):
    """What a recording sounds like.

    Attributes:
        label: the best, also if `abstained`; `silence` or `noise` without speech; `speech` of a model without labels.
        scores: {label: calibrated probability}, best first.
        segments: the timeline; one segment for a short recording.
        transcript: what was said, where text was given or asked for.
        abstained: whether no label was likely enough.
        familiarity: the share of unknown recordings that lie farther from the training; None if it does not tell.
        model: its name.
        file: where the sound came from; empty for an array or bytes.
        warnings: a sentence each about what was not heard: a damaged piece, a missing end, a channel left out.
        speakers: who speaks, where speakers or channels were told apart: the segments are their turns, which may
            overlap. Of clips that were grouped by voice, whose this one is.
        dimensions, events, labels: as in the segments, of all of the recording.
        language: ISO code of what is spoken, of a model that tells it; empty where nobody speaks.
    """

    label: str
    scores: Mapping[str, float]
    segments: tuple[Segment, ...] = ()
    transcript: str = ""
    abstained: bool = False
    familiarity: float | None = None
    model: str = ""
    file: str = ""
    warnings: tuple[str, ...] = ()
    speakers: tuple[Speaker, ...] = ()
    dimensions: Mapping[str, float] = field(default_factory=dict)
    events: Mapping[str, float] = field(default_factory=dict)
    language: str = ""
    labels: tuple[str, ...] | None = None

    @property
    def unfamiliarity(self) -> str:
        """`unlike what it learnt from (familiarity 0.02)`, where it is; else empty."""
        if self.familiarity is None or self.familiarity > UNFAMILIAR:
            return ""
        return f"unlike what it learnt from (familiarity {self.familiarity:.2f})"

    @property
    def duration_s(self) -> float:
        """Where the last segment ends, seconds."""
        return max((segment.end_s for segment in self.segments), default=0.0)

    @property
    def transcribed(self) -> bool:
        """Whether words were heard, and not given: then the segments hold them."""
        return any(segment.text for segment in self.segments)

    def to_dict(self, top_k: int | None = None) -> dict[str, Any]:
        """The public JSON shape; `scores` is a sorted list of {label, score}, as in Hugging Face pipelines.

        `label` is `unsure` where the model abstained; `guess` is its best label all the same. A segment has a `text`
        where words were asked for and heard, and a `speaker` where speakers or channels were told apart.

        Args:
            top_k: how many scores of the recording and of each segment; None for all.
        """
        return {
            "file": self.file,
            **self.label_dict(),
            "scores": listed(self.scores, top_k),
            "segments": [
                {
                    "start": round(segment.start_s, 3),
                    "end": round(segment.end_s, 3),
                    **segment.label_dict(),
                    "score": round(next(iter(segment.scores.values()), 0.0), 6),
                    "scores": listed(segment.scores, top_k),
                }
                | ({"text": segment.text} if segment.text else {})
                | ({"speaker": segment.speaker} if segment.speaker else {})
                | _numbers(segment)
                for segment in self.segments
            ],
            "transcript": self.transcript,
            "model": self.model,
            "warnings": list(self.warnings),
            **_numbers(self),
            **({"language": self.language} if self.language else {}),
            **({"speakers": [_speaker_dict(speaker, top_k) for speaker in self.speakers]} if self.speakers else {}),
            **self.familiarity_dict(),
        }

    def familiarity_dict(self) -> dict[str, float]:
        """`familiarity`, as it stands in JSON: only where the model tells it."""
        return {} if self.familiarity is None else {"familiarity": round(self.familiarity, 3)}


def _speaker_dict(speaker: Speaker, top_k: int | None) -> dict[str, Any]:
    return {
        "speaker": speaker.name,
        **speaker.label_dict(),
        "scores": listed(speaker.scores, top_k),
        "speech": round(speaker.speech_s, 2),
        "clips": speaker.clips,
        **_numbers(speaker),
    }


def _numbers(answer: Segment | Prediction | Speaker) -> dict[str, dict[str, float]]:
    """`dimensions` and `events`, as they stand in JSON: only where there are any."""
    kinds = {"dimensions": answer.dimensions, "events": {} if isinstance(answer, Speaker) else answer.events}
    return {kind: {name: round(value, 6) for name, value in values.items()} for kind, values in kinds.items() if values}


def listed(scores: Mapping[str, float], top_k: int | None = None) -> list[dict[str, Any]]:
    """Scores, best first, as they stand in JSON."""
    return [{"label": label, "score": round(score, 6)} for label, score in list(scores.items())[:top_k]]
